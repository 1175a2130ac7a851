"""Regions of cells as runs: the neighbouring cells of one row, from which regions are put together.

A plane of scores is read once, in blocks of rows, and what is kept of it grows with what was decided: 28 bytes a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of decided cells, row by row and from left to right.

    Attributes:
        columns: of cells in a row.
        row: int array (num_runs,).
        start: int array (num_runs,): the first column.
        end: int array (num_runs,): the column after the last.
        total: int64 array (num_runs,): sum of what their cells hold.
        highest: int array (num_runs,): the highest of it.
    """

    columns: int
    row: NDArray[np.int32]
    start: NDArray[np.int32]
    end: NDArray[np.int32]
    total: Ints
    highest: NDArray[np.int32]

    @classmethod
    def of(cls, decided: NDArray[np.bool_], values: NDArray[Any], first: int = 0) -> Runs:
        """Return the runs of some rows.

        Args:
            decided: which cells are, bool array (num_rows, columns).
            values: whole numbers that cells hold, (num_rows, columns).
            first: number of the first row.
        """
        columns = decided.shape[1]
        edges = np.diff(np.pad(decided, ((0, 0), (1, 1))).view(np.int8), axis=1)
        row, start = np.nonzero(edges > 0)
        _, end = np.nonzero(edges < 0)
        total, highest = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int32)
        if len(row):
            held = np.pad(values, ((0, 0), (0, 1))).ravel()  # so that a run may end with its row
            ends = (np.stack([start, end], axis=1) + (row * (columns + 1))[:, None]).ravel()
            total = np.add.reduceat(held, ends, dtype=np.int64)[::2]
            highest = np.maximum.reduceat(held, ends)[::2].astype(np.int32)
        return cls(
            columns, (row + first).astype(np.int32), start.astype(np.int32), end.astype(np.int32), total, highest
        )

    @classmethod
    def joined(cls, parts: Sequence[Runs]) -> Runs:
        """Return the runs of rows that follow each other, from those of some rows each; there must be one part."""
        arrays = ((part.row, part.start, part.end, part.total, part.highest) for part in parts)
        return cls(parts[0].columns, *map(np.concatenate, zip(*arrays, strict=True)))

    def __len__(self) -> int:
        return len(self.row)

    @cached_property
    def cells(self) -> Ints:
        """Cells of each run, int64 array (num_runs,)."""
        return (self.end - self.start).astype(np.int64)

    def only(self, kept: NDArray[np.bool_]) -> Runs:
        """Return those runs that a bool array (num_runs,) marks."""
        row, start, end = self.row[kept], self.start[kept], self.end[kept]
        return Runs(self.columns, row, start, end, self.total[kept], self.highest[kept])

    def places(self) -> tuple[Ints, Ints]:
        """Return row and column of each cell, int64 arrays (num_cells,)."""
        row, column = np.repeat(self.row, self.cells), np.repeat(self.start, self.cells)
        return row.astype(np.int64), column + counting(self.cells)

    def plane(self, first: int, stop: int) -> NDArray[np.bool_]:
        """Return which cells of some rows they hold: bool array (stop - first, columns)."""
        within = slice(*np.searchsorted(self.row, (first, stop)))
        steps = np.zeros((stop - first, self.columns + 1), dtype=np.int8)
        steps[self.row[within] - first, self.start[within]] = 1  # where one ends no other begins
        steps[self.row[within] - first, self.end[within]] = -1
        return steps.cumsum(axis=1, dtype=np.int8)[:, :-1].astype(bool)

    def regions(self, neighbours: int) -> Ints:
        """Return the region of each run: numbers from 0, in the order of the regions' first runs.

        Args:
            neighbours: 4, of cells that share a side; or 8, also of those that share a corner.

        Returns:
            Int64 array (num_runs,).
        """
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        one, other = self._touching(neighbours)
        graph = csr_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(len(self), len(self)))
        _, region = connected_components(graph, directed=False)
        _, first, number = np.unique(region, return_index=True, return_inverse=True)
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[number]

    def covering(self, other: Runs) -> Ints:
        """Return which of these runs holds the first cell of each run of another set; each must lie in one."""
        key = self.row.astype(np.int64) * self._stride + self.start
        return np.searchsorted(key, other.row.astype(np.int64) * self._stride + other.start, side="right") - 1

    @property
    def _stride(self) -> int:
        return self.columns + 2

    def _touching(self, neighbours: int) -> tuple[Ints, Ints]:
        """Return the pairs of runs of a row and the next one that touch."""
        row, corner = self.row.astype(np.int64) * self._stride, neighbours == 8
        below = row + self._stride
        low = np.searchsorted(row + self.end, below + self.start, side="left" if corner else "right")
        high = np.searchsorted(row + self.start, below + self.end, side="right" if corner else "left")
        many = np.maximum(high - low, 0)
        one = np.repeat(np.arange(len(self)), many)
        return one, low[one] + counting(many)


def counting(many: Ints) -> Ints:
    """Return 0, 1, ... up to each number, one after another.

    Example:
        >>> counting(np.array([2, 0, 3]))
        array([0, 1, 0, 1, 2])
    """
    return np.arange(many.sum()) - np.repeat(np.cumsum(many) - many, many)
