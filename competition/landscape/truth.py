"""The truth of a landscape: each thing as the polygon that it covers, with the label that it shows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from competition.gdal.imports import import_map
from competition.landscape.ground import UNDER_WATER, Land
from competition.landscape.plane import MESH, TILE, Box, box_of
from competition.landscape.rivers import Course
from competition.landscape.sites import Site
from competition.simulator.canvas import Floats

if TYPE_CHECKING:
    from shapely import Geometry

SHEET = 8  # tiles of a side of what is described at once; polygons end at its rims
CELLS = TILE // MESH  # of a tile's side, in which forest and sky are described
COVERED, SCATTERED, VEILED = 0.8, 0.02, 0.35  # share of cloud, of cloud, and of haze from which a label is given
AROUND = 0.15  # chip widths: standard deviation of the surroundings over which the share of cloud is taken
# How far, in chip widths, what lies apart belongs to one thing, such as the houses of a village.
JOINED = {
    "artisinal_mine": 0.05, "habitation": 0.05, "blow_down": 0.03,
}  # fmt: skip
SLIVER = 0.002
STREWN = ("blooming", "selective_logging")  # single trees or tracks, of which the forest between is a part


class Overview:
    """What is seen of a sheet of tiles, cell by cell: how much forest, cloud and haze.

    Args:
        columns: of tiles.
        rows: of tiles.
        scale: pixels that a chip is wide.
    """

    def __init__(self, columns: int, rows: int, scale: float) -> None:
        self._around = AROUND * scale / MESH
        self.seen = np.zeros((3, rows * CELLS, columns * CELLS), np.float32)

    def note(self, column: int, row: int, *seen: Floats) -> None:
        """Keep the means by cell of a tile's forest, cloud and haze, (TILE, TILE) each."""
        part = slice(row * CELLS, (row + 1) * CELLS), slice(column * CELLS, (column + 1) * CELLS)
        for kept, values in zip(self.seen, seen, strict=True):
            kept[part] = values.reshape(CELLS, MESH, CELLS, MESH).mean(axis=(1, 3))

    def labels(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield the labels of forest and sky, and the cells that carry each; of the sky's, each cell has one."""
        forest, cloud, haze = self.seen
        share = gaussian_filter(cloud, self._around, mode="nearest")
        cloudy, partly = share > COVERED, share > SCATTERED
        veiled = haze > VEILED
        yield "primary", forest > 0.5
        yield "cloudy", cloudy
        yield "partly_cloudy", partly & ~cloudy
        yield "haze", veiled & ~partly
        yield "clear", ~veiled & ~partly


def features(land: Land, overview: Overview, left: int, top: int, box: Box) -> Iterator[tuple[str, Geometry]]:
    """Yield the polygons of a sheet, each with its label, in chip widths.

    Args:
        land: the landscape.
        overview: what was seen of the sheet.
        left: pixels of the plane to the left of the sheet.
        top: pixels of the plane above it.
        box: what of the sheet is in the scene.
    """
    shapely = import_map("shapely")
    inside, cell = shapely.box(*box), MESH / land.scale
    for label, shape in _shapes(land, box):
        if not (clipped := shapely.intersection(shape, inside)).is_empty:
            yield from ((label, part) for part in _parts(clipped))
    for label, cells in overview.labels():
        for polygon in outlines(cells):
            moved = shapely.transform(polygon, lambda xy: xy * cell + (left / land.scale, top / land.scale))
            # Steps become slopes; what is left out and what is added are the same.
            smooth = shapely.simplify(moved, 0.8 * cell)
            yield from ((label, part) for part in _parts(shapely.intersection(smooth, inside)))


def _parts(shape: Geometry) -> Iterator[Geometry]:
    """Yield the polygons of a shape, outer rings anticlockwise when y is up, as GeoJSON wants them."""
    shapely = import_map("shapely")
    for part in shapely.get_parts(shape):
        if part.geom_type == "Polygon" and part.area > 1e-5:
            yield part


def _shapes(land: Land, box: Box) -> Iterator[tuple[str, Geometry]]:
    """Yield what was drawn from lines, corners and stamps, whole, and all of a label as one."""
    shapely = import_map("shapely")
    water = shapely.union_all([piece for course in land.rivers.near(box) for piece in _ribbon(course)])
    yield "water", water
    fields = [field for _, found in land.sites.fields(box, land.later) for field in found]
    cleared = [shapely.convex_hull(shapely.multipoints(field.points)) for field in fields]
    # Neighbours that were measured one by one leave slivers between them.
    joined = shapely.buffer(shapely.union_all(shapely.buffer(cleared, SLIVER, join_style="mitre")), -SLIVER)
    yield "agriculture", shapely.difference(joined, water)
    roads = [road for road in land.roads.near(box) if len(road.at(land.later)) > 1]
    lines = [shapely.buffer(shapely.linestrings(road.at(land.later)), road.half) for road in roads]
    yield "road", shapely.union_all(lines)
    found: dict[str, list[Geometry]] = {}
    for site in land.sites.near(box, land.later):
        found.setdefault(site.label, []).append(outline(land, site))
    for label, outlines_of in found.items():
        shape = shapely.union_all(outlines_of)
        yield label, shapely.difference(shape, water) if label in UNDER_WATER else shape


def _ribbon(course: Course) -> Iterator[Geometry]:
    """Yield the pieces of a course, each as wide as it is there."""
    shapely = import_map("shapely")
    for start in range(0, len(course.points) - 1, 5):
        piece = slice(start, start + 6)
        yield shapely.buffer(shapely.linestrings(course.points[piece]), float(course.half[piece].mean()), quad_segs=4)


def outline(land: Land, site: Site) -> Geometry:
    """Return the polygon around what a stamp covers; what lies a little apart is one."""
    shapely = import_map("shapely")
    stamp, reach = land.stamps.of(site), JOINED.get(site.label, 0.015)
    origin, scale = np.array((stamp.left, stamp.top)), land.scale
    steps = [shapely.transform(shape, lambda xy: (xy + origin) / scale) for shape in outlines(stamp.opacity > 0.2)]
    covered = shapely.simplify(shapely.union_all(steps), 1.2 / scale)
    if site.label in STREWN:
        return shapely.concave_hull(covered, ratio=0.5)
    return shapely.buffer(shapely.buffer(covered, reach, quad_segs=2), 0.003 - reach, quad_segs=2)


def outlines(cells: NDArray[np.bool_]) -> list[Geometry]:
    """Return the polygons around connected cells, in cells from the left and the top."""
    shape_of = import_map("shapely.geometry").shape
    found = import_map("rasterio.features").shapes(cells.astype(np.uint8), mask=cells)
    return [shape_of(shape) for shape, _ in found]


def sheets(size: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield the first column and row, and how many of both, of the tiles of each sheet of a scene of `size` pixels."""
    tiles = math.ceil(size / TILE)
    for row in range(0, tiles, SHEET):
        for column in range(0, tiles, SHEET):
            yield column, row, min(SHEET, tiles - column), min(SHEET, tiles - row)


def box_in_scene(column: int, row: int, columns: int, rows: int, size: int, scale: float) -> Box:
    """Return the rims, in chip widths, of a sheet as far as it lies in the scene."""
    left, top = column * TILE, row * TILE
    return box_of(left, top, min(columns * TILE, size - left), min(rows * TILE, size - top), scale)
