"""How much of each cell of a score raster features cover.

Exactly, and not by points in a cell: a road of 10 m covers a fortieth of a cell of 384 m, and lies beside most points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from competition.gdal.imports import import_map
from competition.scene_chips.rules import HIDDEN
from competition.scenes.score_raster import ScoreRaster

GRID = 1e-9  # of a cell, to which corners are moved: overlays of corners that are closer still may fail
FULL = 1 - 1e-6  # of a square, which is covered as a whole: what is lacking was lost in rounding


class Shares:
    """Which share of each cell labels cover, as far as the rules allow that chips are labelled by.

    Of labels that exclude each other a cell carries what covers most of it; what stands alone, as clouds do, it carries
    where they hide the ground.

    Args:
        shapes: polygons and points of shapely, in cells.
        named: the label of each, object array (num_shapes,).
        raster: of the cells, whose scores know the rules.
    """

    def __init__(self, shapes: NDArray[np.object_], named: NDArray[np.object_], raster: ScoreRaster) -> None:
        self._shapes, self._named, self._raster = shapes, named, raster
        self._kept: dict[str, NDArray[np.float32]] = {}

    def of(self, label: str) -> NDArray[np.float32]:
        """Return that of a label, float32 (rows, columns); 0 where another one excludes it."""
        scored = self._raster.scored
        share = self._plain(label)
        if label in scored.alone:
            return np.where(share >= HIDDEN, share, np.float32(0))
        for group in scored.exclusive:
            for rival in {*group} - {label, *scored.alone} if label in group else ():
                share = np.where(self._plain(rival) > share, np.float32(0), share)
        return share

    def _plain(self, label: str) -> NDArray[np.float32]:
        if label in self._kept:
            return self._kept[label]
        share = cover(self._shapes[self._named == label], self._raster)
        if any(label in group for group in self._raster.scored.exclusive):
            self._kept[label] = share  # the others of its group ask for it
        return share


def in_cells(shapes: NDArray[np.object_], raster: ScoreRaster) -> NDArray[np.object_]:
    """Return shapes of a raster's coordinate system with x as a column line and y as a row line."""
    a, b, c, d, e, f = raster.transform
    inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
    moved: NDArray[np.object_] = import_map("shapely").transform(shapes, lambda xy: (xy - (c, f)) @ inverse.T)
    return moved


def widened(
    shapes: NDArray[np.object_], named: NDArray[np.object_], raster: ScoreRaster, metres: float
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Return lines as the ground within some metres of them, and points with that ground besides; polygons as they are.

    Args:
        shapes: of shapely, in cells.
        named: the label of each, object array (num_shapes,).
        raster: of the cells.
        metres: to every side, on the ground at the scene's middle.

    Returns:
        Shapes in cells, and the label of each.
    """
    shapely, scored = import_map("shapely"), raster.scored
    cell = np.array(scored.metres) * scored.grid.stride
    thin = shapely.get_dimensions(shapes) < 2
    on_ground = shapely.transform(shapes[thin], lambda xy: xy * cell)
    wide = shapely.transform(shapely.buffer(on_ground, metres), lambda xy: xy / cell)
    kept = shapely.get_dimensions(shapes) != 1
    return np.concatenate([shapes[kept], wide]), np.concatenate([named[kept], named[thin]])


def cover(shapes: NDArray[np.object_], raster: ScoreRaster) -> NDArray[np.float32]:
    """Return which share of each cell, as far as the scene reaches, some shapes cover; a point covers its whole cell.

    Args:
        shapes: polygons and points of shapely, in cells.
        raster: of the cells.

    Returns:
        Float32 array (rows, columns) in [0, 1].
    """
    shapely = import_map("shapely")
    grid = raster.scored.grid
    width, height = grid.width / grid.stride[0], grid.height / grid.stride[1]
    across = np.minimum(1, width - np.arange(raster.columns))
    down = np.minimum(1, height - np.arange(raster.rows))
    is_point = np.isin(shapely.get_dimensions(shapes), (0,))
    whole = shapely.intersection(shapely.union_all(shapes[~is_point], grid_size=GRID), shapely.box(0, 0, width, height))
    share = _areas(whole, raster.rows, raster.columns) / (down[:, None] * across)
    x, y = shapely.get_coordinates(shapes[is_point]).T
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    share[y[inside].astype(int), x[inside].astype(int)] = 1
    return share.clip(0, 1).astype(np.float32)


def _areas(shape: object, rows: int, columns: int) -> NDArray[np.float64]:
    """Return the area of a polygon within each square of side 1, float64 (rows, columns).

    Squares are halved again and again where the polygon covers a part of them, so that each of its corners is looked at
    a few times, however many squares it covers.
    """
    shapely = import_map("shapely")
    pieces = shapely.get_parts(shape)
    side = 1 << (max(rows, columns) - 1).bit_length()
    corners = np.zeros((len(pieces), 2), dtype=np.int64)
    areas, steps = np.zeros((rows + 1, columns + 1)), np.zeros((rows + 1, columns + 1))
    while True:
        x, y = corners.T
        pieces = shapely.intersection(pieces, shapely.box(x, y, x + side, y + side))
        covered = shapely.area(pieces)
        if side == 1:
            np.add.at(areas, (y, x), covered)
            break
        full = covered >= FULL * side * side
        for down, right, sign in ((0, 0, 1), (0, side, -1), (side, 0, -1), (side, side, 1)):
            place = np.minimum(y[full] + down, rows), np.minimum(x[full] + right, columns)
            np.add.at(steps, place, sign)
        left = ~full & (covered > 0)
        side //= 2
        quarters = np.array([(0, 0), (0, side), (side, 0), (side, side)])
        pieces, corners = np.repeat(pieces[left], 4), (corners[left][:, None] + quarters).reshape(-1, 2)
    return (areas + steps.cumsum(axis=0).cumsum(axis=1))[:-1, :-1]
