"""Regions of one label: what is measured of each, and whether it lies far from others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from submissions.regions.ground import Ground
from submissions.regions.outlines import outlines
from submissions.regions.runs import Ints, Runs

NEAR = 5  # other cells of its label within reach keep one from being isolated


@dataclass(frozen=True, eq=False)
class Measured:
    """Regions as a table: arrays of one length.

    Attributes:
        shapes: multipolygons of shapely in cells, x to the right and y down, object array (num,).
        area_km2: as far as the scene reaches, float64 (num,).
        cells: how many, int64 (num,).
        mean: score of its cells, float64 (num,).
        highest: score of its cells, float64 (num,).
    """

    shapes: NDArray[np.object_]
    area_km2: NDArray[np.float64]
    cells: Ints
    mean: NDArray[np.float64]
    highest: NDArray[np.float64]

    @classmethod
    def joined(cls, parts: Sequence[Measured]) -> Measured:
        """Return tables one below the other; there must be one."""
        columns = ([getattr(part, field.name) for part in parts] for field in fields(cls))
        return cls(*map(np.concatenate, columns))


class Regions:
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
        areas = ground.km2(runs.row, runs.start, runs.end)
        self.area_km2 = np.bincount(region, weights=areas, minlength=count).astype(np.float64)
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

    def ranked(self, kept: NDArray[np.bool_]) -> Ints:
        """Return the numbers of the regions that a bool array marks: the highest, then from above and the left."""
        order = np.lexsort((self.runs.start[self.first], self.runs.row[self.first], -self.mean, -self.highest))
        return order[kept[order]]

    def measured(self, order: Ints) -> Measured:
        """Return what is measured of some regions, in an order of their numbers."""
        rank = np.full(len(self.cells), -1)
        rank[order] = np.arange(len(order))
        of_run = rank[self.region]
        shapes = outlines(self.runs.only(of_run >= 0), of_run[of_run >= 0])
        return Measured(shapes, self.area_km2[order], self.cells[order], self.mean[order], self.highest[order])
