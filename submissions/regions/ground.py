"""Cells on the ground: how large they are, and where.

Both change slowly from cell to cell, so they are measured at a few cells and interpolated between: of a Sentinel-2 tile
in UTM areas agree with those of every cell's own outline to a millionth.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.common.errors import UserError
from competition.gdal.imports import import_map
from competition.scenes.ground import on_ground
from competition.scenes.score_raster import ScoreRaster

SPANS = 32  # along each axis, between the cells that are measured
EARTH = 6371.0088  # km: its mean radius


class Ground:
    """The ground under the cells of a score raster.

    Args:
        raster: of the cells.

    Raises:
        UserError: if its coordinate system is not understood, or reaches beyond the Earth.
    """

    def __init__(self, raster: ScoreRaster) -> None:
        self.raster = raster
        grid = raster.scored.grid
        self.width, self.height = grid.width / grid.stride[0], grid.height / grid.stride[1]  # of the scene, in cells

    def km2(self, row: ArrayLike, start: ArrayLike, end: ArrayLike) -> NDArray[np.float64]:
        """Return the areas of runs of cells in square kilometres, as far as the scene reaches."""
        row, start, end = (np.asarray(each, dtype=np.float64) for each in (row, start, end))
        right, below = np.minimum(end, self.width), np.minimum(row + 1, self.height)
        return self._at((row + below) / 2, (start + right) / 2)[:, 0] * (right - start) * (below - row)

    def places(self, row: ArrayLike, column: ArrayLike) -> NDArray[np.float64]:
        """Return where the middles of cells are, in kilometres from the middle of the Earth: float64 (num_cells, 3)."""
        row, column = (np.asarray(each, dtype=np.float64) + 0.5 for each in (row, column))
        return self._at(row, column)[:, 1:]

    def coordinates(self, cells: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return places in cells (num_places, 2), of column and row lines, in the raster's coordinate system.

        The last row and column end where the scene does.
        """
        x, y = np.minimum(cells, (self.width, self.height)).T
        a, b, c, d, e, f = self.raster.transform
        return np.stack([a * x + b * y + c, d * x + e * y + f], axis=1)

    def _at(self, row: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.float64]:
        from scipy.interpolate import interpn

        rows, columns, values = self._measured
        return interpn((rows, columns), values, np.stack([row, column], axis=1))

    @cached_property
    def _measured(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return rows and columns, in cells, and at these a cell's area and place: (num_rows, num_columns, 4)."""
        rows, columns = (np.linspace(0, side, min(side, SPANS) + 1) for side in (self.raster.rows, self.raster.columns))
        row, column = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
        values = self._on_earth(row, column) if self.raster.wkt else self._on_plane(row, column)
        if not np.isfinite(values).all():
            raise UserError(f"{self.raster.path} reaches beyond where its coordinate system does.")
        return rows, columns, values.reshape(len(rows), len(columns), 4)

    def _on_plane(self, row: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.float64]:
        scored = self.raster.scored
        width, height = (m * step / 1000 for m, step in zip(scored.metres, scored.grid.stride, strict=True))
        return np.stack([np.full(len(row), width * height), column * width, row * height, 0 * row], axis=1)

    def _on_earth(self, row: NDArray[np.float64], column: NDArray[np.float64]) -> NDArray[np.float64]:
        a, b, c, d, e, f = self.raster.transform
        around = np.array([(0.0, 0.0), (-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
        x, y = column[:, None] + around[:, 0], row[:, None] + around[:, 1]
        places = np.stack([a * x + b * y + c, d * x + e * y + f], axis=-1).reshape(-1, 2)
        degrees = np.array(on_ground(self.raster.wkt, [(x, y) for x, y in places.tolist()]))
        if not np.isfinite(degrees).all():
            return np.full((len(row), 4), math.nan)
        degrees = degrees.reshape(-1, len(around), 2)
        ellipsoid = import_map("pyproj").CRS.from_wkt(self.raster.wkt).get_geod()
        areas = [abs(ellipsoid.polygon_area_perimeter(*ring.T)[0]) / 1e6 for ring in degrees[:, 1:]]
        longitude, latitude = np.radians(degrees[:, 0]).T
        across = EARTH * np.cos(latitude)
        return np.stack(
            [areas, across * np.cos(longitude), across * np.sin(longitude), EARTH * np.sin(latitude)], axis=1
        )
