"""What has changed between two dates of one place, and how much of that the noise of scoring again would make.

A cell is there from the cut on, and is not there below a lower score: what lies between has not changed, so that scores
that flicker around the cut are no change. The lower score is two spreads of the noise below the cut, in log odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.common.text import counted, first
from competition.scenes.score_raster import Scored, ScoreRaster
from competition.terminal.tables import table
from submissions.decide.decisions import at_or_above
from submissions.map.align import Aligned
from submissions.map.decide import HECTARES, chosen
from submissions.map.detections import in_coordinates, write_features
from submissions.map.noise import STEPS, Noise
from submissions.map.rules import MapRule, shown_cut
from submissions.regions.ground import Ground
from submissions.regions.regions import Measured, Regions
from submissions.regions.runs import Runs

APPEARED, GROWN, GONE, SHRUNK = KINDS = ("appeared", "grown", "gone", "shrunk")
LAYER = "changes"


@dataclass(frozen=True, eq=False)
class LabelChange:
    """What has changed of one label.

    Attributes:
        label: its name.
        cut: score from which it is there.
        low: score below which it is not.
        noise: of its scores.
        unknown: shared cells whose score is not known on one of the dates.
        measured: regions of changed cells, by kind; scores are those of the date on which the label is there.
        by_noise_km2: area that would appear, and go, by noise alone.
    """

    label: str
    cut: float
    low: float
    noise: Noise
    unknown: int
    measured: dict[str, Measured]
    by_noise_km2: tuple[float, float]

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, for JSON."""
        kinds = {
            kind: {"regions": len(found.cells), "cells": int(found.cells.sum()), "km2": float(found.area_km2.sum())}
            for kind, found in self.measured.items()
        }
        noise = {"shift": self.noise.shift, "spread": self.noise.spread, "measured_on_cells": self.noise.cells}
        made = dict(zip(("appeared_km2", "gone_km2"), self.by_noise_km2, strict=True))
        values = {"label": self.label, "cut": self.cut, "low": self.low, "unknown_cells": self.unknown}
        return {**values, **kinds, "noise": noise, "by_noise": made}


@dataclass(frozen=True, eq=False)
class Changes:
    """What has changed between two dates.

    Attributes:
        aligned: the two score rasters.
        rule: that decided.
        labels: what has changed of each.
        notes: lines to read with it.
    """

    aligned: Aligned
    rule: MapRule
    labels: tuple[LabelChange, ...]
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return sum(len(found.cells) for change in self.labels for found in change.measured.values())

    def write(self, path: Path) -> None:
        """Write each region of changed cells, as `Detections.write` does.

        Raises:
            UserError: as `write_features`.
        """
        before, after = self.aligned.before, self.aligned.after
        parts = [(change.label, kind, found) for change in self.labels for kind, found in change.measured.items()]
        every = Measured.joined([found for _, _, found in parts])
        many = [len(found.cells) for _, _, found in parts]
        columns = {
            "label": np.repeat(np.array([label for label, _, _ in parts], dtype=object), many),
            "change": np.repeat(np.array([kind for _, kind, _ in parts], dtype=object), many),
            "area_km2": every.area_km2.round(6),
            "cells": every.cells,
            "mean": every.mean.round(4),
            "highest": every.highest.round(4),
            "before": np.full(len(self), before.scored.date, dtype=object),
            "after": np.full(len(self), after.scored.date, dtype=object),
            "scene": np.full(len(self), after.scored.scene, dtype=object),
        }
        write_features(path, in_coordinates(every.shapes, before), columns, before, LAYER)

    def text(self) -> str:
        """Return areas by label and kind, beside those that noise alone would make."""
        rows = []
        for change in self.labels:
            km2 = {kind: float(change.measured[kind].area_km2.sum()) for kind in KINDS}
            come, gone = change.by_noise_km2
            shown = (km2[APPEARED], km2[GROWN], come, km2[GONE], km2[SHRUNK], gone)
            cuts = shown_cut(change.cut), shown_cut(change.low)
            rows.append((change.label, *cuts, *(f"{value:,.3f}" for value in shown)))
        headers = ("label", "cut", "gone below", *(f"{what} km2" for what in (APPEARED, GROWN)), "by noise")
        headers = (*headers, *(f"{what} km2" for what in (GONE, SHRUNK)), "by noise ")
        before, after = (each.scored.date or each.scored.scene for each in (self.aligned.before, self.aligned.after))
        head = f"From {before} to {after}: {counted(len(self), 'region')} of changed cells."
        return "\n".join([self.rule.text(), "", head, table(headers, rows), *self.notes])

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by label, for JSON."""
        before, after = (each.scored for each in (self.aligned.before, self.aligned.after))
        when = {"before": before.date, "after": after.date, "cells": self.aligned.cells}
        labels = [change.as_dict() for change in self.labels]
        return {**when, "labels": labels, **self.rule.as_dict(), "notes": [*self.rule.notes, *self.notes]}


def find_changes(
    before: ScoreRaster,
    after: ScoreRaster,
    rule: MapRule,
    *,
    labels: Sequence[str] | None = None,
    neighbours: int = 8,
    smallest_ha: float = 0.0,
) -> Changes:
    """Return what has changed from one score raster to another.

    Args:
        before: the earlier one, in whose cells everything is.
        after: the later one.
        rule: whose cuts decide both.
        labels: that are wanted; None: all that both have.
        neighbours: as of `decide`.
        smallest_ha: least area of a region of changed cells, in hectares.

    Raises:
        UserError: if the rasters do not agree or are damaged, lack a label, or the rule has no cuts.
    """
    if not rule.cuts:
        raise UserError(f"Change needs cuts, and {rule.title} has none. Give another --rule.")
    aligned = Aligned.of(before, after)
    asked = _shared(before, after, labels)
    ground, found = Ground(before), []
    with reporter.bar(len(asked), "comparing", "label") as bar:
        for label in asked:
            found.append(_change(aligned, label, rule.cuts[label], neighbours, smallest_ha, ground))
            bar.update()
    return Changes(aligned, rule, tuple(found), tuple(_notes(aligned, found, smallest_ha)))


def _shared(before: ScoreRaster, after: ScoreRaster, labels: Sequence[str] | None) -> tuple[str, ...]:
    """Return the labels that are wanted, of those that both rasters have."""
    asked = chosen(before, labels)
    if labels is not None:
        chosen(after, labels)
    if not (shared := tuple(label for label in asked if label in after.labels)):
        raise UserError(f"{before.path} and {after.path} have no label in common.")
    return shared


def _change(
    aligned: Aligned, label: str, cut: float, neighbours: int, smallest_ha: float, ground: Ground
) -> LabelChange:
    """Return what has changed of a label; two passes, as what counts as change follows from the noise."""
    counts, unknown = _counts(aligned, label)
    noise = Noise.of(counts, cut)
    low, scored = noise.low(cut), (aligned.before.scored, aligned.after.scored)
    runs = _runs(aligned, label, cut, low)
    measured = {}
    for kinds, date in (((APPEARED, GROWN), 1), ((GONE, SHRUNK), 0)):
        changed, whole = runs[2 * date], runs[2 * date + 1]
        regions = Regions(changed, changed.regions(neighbours), ground, scored[date].unknown - 1)
        group = whole.regions(neighbours)
        stays = np.bincount(group, weights=whole.total) > 0  # a group that holds cells which have not changed
        touches = stays[group[whole.covering(changed)]][regions.first]
        large = regions.area_km2 * HECTARES >= smallest_ha
        for kind, kept in zip(kinds, (large & ~touches, large & touches), strict=True):
            measured[kind] = regions.measured(regions.ranked(kept))
    come, gone = noise.made(counts, cut)
    area = aligned.before.cell_km2
    return LabelChange(label, cut, low, noise, unknown, measured, (come * area, gone * area))


def _counts(aligned: Aligned, label: str) -> tuple[NDArray[np.int64], int]:
    """Return cells by the steps of both dates' scores (STEPS + 1, STEPS + 1), and how many are unknown on either."""
    counts, unknown = np.zeros((STEPS + 1) ** 2, dtype=np.int64), 0
    one_of, other_of = _steps(aligned.before.scored), _steps(aligned.after.scored)
    for _, one, other in aligned.blocks(label):
        known = (one != aligned.before.scored.unknown) & (other != aligned.after.scored.unknown)
        place = one_of[one[known]] * (STEPS + 1) + other_of[other[known]]
        counts += np.bincount(place, minlength=len(counts))
        unknown += int(known.size - known.sum())
    return counts.reshape(STEPS + 1, STEPS + 1), unknown


def _steps(scored: Scored) -> NDArray[np.int64]:
    """Return the step of each number on disk; of that of unknown cells, any."""
    return np.rint(np.arange(scored.unknown + 1) * STEPS / (scored.unknown - 1)).astype(np.int64).clip(0, STEPS)


def _runs(aligned: Aligned, label: str, cut: float, low: float) -> list[Runs]:
    """Return the runs of cells that the label has left, of these with those where it stays, and likewise come to."""
    both = [(date.scored.as_scores(np.arange(date.scored.unknown + 1))) for date in (aligned.before, aligned.after)]
    above, below = [at_or_above(scores, cut) for scores in both], [scores < np.float32(low) for scores in both]
    known = [~np.isnan(scores) for scores in both]
    width, (left, end) = aligned.before.columns, aligned.columns
    none = np.zeros((0, width), dtype=np.uint8)
    parts = [[Runs.of(none.view(bool), none)] for _ in range(4)]
    for number, *codes in aligned.blocks(label):
        one, other = (np.pad(each, ((0, 0), (left, width - end))) for each in codes)
        inside = np.zeros(one.shape, dtype=bool)
        inside[:, left:end] = known[0][codes[0]] & known[1][codes[1]]
        there = [inside & above[0][one], inside & above[1][other]]
        lost, new = there[0] & below[1][other], there[1] & below[0][one]
        stays = (there[0] | there[1]) & ~lost & ~new
        found = ((lost, one), (lost | stays, stays.view(np.uint8)), (new, other), (new | stays, stays.view(np.uint8)))
        for part, (decided, values) in zip(parts, found, strict=True):
            part.append(Runs.of(decided, values, number))
    return [Runs.joined(part) for part in parts]


def _notes(aligned: Aligned, found: Sequence[LabelChange], smallest_ha: float) -> list[str]:
    notes = [aligned.note] if aligned.note else []
    before, after = aligned.before.scored, aligned.after.scored
    if before.digests.get("model") != after.digests.get("model") or before.model != after.model:
        notes.append("The scores are of different models: what differs may be these, and not the place.")
    if unknown := max(change.unknown for change in found):
        notes.append(f"Left out: cells unknown on one of the dates, up to {unknown / aligned.cells:.1%} of a label's.")
    if smallest_ha:
        notes.append(f"Left out: regions of less than {smallest_ha:g} ha, which `by noise` does not know of.")
    measured = [change.noise for change in found if change.noise.cells]
    if measured:
        low, high = (function(noise.spread for noise in measured) for function in (min, max))
        notes.append(
            f"Noise of scoring again, measured on cells far below the cut: from one date to the other log odds scatter "
            f"by {low:.2f} to {high:.2f}. `by noise` is what that alone would make, were nothing to change."
        )
    if lacking := [change.label for change in found if not change.noise.cells]:
        notes.append(f"Too few scores between 0 and the cut to measure noise by, so .5 is taken: {first(lacking)}.")
    return notes
