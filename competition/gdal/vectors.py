"""Points and polygons with a label, read from GeoJSON, GeoPackage, FlatGeobuf or a Shapefile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import open_ordinary
from competition.common.text import REASON, cut, first
from competition.gdal.imports import SETTINGS, import_map, unwarned
from competition.gdal.systems import is_same, metres_of_unit

# How files begin that are read, whatever they are called; other formats name files and addresses of their own.
BEGINNINGS = {
    ".geojson": (b"{",), ".json": (b"{",), ".gpkg": (b"SQLite format 3\0",), ".fgb": (b"fgb",),
    ".shp": (b"\0\0\x27\x0a",),
}  # fmt: skip
LARGEST, LARGEST_TEXT = 1 << 31, 1 << 27  # bytes of a file, and of one of text, which takes several times as many
MOST = 5_000_000  # features
STRAIGHT = 5000.0  # metres of a line that other coordinate systems bend by less than a metre
MOST_PIECES = 2_000_000  # into which lines are parted for that, in all: 10 million km, of which each takes microseconds
MOST_CROSSINGS = 4_000_000  # squares of the corners of shapes that cross themselves, which takes seconds to mend


@dataclass(frozen=True, eq=False)
class Features:
    """What a file of vectors says.

    Attributes:
        geometries: object array (num_features,) of shapely's geometries, valid and flat.
        labels: of each of them.
    """

    geometries: NDArray[np.object_]
    labels: tuple[str, ...]


def read_features(path: Path, wkt: str, column: str = "label", *, flag: str = "--label") -> Features:
    """Return the labelled geometries in a file.

    Args:
        path: of it.
        wkt: the coordinate system in which they are wanted.
        column: that says their labels.
        flag: that names the column.

    Raises:
        UserError: if it cannot be read, lacks the column or a coordinate system, or a feature has no label.
    """
    meta, shapes, fields = _read(path)
    if not len(shapes):  # a GeoJSON file without features has no columns either
        return Features(shapes, ())
    names = list(meta["fields"])
    if column not in names:
        raise _refused(path, f"it has no column {column!r}; it has {first(names, 12) or 'none'}", f"name it by {flag}")
    labels = ["" if _is_missing(value) else str(value).strip() for value in fields[names.index(column)]]
    has_shape = _has_shape(shapes)
    if unnamed := [number for number, label in enumerate(labels, start=1) if has_shape[number - 1] and not label]:
        raise _refused(path, f"features without a label in column {column!r}: {first(unnamed)}", "fill these cells")
    flat, kept = _parted(shapes)
    moved = _moved(_mended(flat, path), meta["crs"], wkt, path)
    return Features(moved, tuple(labels[place] for place in kept))


def read_shapes(path: Path, wkt: str) -> NDArray[np.object_]:
    """Return the geometries in a file, whatever it says of them: object array (num_features,).

    Args:
        path: of it.
        wkt: the coordinate system in which they are wanted.

    Raises:
        UserError: if it cannot be read, or lacks a coordinate system.
    """
    meta, shapes, _ = _read(path)
    return _moved(_mended(_parted(shapes)[0], path), meta["crs"], wkt, path)


def _read(path: Path) -> tuple[dict[str, Any], NDArray[np.object_], list[NDArray[Any]]]:
    """Return what a file says of itself, its geometries as they are, and its columns."""
    _check(path)
    pyogrio, shapely = import_map("pyogrio"), import_map("shapely")
    try:
        pyogrio.set_gdal_config_options({name: value for name, value in SETTINGS.items() if name.startswith("CPL")})
        with unwarned():
            meta, _, geometries, fields = pyogrio.raw.read(path, force_2d=True, max_features=MOST + 1)
    except Exception as error:  # it raises whatever it likes on a damaged file
        raise _refused(path, cut(" ".join(str(error).split()), REASON)) from error
    if len(geometries) > MOST:
        raise _refused(path, f"it has more than {MOST:,} features")
    return meta, shapely.from_wkb(geometries, on_invalid="ignore"), fields


def _has_shape(shapes: NDArray[np.object_]) -> NDArray[np.bool_]:
    shapely = import_map("shapely")
    there: NDArray[np.bool_] = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    return there


def _parted(shapes: NDArray[np.object_]) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Return geometries without empty ones, collections as their parts, and the place in `shapes` of each."""
    shapely = import_map("shapely")
    places = np.flatnonzero(_has_shape(shapes))
    parts = shapes[places]
    while (shapely.get_type_id(parts) == shapely.GeometryType.GEOMETRYCOLLECTION).any():
        mixed = shapely.get_type_id(parts) == shapely.GeometryType.GEOMETRYCOLLECTION
        loose, of = shapely.get_parts(parts[mixed], return_index=True)
        places = np.concatenate([places[~mixed], places[mixed][of]])
        parts = np.concatenate([parts[~mixed], loose])
    kept = np.flatnonzero(_has_shape(parts))
    order = kept[np.argsort(places[kept], kind="stable")]
    return parts[order], places[order]


def _mended(shapes: NDArray[np.object_], path: Path) -> NDArray[np.object_]:
    """Return geometries of which none crosses itself."""
    shapely = import_map("shapely")
    crossed = ~shapely.is_valid(shapes)
    if (shapely.get_num_coordinates(shapes[crossed]).astype(float) ** 2).sum() > MOST_CROSSINGS:
        raise _refused(path, "shapes of many corners cross themselves", "mend them (ogr2ogr -makevalid)")
    mended = shapes.copy()
    mended[crossed] = shapely.make_valid(shapes[crossed])
    return mended


def _moved(shapes: NDArray[np.object_], crs: str | None, wkt: str, path: Path) -> NDArray[np.object_]:
    """Return geometries in another coordinate system."""
    pyproj, shapely = import_map("pyproj"), import_map("shapely")
    if not crs:
        raise _refused(path, "it does not say its coordinate system", "write it as GeoJSON (ogr2ogr)")
    if not wkt:
        raise UserError(f"The scene has no coordinate system, so that nothing says where {path} lies on it.")
    if not is_same(crs, wkt):  # what is straight in one is bent in the other
        step = STRAIGHT / metres_of_unit(crs)
        with np.errstate(over="ignore"):
            is_too_long = not shapely.length(shapes).sum() / step <= MOST_PIECES
        if is_too_long:
            raise _refused(path, f"its lines are longer than {STRAIGHT * MOST_PIECES / 1000:,.0f} km in all")
        shapes = shapely.segmentize(shapes, step)
    move = pyproj.Transformer.from_crs(crs, pyproj.CRS.from_wkt(wkt), always_xy=True).transform
    moved = shapely.transform(shapes, lambda x, y: np.stack(move(x, y)), interleaved=False)
    if not np.isfinite(shapely.bounds(moved)).all():
        raise _refused(path, "some of it lies where the scene's coordinate system does not reach")
    return moved


def _check(path: Path) -> None:
    begins = BEGINNINGS.get(path.suffix.lower())
    if begins is None:
        raise _refused(path, f"expected a file with {', '.join(BEGINNINGS)}")
    try:
        with open_ordinary(path, LARGEST_TEXT if begins == (b"{",) else LARGEST) as file:
            content = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError as error:
        raise _refused(path, error.strerror or "it is not there") from error
    if not content.startswith(begins):
        raise _refused(path, f"it is no {path.suffix.lower()} file")


def _is_missing(value: Any) -> bool:
    return value is None or value != value


def _refused(path: Path, reason: str, otherwise: str = "") -> UserError:
    return UserError(f"Cannot read {path}: {reason}.", otherwise=otherwise)
