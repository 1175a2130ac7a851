"""Regions of one label: what is measured of each, and whether it lies far from others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from submissions.regions.ground import Ground
from submissions.regions.outlines import outlines
from submissions.regions.runs import Ints, Runs

AT_ONCE = 20_000  # outlines
NEAR = 5  # other cells of its label within reach keep one from being isolated


@dataclass(frozen=True, eq=False)
class Measured:
    """Regions as a table: arrays of one length.

    Attributes:
        parts: runs of cells, and of each run its region, counted from the first of the part, int array (num_runs,).
        area_km2: as far as the scene reaches, float64 (num,).
        cells: how many, int64 (num,).
        mean: score of its cells, float64 (num,).
        highest: score of its cells, float64 (num,).
    """

    parts: tuple[tuple[Runs, Ints], ...]
    area_km2: NDArray[np.float64]
    cells: Ints
    mean: NDArray[np.float64]
    highest: NDArray[np.float64]

    @classmethod
    def joined(cls, tables: Sequence[Measured]) -> Measured:
        """Return tables one below the other; there must be one."""
        names = ("area_km2", "cells", "mean", "highest")
        columns = (np.concatenate([getattr(table, name) for table in tables]) for name in names)
        return cls(tuple(part for table in tables for part in table.parts), *columns)

    def __len__(self) -> int:
        return len(self.cells)

    @cached_property
    def shapes(self) -> NDArray[np.object_]:
        """Multipolygons of shapely in cells, x to the right and y down, object array (num,)."""
        return np.concatenate([np.zeros(0, dtype=object), *self.pieces()])

    def pieces(self, at_once: int = AT_ONCE) -> Iterator[NDArray[np.object_]]:
        """Yield `shapes`, so many at once, as each takes far more memory than its runs."""
        for runs, region in self.parts:
            for first in range(0, int(region.max(initial=-1)) + 1, at_once):
                of_it = (region >= first) & (region < first + at_once)
                yield outlines(runs.only(of_it), region[of_it] - first)


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
        part = self.runs.only(of_run >= 0), of_run[of_run >= 0]
        return Measured((part,), self.area_km2[order], self.cells[order], self.mean[order], self.highest[order])
