"""Which windows of a scene are scored together.

A tile is one batch of the network. It has windows of several rows, as their neighbours above and below share half of
their pixels or more: scored row by row, each block of the file would be decoded again for every row that it touches.
Tiles belong to groups of rows, which are the same whatever was scored before: so a group that was interrupted is scored
again among the same windows, and its scores have the same bytes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from math import isqrt

from competition.scenes.grid import Grid, Window

ROWS = 8  # of a group, at most
STRIP = 1 << 24  # bytes of pixels that a thread reads at once; of fewer than 4 bytes, a pixel counts as such


@dataclass(frozen=True)
class Tile:
    """Some windows of a few rows.

    Attributes:
        rows: their numbers.
        columns: numbers of the windows in each of these.
    """

    rows: range
    columns: range

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns."""
        return len(self.rows), len(self.columns)

    def windows(self, grid: Grid) -> list[Window]:
        """Return its windows, row by row."""
        return [window for row in self.rows for window in grid.row_of_windows(row, self.columns)]


@dataclass(frozen=True)
class Tiling:
    """How the windows of a scene are dealt into groups of rows, these into tiles, and tiles into what a thread reads.

    Attributes:
        grid: of the scene.
        rows: of a group.
        columns: of a tile.
        strip: columns that a thread reads at once.
    """

    grid: Grid
    rows: int
    columns: int
    strip: int

    @classmethod
    def of(cls, grid: Grid, at_once: int, pixel_bytes: int) -> Tiling:
        """Return the tiling of a scene.

        Args:
            grid: of the scene.
            at_once: windows that the network takes at a time.
            pixel_bytes: of a pixel of the scene, all bands.
        """
        (width, height), (across, down), pixel_bytes = grid.window, grid.stride, max(4, pixel_bytes)
        fits = (STRIP // (width * pixel_bytes) - height) // down + 1
        rows = max(1, min(ROWS, grid.window_rows, isqrt(at_once) // 2, fits))
        columns = min(grid.window_columns, max(1, at_once // rows))
        fits = (STRIP // (((rows - 1) * down + height) * pixel_bytes) - width) // across + 1
        return cls(grid, rows, columns, max(1, min(columns, fits)))

    def groups(self, left: Collection[int]) -> list[range]:
        """Return the groups of which a row is left to score, in order."""
        firsts = sorted({row // self.rows * self.rows for row in left})
        return [range(first, min(first + self.rows, self.grid.window_rows)) for first in firsts]

    def tiles(self, group: range) -> list[Tile]:
        """Return the tiles of a group, from left to right."""
        return [Tile(group, columns) for columns in _parts(range(self.grid.window_columns), self.columns)]

    def strips(self, tile: Tile) -> list[Tile]:
        """Return a tile in parts that a thread reads at once, from left to right."""
        return [Tile(tile.rows, columns) for columns in _parts(tile.columns, self.strip)]


def _parts(numbers: range, size: int) -> list[range]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]
