"""Two score rasters of one place, cell by cell: the rows and columns that both have."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.interrupts import check
from competition.gdal.imports import import_map
from competition.scenes.score_raster import BLOCK, ScoreRaster

EQUAL = 1e-6  # of a cell: by how much the cells' sides may differ
EXACT = 0.01  # of a cell: an offset that nobody needs to know of


@dataclass(frozen=True)
class Aligned:
    """Two score rasters on the cells that both have.

    Attributes:
        before: the raster in whose cells everything is.
        after: the other one.
        rows: first row of `before` that both have, and the row after the last.
        columns: likewise.
        offset: rows and columns by which `after` begins later; whole ones.
        rest: what was rounded off the offset, in cells: the larger of both axes.
    """

    before: ScoreRaster
    after: ScoreRaster
    rows: tuple[int, int]
    columns: tuple[int, int]
    offset: tuple[int, int]
    rest: float

    @classmethod
    def of(cls, before: ScoreRaster, after: ScoreRaster) -> Aligned:
        """Return two rasters on the cells that both have; an offset is rounded to whole cells.

        Raises:
            UserError: if their coordinate systems or cells differ, or they share no cell.
        """
        if not _same_system(before.wkt, after.wkt):
            raise UserError(_differ(before, after, "lie in other coordinate systems"))
        one, other = np.array(before.transform).reshape(2, 3), np.array(after.transform).reshape(2, 3)
        if np.abs(one[:, :2] - other[:, :2]).max() > EQUAL * np.abs(one[:, :2]).max():
            sizes = " and ".join(f"{each.cell_km2 * 1e6:,.0f} m2" for each in (before, after))
            raise UserError(_differ(before, after, f"have other cells ({sizes})"))
        column, row = np.linalg.solve(one[:, :2], other[:, 2] - one[:, 2])
        offset = round(float(row)), round(float(column))
        rows = max(0, offset[0]), min(before.rows, offset[0] + after.rows)
        columns = max(0, offset[1]), min(before.columns, offset[1] + after.columns)
        if rows[0] >= rows[1] or columns[0] >= columns[1]:
            raise UserError(f"{before.path} and {after.path} share no cell: they are of different places.")
        rest = max(abs(float(row) - offset[0]), abs(float(column) - offset[1]))
        return cls(before, after, rows, columns, offset, rest)

    @property
    def cells(self) -> int:
        """How many cells both have."""
        return (self.rows[1] - self.rows[0]) * (self.columns[1] - self.columns[0])

    @property
    def note(self) -> str:
        """The line that says how they were laid upon each other; "" where nothing was to be done."""
        if (self.offset, self.rest <= EXACT, self.cells) == ((0, 0), True, self.before.rows * self.before.columns):
            return ""
        moved = f"; cells of the later one were moved by up to {self.rest:.2f} of a cell" if self.rest > EXACT else ""
        return f"Compared are the {self.cells:,} cells that both have{moved}."

    def blocks(self, label: str) -> Iterator[tuple[int, NDArray[Any], NDArray[Any]]]:
        """Yield both dates' scores of a label on the shared cells, of some rows after another.

        Yields:
            Number of the first row in `before`, and the scores as they lie on disk of each, (num_rows, columns).
        """
        down, right = self.offset
        left, end = self.columns
        for first in range(*self.rows, BLOCK):
            check()
            last = min(first + BLOCK, self.rows[1])
            one = self.before.codes(label, first, last)[:, left:end]
            other = self.after.codes(label, first - down, last - down)[:, left - right : end - right]
            yield first, one, other


def _same_system(one: str, other: str) -> bool:
    if one == other or not (one and other):
        return one == other
    crs = import_map("pyproj").CRS
    return bool(crs.from_wkt(one) == crs.from_wkt(other))


def _differ(before: ScoreRaster, after: ScoreRaster, how: str) -> str:
    return (
        f"{before.path} and {after.path} {how}. Bring the later scene to the first one's pixels (gdalwarp -t_srs -te "
        "-tr), and score both with the same --chip-metres and steps."
    )
