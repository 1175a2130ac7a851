"""How large a scene's pixels and a competition's chips are on the ground."""

from __future__ import annotations

import math

from competition.common.errors import UserError
from competition.gdal.imports import import_map
from competition.spec.images import ImageSet, image_key

SPAN = 50.0  # pixels to either side of the centre over which a pixel's size is measured

OTHERWISE = "give `scene predict` --metres-per-pixel"  # where a scene does not say where it lies

Affine = tuple[float, float, float, float, float, float]  # x = a column + b row + c, y = d column + e row + f


def metres_of_pixels(wkt: str, transform: Affine, width: int, height: int) -> tuple[float, float]:
    """Return how many metres of ground a pixel at the centre of a scene is wide and high.

    Measured on the ellipsoid, so that degrees are right, and so are projections that stretch, such as Web Mercator.

    Args:
        wkt: the coordinate system.
        transform: from (column, row) to its coordinates.
        width: of the scene in pixels.
        height: of the scene in pixels.

    Raises:
        UserError: if the coordinate system is not understood, or the scene lies nowhere on Earth.
    """
    column, row = width / 2, height / 2
    along, down = min(SPAN, column), min(SPAN, row)
    ends = [(column - along, row), (column + along, row), (column, row - down), (column, row + down)]
    west, east, north, south = on_ground(wkt, [_apply(transform, *end) for end in ends])
    metres = _distance(wkt, west, east) / (2 * along), _distance(wkt, north, south) / (2 * down)
    if not all(math.isfinite(each) and each > 0 for each in metres):
        raise UserError(
            "The scene's coordinates lie nowhere on Earth: its coordinate system is not the right one. "
            f"Set it (gdal_edit -a_srs), or {OTHERWISE}."
        )
    return metres


def on_ground(wkt: str, points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return points of a coordinate system as longitude and latitude in degrees.

    Raises:
        UserError: if the coordinate system is not understood, or is not one of the Earth.
    """
    pyproj = import_map("pyproj")
    try:
        crs = pyproj.CRS.from_wkt(wkt)
        if crs.geodetic_crs is None:
            raise UserError("The scene's coordinate system is a local one, and not tied to the Earth.")
        to_degrees = pyproj.Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True)
        return [to_degrees.transform(*point) for point in points]
    except (pyproj.exceptions.ProjError, UserError) as error:
        said = error.text if isinstance(error, UserError) else "The scene's coordinate system is not understood."
        raise UserError(f"{said} Set another (gdal_edit -a_srs), or {OTHERWISE}.") from error


def chip_metres(images: ImageSet, name: str, pixels: int | None, given: float | None = None) -> float:
    """Return how many metres of ground a chip's side is.

    Args:
        images: the rendering of the chips.
        name: of the rendering.
        pixels: along a chip's side, of its file; None where nobody knows.
        given: what the user says; overrules all else.

    Raises:
        UserError: if neither the user nor the competition's file says it.
    """
    if given is not None:
        return given
    if images.metres_per_pixel is None:
        raise UserError(
            f"Nothing says how much ground a chip shows: give --chip-metres, or write metres_per_pixel = ... under "
            f"[{image_key(name)}] in the competition file."
        )
    if pixels is None:
        raise UserError("Nothing says how many pixels a chip's file has: give --chip-metres, its side on the ground.")
    return images.metres_per_pixel * pixels


def _apply(transform: Affine, column: float, row: float) -> tuple[float, float]:
    a, b, c, d, e, f = transform
    return a * column + b * row + c, d * column + e * row + f


def _distance(wkt: str, one: tuple[float, float], other: tuple[float, float]) -> float:
    pyproj = import_map("pyproj")
    ends = (*one, *other)
    return pyproj.CRS.from_wkt(wkt).get_geod().inv(*ends)[2] if all(map(math.isfinite, ends)) else math.nan
