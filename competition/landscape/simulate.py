"""Writing a made-up scene: a four-band GeoTIFF as Planet delivers them, and its truth as GeoJSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import check_writable, replace_atomically
from competition.common.progress import reporter
from competition.gdal.imports import gdal, import_map
from competition.landscape.ground import Land, draw_ground
from competition.landscape.plane import TILE
from competition.landscape.sky import Sky
from competition.landscape.truth import Overview, box_in_scene, features, sheets
from competition.simulator.canvas import Floats
from competition.simulator.simulate import raw_values
from competition.spec import load as spec

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter
    from shapely import Geometry

CHIP_PIXELS = 256  # of Planet's chips; how many metres of ground each is, the competition's file says
CRS = "EPSG:32721"  # UTM zone 21 south: the middle of the Amazon basin
CORNER = (400_000.0, 9_350_000.0)  # of every scene, on the Tapajos, where miners are
DATES = ("2016-07-02", "2017-08-11")
BANDS = ("blue", "green", "red", "nir")
LEAST, MOST = 256, 200_000
DECIMALS = 6  # of degrees: a decimetre


@cache
def chip_metres() -> float:
    """Return how many metres of ground a chip is wide, by which the painters of chips measure."""
    return CHIP_PIXELS * (spec.load("planet").image_set("tif").metres_per_pixel or 3.0)


@dataclass(frozen=True)
class Landscape:
    """A made-up landscape at a scale and on a date, to be drawn tile by tile.

    Attributes:
        seed: which landscape.
        metres_per_pixel: of ground, along a side of a pixel.
        later: the later of the two dates.
    """

    seed: int = 0
    metres_per_pixel: float = 3.0
    later: bool = False

    @property
    def date(self) -> str:
        """The date, as "2016-07-02"."""
        return DATES[self.later]

    @cached_property
    def land(self) -> Land:
        """What lies on the ground."""
        return Land.of(self.seed, chip_metres() / self.metres_per_pixel, later=self.later)

    @cached_property
    def sky(self) -> Sky:
        """What hangs above."""
        return Sky(self.seed, self.land.scale, later=self.later)

    def tile(self, column: int, row: int) -> tuple[Floats, Floats, Floats, Floats]:
        """Draw a tile.

        Returns:
            The picture (TILE, TILE, 4) in [0, 1], bands B, G, R, NIR, and how much of each pixel (TILE, TILE) is
            forest, cloud and haze.
        """
        tile = draw_ground(self.land, column, row)
        cloud, haze = self.sky.cover(tile)
        return np.clip(tile.image, 0, 1), tile.forest, cloud, haze

    def draw(self, left: int, top: int, width: int, height: int) -> Floats:
        """Draw any window, given in pixels; it may begin left of, or above, the corner of the scenes.

        Returns:
            Float32 array (height, width, 4) in [0, 1], bands B, G, R, NIR.
        """
        picture = np.empty((height, width, 4), np.float32)
        for row in range(top // TILE, (top + height - 1) // TILE + 1):
            for column in range(left // TILE, (left + width - 1) // TILE + 1):
                y, x = row * TILE - top, column * TILE - left
                part = picture[max(0, y) : y + TILE, max(0, x) : x + TILE]
                drawn, *_ = self.tile(column, row)
                part[:] = drawn[max(0, -y) : max(0, -y) + len(part), max(0, -x) : max(0, -x) + part.shape[1]]
        return picture


def simulate_scene(
    path: Path, *, size: int = 4096, seed: int = 0, metres_per_pixel: float = 3.0, later: bool = False
) -> Path:
    """Write a made-up scene of the Amazon as GeoTIFF, and beside it the truth as GeoJSON.

    The scene depends on the seed, the scale and the date alone: a larger one begins with the smaller. It is drawn tile
    by tile, so that memory does not grow with it.

    Args:
        path: the GeoTIFF to write: uint16 (size, size), bands B, G, R, NIR in the values of Planet's GeoTIFFs.
        size: width and height in pixels.
        seed: which landscape.
        metres_per_pixel: of ground, along a side of a pixel.
        later: the later of two dates of the place: more fields, roads and mines, and another sky.

    Returns:
        The path of the truth: polygons in longitude and latitude, with the property `label`.

    Raises:
        UserError: if an argument is out of range, the path cannot be written, or the extra `map` is missing.
    """
    for name, value, least, most in (
        ("size", size, LEAST, MOST), ("seed", seed, 0, np.inf), ("metres-per-pixel", metres_per_pixel, 0.5, 30)
    ):  # fmt: skip
        if not least <= value <= most:
            expected = f"at least {least}" if most == np.inf else f"from {least:,} to {most:,}"
            raise UserError(f"Cannot simulate a scene with --{name} {value}: it must be {expected}.")
    if path.suffix.lower() not in (".tif", ".tiff"):
        raise UserError(f"Cannot write a scene to {path}: expected a name that ends in .tif.")
    for package in ("rasterio", "shapely", "pyproj"):
        import_map(package)  # missing ones are named before the first tile is drawn
    truth = path.with_suffix(".geojson")
    for file in (path, truth):
        check_writable(file)
    landscape = Landscape(seed, metres_per_pixel, later)
    # The scene comes last: where it lies, its truth does.
    with replace_atomically(path) as picture, replace_atomically(truth) as polygons:
        _write(landscape, size, picture, polygons)
    return truth


def _write(landscape: Landscape, size: int, picture: Path, polygons: Path) -> None:
    land, total = landscape.land, math.ceil(size / TILE) ** 2
    with (
        gdal(),
        _created(landscape, size, picture) as scene,
        polygons.open("w", encoding="utf-8") as file,
        reporter.bar(total, "drawing", unit="tile") as bar,
    ):
        collection = Collection(file, landscape)
        for column, row, columns, rows in sheets(size):
            overview = Overview(columns, rows, land.scale)
            for down in range(rows):
                for right in range(columns):
                    image, *seen = landscape.tile(column + right, row + down)
                    overview.note(right, down, *seen)
                    _put(scene, raw_values(image), (column + right) * TILE, (row + down) * TILE)
                    bar.update()
            box = box_in_scene(column, row, columns, rows, size, land.scale)
            for label, polygon in features(land, overview, column * TILE, row * TILE, box):
                collection.add(label, polygon)
        collection.close()


def _created(landscape: Landscape, size: int, path: Path) -> DatasetWriter:
    """Create the GeoTIFF, and say in it what its bands are and when it was taken."""
    rasterio = import_map("rasterio")
    scale = landscape.metres_per_pixel
    scene = rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, count=4, dtype="uint16", nodata=0, crs=CRS,
        transform=rasterio.Affine(scale, 0, CORNER[0], 0, -scale, CORNER[1]), interleave="pixel", alpha="no",
        tiled=True, blockxsize=TILE, blockysize=TILE, compress="deflate", zlevel=1, predictor=2, bigtiff="if_safer",
    )  # fmt: skip
    scene.descriptions = BANDS
    scene.update_tags(TIFFTAG_DATETIME=f"{landscape.date.replace('-', ':')} 13:30:00", TIFFTAG_SOFTWARE="simulated")
    return scene


def _put(scene: DatasetWriter, raw: NDArray[np.uint16], left: int, top: int) -> None:
    """Write a tile, as far as it lies in the scene."""
    height, width = min(TILE, scene.height - top), min(TILE, scene.width - left)
    scene.write(raw[:height, :width].transpose(2, 0, 1), window=((top, top + height), (left, left + width)))


class Collection:
    """A GeoJSON file that is written one feature at a time (RFC 7946: longitude and latitude, WGS 84).

    Args:
        file: to write to.
        landscape: that the features are of.
    """

    def __init__(self, file: IO[str], landscape: Landscape) -> None:
        self._file, self._landscape, self._any = file, landscape, False
        self._transformer = import_map("pyproj").Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
        file.write('{"type": "FeatureCollection", "features": [')

    def add(self, label: str, polygon: Geometry) -> None:
        """Write a polygon that is given in chip widths; where rounding would let it cross itself, as several."""
        shapely = import_map("shapely")
        world = shapely.set_precision(shapely.transform(polygon, self._degrees), 10**-DECIMALS)
        for part in shapely.get_parts(shapely.orient_polygons(world)):
            feature = {
                "type": "Feature",
                "properties": {"label": label, "date": self._landscape.date},
                "geometry": {"type": "Polygon", "coordinates": list(_rings(part))},
            }
            self._file.write(f"{',' if self._any else ''}\n{json.dumps(feature)}")
            self._any = True

    def _degrees(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        east, north = CORNER[0] + places[:, 0] * chip_metres(), CORNER[1] - places[:, 1] * chip_metres()
        return np.stack(self._transformer.transform(east, north), axis=1)

    def close(self) -> None:
        """End the collection."""
        self._file.write("\n]}\n")


def _rings(polygon: Any) -> Iterator[list[list[float]]]:
    """Yield the rings of a polygon."""
    for ring in (polygon.exterior, *polygon.interiors):
        yield [[round(x, DECIMALS), round(y, DECIMALS)] for x, y in ring.coords]
