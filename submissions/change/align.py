"""Two score rasters of one place: the scores of the one at the middles of the other's cells.

The nearest cell is taken, and not a mean of neighbours, which would lower the scores of whatever is small on one date
and not on the other.
"""

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
from submissions.regions.runs import Ints

SPANS = 32  # along each axis, between the places that are brought into the other's cells; others lie between them
LARGEST = 4.0  # times the area of a cell that the other's may have
CLOSE = 1e-6  # of a cell: a middle that lies so close to an edge lies on it, whatever digits were lost
EXACT = 0.01  # of a cell: a distance that nobody needs to know of

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Aligned:
    """Two score rasters, the later one on the cells of the earlier one.

    Attributes:
        before: the raster in whose cells everything is.
        after: the other one.
        rows: of `before`, between which places are known, float64 (num_rows,).
        columns: likewise.
        down: where these lie, in rows of `after`, float64 (num_rows, num_columns).
        right: likewise, in columns.
    """

    before: ScoreRaster
    after: ScoreRaster
    rows: Floats
    columns: Floats
    down: Floats
    right: Floats

    @classmethod
    def of(cls, before: ScoreRaster, after: ScoreRaster) -> Aligned:
        """Lay a raster on the cells of another.

        Raises:
            UserError: if only one of them has a coordinate system, or none leads from one to the other; or if their
                cells are not nearly as large.
        """
        one, other = before.cell_km2, after.cell_km2
        if not 1 / LARGEST <= other / one <= LARGEST:
            raise UserError(
                f"The cells of {before.path} and {after.path} are not of a size: {one * 1e6:,.0f} and "
                f"{other * 1e6:,.0f} m2. Score both with the same --chip-metres and --overlap."
            )
        rows, columns = (np.linspace(0, side, min(side, SPANS) + 1) for side in (before.rows, before.columns))
        row, column = np.meshgrid(rows, columns, indexing="ij")
        x, y = _moved(before, after, *_linear(before.transform, column, row))
        a, b, c, d, e, f = after.transform
        right, down = np.linalg.solve([[a, b], [d, e]], np.stack([x.ravel() - c, y.ravel() - f]))
        return cls(before, after, rows, columns, down.reshape(row.shape), right.reshape(row.shape))

    @property
    def apart(self) -> float:
        """How far a middle of a cell lies from that of the cell it is compared with, at most, in cells of `after`."""
        sides = self.before.rows, self.before.columns
        row, column = (np.linspace(0, side - 1, min(side, SPANS), dtype=np.int64) for side in sides)
        places = np.stack(self._places(row, column))
        return float(np.abs(places - np.floor(places + CLOSE) - 0.5).max())

    def blocks(self, label: str) -> Iterator[tuple[int, NDArray[Any], NDArray[Any]]]:
        """Yield a label's scores on both dates, of some rows of cells after another.

        Yields:
            Number of the first row, and what lies on disk of each date, (num_rows, columns): uint8 or uint16, each as
            its own raster has it; unknown on the later one where that does not reach.

        Raises:
            UserError: if a raster lacks the label, or is damaged.
        """
        for first in range(0, self.before.rows, BLOCK):
            check()
            last = min(first + BLOCK, self.before.rows)
            yield first, self.before.codes(label, first, last), self._after(label, first, last)

    def _after(self, label: str, first: int, last: int) -> NDArray[Any]:
        places = self._places(np.arange(first, last), np.arange(self.before.columns))
        row, column = (np.floor(each + CLOSE).astype(np.int64) for each in places)
        inside = (row >= 0) & (row < self.after.rows) & (column >= 0) & (column < self.after.columns)
        codes = np.full(inside.shape, self.after.scored.unknown, dtype=f"uint{self.after.scored.bits}")
        if inside.any():
            row, column = row[inside], column[inside]
            top = int(row.min())
            codes[inside] = self.after.codes(label, top, int(row.max()) + 1)[row - top, column]
        return codes

    def _places(self, row: Ints, column: Ints) -> tuple[Floats, Floats]:
        """Return where the middles of cells lie in `after`: rows and columns, float64 (num_rows, num_columns)."""
        across, along = _between(row, self.rows), _between(column, self.columns).T
        return across @ self.down @ along, across @ self.right @ along


def _between(cells: Ints, known: Floats) -> Floats:
    """Return by which weights cells' middles are means of places that are known: float64 (num_cells, num_known)."""
    return np.stack([np.interp(cells + 0.5, known, each) for each in np.eye(len(known))], axis=1)


def _linear(transform: tuple[float, ...], x: Floats, y: Floats) -> tuple[Floats, Floats]:
    a, b, c, d, e, f = transform
    return a * x + b * y + c, d * x + e * y + f


def _moved(before: ScoreRaster, after: ScoreRaster, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return places of one raster's coordinate system in the other's."""
    if before.wkt == after.wkt:
        return x, y
    if not (before.wkt and after.wkt):
        without, with_one = (before, after) if after.wkt else (after, before)
        raise UserError(
            f"{without.path} has no coordinate system, and {with_one.path} has one: nobody knows how they lie to each "
            "other. Give its scene one (gdal_edit -a_srs), and score it again."
        )
    pyproj = import_map("pyproj")
    try:
        systems = (pyproj.CRS.from_wkt(raster.wkt) for raster in (before, after))
        moved = pyproj.Transformer.from_crs(*systems, always_xy=True).transform(x, y)
    except pyproj.exceptions.ProjError as error:
        raise UserError(f"Nothing leads from {before.path}'s coordinate system to {after.path}'s: {error}.") from error
    if not np.isfinite(moved).all():
        raise UserError(f"{before.path} reaches beyond where the coordinate system of {after.path} does.")
    return moved[0], moved[1]
