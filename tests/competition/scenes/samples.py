"""Scenes to test on: tiny GeoTIFFs."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio import Affine

from competition.gdal.imports import gdal, unwarned
from competition.scenes.grid import Grid
from competition.scenes.score_raster import Scored

UTM = "EPSG:32721"
LEFT, TOP, METRES = 500_000.0, 9_000_000.0, 3.0
NORTH_UP = Affine(METRES, 0, LEFT, 0, -METRES, TOP)


def noise(bands: int = 4, height: int = 96, width: int = 128, dtype: str = "uint16") -> NDArray[Any]:
    """Return random values (bands, height, width), 1 to 5,000 or to 255."""
    most = 255 if dtype == "uint8" else 5000
    return np.random.default_rng(0).integers(1, most, (bands, height, width)).astype(dtype)


def write_scene(
    path: Path,
    values: NDArray[Any],
    *,
    crs: str | None = UTM,
    transform: Affine = NORTH_UP,
    names: Iterable[str] = (),
    tags: dict[str, str] | None = None,
    **profile: Any,
) -> Path:
    """Write values (bands, height, width) as a GeoTIFF."""
    count, height, width = values.shape
    shape = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with (
        gdal(),
        unwarned(),
        rasterio.open(
            path, "w", driver="GTiff", crs=crs, transform=transform, **{"photometric": "minisblack", **shape, **profile}
        ) as dataset,
    ):
        dataset.write(values)
        for number, name in enumerate(names, start=1):
            dataset.set_band_description(number, name)
        dataset.update_tags(**(tags or {}))
    return path


def write_points(path: Path, pixels: Iterable[tuple[float, float, str]]) -> Path:
    """Write points of `NORTH_UP`'s pixels, with a label each, as GeoJSON."""
    from pyproj import Transformer

    degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform
    features = [
        {
            "type": "Feature",
            "properties": {"label": label},
            "geometry": {"type": "Point", "coordinates": degrees(*(NORTH_UP @ (x, y)))},
        }
        for x, y, label in pixels
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def scored_of(grid: Grid, **values: Any) -> Scored:
    """Return what made-up scores are of."""
    made = {"model": "m", "competition": "planet", "scene": "s", "metres": (3.0, 3.0), "chip_metres": 96.0}
    return Scored.model_validate({"labels": ("road", "water"), "grid": grid, **made, **values})
