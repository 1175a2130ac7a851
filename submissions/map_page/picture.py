"""The scene behind the scores: a small picture in the colours of the eye, as text."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from competition.gdal.imports import import_map
from competition.gdal.sources import reading
from competition.scenes.scene import Scene

LONGEST = 1600  # pixels of the picture's longer side
MOST_BYTES = 1_500_000
SPAN = (1, 99)  # percentiles of a band's values that become black and white
QUALITIES = (82, 65, 45, 25)


def picture_of(scene: Scene) -> str:
    """Return a scene as a picture: the address of WebP within a page.

    Args:
        scene: with three bands, or one, which is shown in grey.

    Raises:
        UserError: if it cannot be read.
    """
    pixels, valid = _small(scene)
    colours = Image.fromarray(np.dstack([_stretched(pixels, valid), np.where(valid, 255, 0).astype(np.uint8)]))
    for quality in QUALITIES:
        colours.save(kept := io.BytesIO(), "WEBP", quality=quality, method=4)
        if len(kept.getvalue()) <= MOST_BYTES:
            break
    return f"data:image/webp;base64,{base64.b64encode(kept.getvalue()).decode()}"


def _small(scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return a scene's pixels (height, width, num_bands), brought to `LONGEST`, and which hold data."""
    shrink = max(1.0, max(scene.size) / LONGEST)
    shape = max(1, round(scene.height / shrink)), max(1, round(scene.width / shrink))
    average = import_map("rasterio.enums").Resampling.average
    with scene.source.open() as dataset, reading(scene.source.shown):
        pixels = dataset.read(list(scene.indexes), out_shape=(len(scene.indexes), *shape), resampling=average)
        valid = np.isfinite(pixels).all(axis=0)
        if scene.masked:
            valid &= dataset.dataset_mask(out_shape=shape) > 0
    if scene.nodata is not None and np.isfinite(scene.nodata):
        valid &= (pixels != scene.nodata).all(axis=0)
    return np.moveaxis(pixels, 0, -1).astype(np.float32), valid


def _stretched(pixels: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return pixels (height, width, 3) from black to white."""
    if not valid.any():
        return np.zeros((*valid.shape, 3), np.uint8)
    low, high = np.percentile(pixels[valid], SPAN, axis=0)
    shown: Any = np.clip((np.nan_to_num(pixels) - low) / np.maximum(high - low, 1e-6), 0, 1) ** (1 / 1.2)
    eight = (shown * 255).astype(np.uint8)
    return eight if eight.shape[2] == 3 else np.repeat(eight[..., :1], 3, axis=2)
