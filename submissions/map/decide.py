"""From a score raster to detections.

The raster is read once, in blocks of rows, and of a block no more is held than one label's scores (of all labels, where
cuts do not decide). What is kept grows with what is decided: its runs of cells, then its outlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import unknown_name
from competition.common.interrupts import check
from competition.common.progress import reporter
from competition.common.text import counted
from competition.scenes.score_raster import BLOCK, ScoreRaster
from submissions.map.detections import Detections
from submissions.map.ground import Ground
from submissions.map.outlines import outlines
from submissions.map.rules import MapRule
from submissions.map.runs import Ints, Runs

NEAR = 5  # other cells of its label within reach keep one from being isolated
HECTARES = 100  # in a square kilometre


@dataclass(frozen=True)
class Isolation:
    """When a region is isolated, and what score it then needs.

    Source: Amazon Mining Watch, which takes 3 km to the fifth neighbour, and .75 in place of .43.

    Attributes:
        km: within which it lacks `NEAR` other cells of its label.
        cut: that the highest score of an isolated region must reach; 0: any will do.
    """

    km: float
    cut: float = 0.0


def decide(
    raster: ScoreRaster,
    rule: MapRule,
    *,
    labels: Sequence[str] | None = None,
    neighbours: int = 8,
    smallest_ha: float = 0.0,
    isolation: Isolation | None = None,
) -> Detections:
    """Return the connected regions of cells that a rule decides.

    Args:
        raster: of the scores.
        rule: that decides.
        labels: that are wanted; None: all.
        neighbours: 8, so that cells are connected that share a corner, or 4: a side.
        smallest_ha: least area of a region in hectares.
        isolation: when regions need a higher score.

    Raises:
        UserError: if the raster lacks a label, or is damaged.
    """
    asked = chosen(raster, labels)
    ground, every, notes = Ground(raster), [], []
    for label, runs in runs_of(raster, rule, asked).items():
        regions = _Regions(runs, runs.regions(neighbours), ground, raster.scored.unknown - 1)
        kept = regions.area * HECTARES >= smallest_ha
        if small := int((~kept).sum()):
            notes.append(f"{label}: {counted(small, 'region')} of less than {smallest_ha:g} ha left out.")
        isolated = np.zeros(len(kept), dtype=bool)
        if isolation is not None:
            isolated = regions.isolated(isolation.km)
            weak = kept & isolated & (regions.highest < isolation.cut)
            kept &= ~weak
            if weak.any():
                left = counted(int(weak.sum()), "isolated region")
                notes.append(f"{label}: {left} with a score below {isolation.cut:g} left out.")
        every.append(regions.detections(np.flatnonzero(kept), isolated, raster.labels.index(label)))
    label, *columns = (np.concatenate(parts) for parts in zip(*every, strict=True))
    return Detections(raster, rule, asked, label, *columns, left_out=tuple(notes))


def chosen(raster: ScoreRaster, labels: Sequence[str] | None) -> tuple[str, ...]:
    """Return the labels that are wanted, in the raster's order.

    Raises:
        UserError: if the raster lacks one.
    """
    for label in labels or ():
        if label not in raster.labels:
            raise unknown_name("label", label, list(raster.labels))
    return tuple(label for label in raster.labels if labels is None or label in labels)


def runs_of(raster: ScoreRaster, rule: MapRule, labels: tuple[str, ...]) -> dict[str, Runs]:
    """Return the runs of decided cells by label.

    Raises:
        UserError: if the raster is damaged.
    """
    none = np.zeros((0, raster.columns), dtype=np.uint8)
    parts = {label: [Runs.of(none.view(bool), none)] for label in labels}
    with reporter.bar(-(-raster.rows // BLOCK) * len(labels), "deciding", "block") as bar:
        for first, label, decided, codes in rule.planes(raster, labels):
            check()
            parts[label].append(Runs.of(decided, codes, first))
            bar.update()
    return {label: Runs.joined(found) for label, found in parts.items()}


class _Regions:
    """Regions of one label, with what is measured of each: arrays (num_regions,).

    Args:
        runs: of its cells.
        region: of each run, int array (num_runs,).
        ground: under the cells.
        most: the number on disk of the score 1.
    """

    def __init__(self, runs: Runs, region: Ints, ground: Ground, most: int) -> None:
        self.runs, self.region, self.ground = runs, region, ground
        count = region.max() + 1 if len(region) else 0
        self.cells = np.bincount(region, weights=runs.cells, minlength=count).astype(np.int64)
        self.mean = np.bincount(region, weights=runs.total, minlength=count) / np.maximum(self.cells, 1) / most
        self.area = np.bincount(region, weights=ground.km2(runs.row, runs.start, runs.end), minlength=count)
        highest = np.zeros(count, dtype=np.int64)
        np.maximum.at(highest, region, runs.highest)
        self.highest = highest / most
        self.first = np.unique(region, return_index=True)[1]

    def isolated(self, km: float) -> NDArray[np.bool_]:
        """Return whether none of a region's cells has `NEAR` others of the label within some kilometres."""
        from scipy.spatial import KDTree

        if not len(self.runs):
            return np.zeros(0, dtype=bool)
        places = self.ground.places(*self.runs.places())
        apart = KDTree(places).query(places, k=[NEAR + 1], distance_upper_bound=np.nextafter(km, np.inf))[0][:, 0]
        crowded = np.isfinite(apart)  # a cell is its own nearest
        region = np.repeat(self.region, self.runs.cells)
        return np.bincount(region, weights=crowded, minlength=len(self.cells)) == 0

    def detections(self, kept: Ints, isolated: NDArray[np.bool_], label: int) -> tuple[NDArray[np.generic], ...]:
        """Return label, shape, area, cells, mean, highest score and isolation of some regions, the highest first."""
        first = self.first[kept]
        order = kept[np.lexsort((self.runs.start[first], self.runs.row[first], -self.mean[kept], -self.highest[kept]))]
        rank = np.full(len(self.cells), -1)
        rank[order] = np.arange(len(order))
        of_run = rank[self.region]
        shapes = outlines(self.runs.only(of_run >= 0), of_run[of_run >= 0])
        measured = (self.area, self.cells, self.mean, self.highest, isolated)
        return np.full(len(order), label), shapes, *(each[order] for each in measured)
