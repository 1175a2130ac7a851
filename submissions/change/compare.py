"""What has changed of one label between two dates.

A cell has changed if its score crosses the cut, and moves by a margin besides: without that, a score that hovers at the
cut would appear and go with every breath of noise. The margin is one of the move and not one below the cut, under which
a model that is unsure may never come, whatever then appears.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.scenes.score_raster import Scored
from submissions.change.align import Aligned
from submissions.decide.decisions import at_or_above
from submissions.decide.log_odds import log_odds
from submissions.map.decide import HECTARES
from submissions.regions.ground import Ground
from submissions.regions.regions import Measured, Regions
from submissions.regions.runs import Runs

MARGIN = 1.0  # log odds
APPEARED, GROWN, GONE, SHRUNK, SAME = KINDS = ("appeared", "grown", "gone", "shrunk", "same")
MORE, LESS = (APPEARED, GROWN), (GONE, SHRUNK)


@dataclass(frozen=True)
class Terms:
    """On which terms two dates are compared.

    Attributes:
        margin: log odds by which a score must move to have changed; 0: any.
        neighbours: 8 or 4, as of `decide`.
        smallest_ha: least area of a region of changed cells in hectares.
    """

    margin: float = MARGIN
    neighbours: int = 8
    smallest_ha: float = 0.0


@dataclass(frozen=True, eq=False)
class LabelChange:
    """What has changed of one label.

    Attributes:
        label: its name.
        cut: score from which it is there.
        known: cells whose score is known on both dates.
        before_km2: area of these that reach the cut on the earlier date.
        after_km2: likewise on the later one.
        doubtful_km2: area of those that reach it on one date alone, and move by too little to have changed.
        kinds: regions of cells by kind, see `KINDS`; scores are those of the later date, and of what is gone those of
            the earlier.
        small: regions of changed cells that were left out.
    """

    label: str
    cut: float
    known: int
    before_km2: float
    after_km2: float
    doubtful_km2: float
    kinds: dict[str, Measured]
    small: int

    def num(self, *kinds: str) -> int:
        """Return how many regions there are of some kinds."""
        return sum(len(self.kinds[kind]) for kind in kinds)

    def km2(self, *kinds: str) -> float:
        """Return the area of the regions of some kinds."""
        return sum(float(self.kinds[kind].area_km2.sum()) for kind in kinds)


class _Cells(NamedTuple):
    """Runs of a label's cells.

    Attributes:
        new: that appeared.
        lost: that are gone.
        same: that are there on either date, and have not changed.
        with_new: `new` and `same`; values are 1 of the same and 0 of the new.
        with_lost: likewise.
    """

    new: Runs
    lost: Runs
    same: Runs
    with_new: Runs
    with_lost: Runs


def compare(aligned: Aligned, label: str, cut: float, terms: Terms, ground: Ground) -> LabelChange:
    """Return what has changed of a label.

    Args:
        aligned: both dates.
        label: that both have.
        cut: score from which it is there; inf: never.
        terms: of the comparison.
        ground: under the cells of the earlier raster.

    Raises:
        UserError: if a raster is damaged.
    """
    cells, known, (before, after, doubtful) = _cells(aligned, label, cut, terms.margin, ground)
    most = [raster.scored.unknown - 1 for raster in (aligned.before, aligned.after)]
    made: dict[str, Measured] = {}
    small = 0
    for kinds, changed, whole, top in (
        (MORE, cells.new, cells.with_new, most[1]), (LESS, cells.lost, cells.with_lost, most[0])
    ):  # fmt: skip
        found = Regions(changed, changed.regions(terms.neighbours), ground, top)
        large = found.area_km2 * HECTARES >= terms.smallest_ha
        touches = _touches_same(changed, whole, terms.neighbours)[found.first]
        made |= {
            kind: found.measured(found.ranked(large & of_it))
            for kind, of_it in zip(kinds, (~touches, touches), strict=True)
        }
        small += int((~large).sum())
    found = Regions(cells.same, cells.same.regions(terms.neighbours), ground, most[1])
    made[SAME] = found.measured(found.ranked(found.cells > 0))
    return LabelChange(label, cut, known, before, after, doubtful, made, small)


def _touches_same(changed: Runs, whole: Runs, neighbours: int) -> NDArray[np.bool_]:
    """Return of each run of changed cells whether its region touches cells that have not changed: bool (num_runs,)."""
    group = whole.regions(neighbours)
    has_same = np.bincount(group, weights=whole.total) > 0
    return has_same[group[whole.covering(changed)]]


def _cells(aligned: Aligned, label: str, cut: float, margin: float, ground: Ground) -> tuple[_Cells, int, list[float]]:
    """Return the cells of a label by what has become of them, how many are known, and areas: see `LabelChange`."""
    dates = [_States.of(raster.scored, cut) for raster in (aligned.before, aligned.after)]
    none = np.zeros((0, aligned.before.columns), dtype=np.uint8)
    parts = [[Runs.of(none.view(bool), none)] for _ in _Cells._fields]
    num_known, areas = 0, [0.0, 0.0, 0.0]
    for first, one, other in aligned.blocks(label):
        known = dates[0].is_known[one] & dates[1].is_known[other]
        before, after = known & dates[0].is_there[one], known & dates[1].is_there[other]
        moved = (before != after) & (np.abs(dates[1].odds[other] - dates[0].odds[one]) >= margin)
        new, lost, same = after & moved, before & moved, (before | after) & ~moved
        marks = same.view(np.uint8)
        num_known += int(known.sum())
        for place, cells in enumerate((before, after, same & (before != after))):
            runs = Runs.of(cells, marks, first)
            areas[place] += float(ground.km2(runs.row, runs.start, runs.end).sum())
        sets = (new, other), (lost, one), (same, other), (new | same, marks), (lost | same, marks)
        for part, (cells, values) in zip(parts, sets, strict=True):
            part.append(Runs.of(cells, values, first))
    return _Cells(*map(Runs.joined, parts)), num_known, areas


class _States(NamedTuple):
    """What each number on disk says: arrays (num_codes,).

    Attributes:
        is_known: whether it is a score.
        is_there: whether it reaches the cut.
        odds: log odds of the score; of 0 and 1 those of half a step beside, as these stand for all that is nearer.
    """

    is_known: NDArray[np.bool_]
    is_there: NDArray[np.bool_]
    odds: NDArray[np.float64]

    @classmethod
    def of(cls, scored: Scored, cut: float) -> _States:
        scores, half = scored.as_scores(np.arange(scored.unknown + 1)), 0.5 / (scored.unknown - 1)
        odds = log_odds(np.nan_to_num(scores).astype(np.float64).clip(half, 1 - half))
        return cls(~np.isnan(scores), at_or_above(scores, cut), odds)
