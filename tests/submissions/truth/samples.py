"""Truth to hold score rasters against: files of squares, as many cells wide as a test says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray

from competition.scenes.score_raster import ScoreRaster
from submissions.map.decide import decide
from submissions.map.detections import Detections
from submissions.map.rules import MapRule


def write_truth(path: Path, raster: ScoreRaster, features: Iterable[tuple[str, Any]], column: str = "label") -> Path:
    """Write labelled shapes that are given in cells of a raster."""
    named = list(features)
    a, b, c, d, e, f = raster.transform
    shapes = shapely.transform(
        np.array([shape for _, shape in named]), lambda xy: xy @ np.array([[a, d], [b, e]]) + (c, f)
    )
    labels = np.array([label for label, _ in named], dtype=object)
    pyogrio.raw.write(
        path, shapely.to_wkb(shapes), [labels], [column], geometry_type="Unknown", crs=raster.wkt, driver="GPKG"
    )
    return path


def squares(label: str, mask: NDArray[np.bool_]) -> list[tuple[str, Any]]:
    """Return a square for each cell of a mask."""
    return [(label, shapely.box(x, y, x + 1, y + 1)) for y, x in np.argwhere(mask).tolist()]


def by(rule: MapRule) -> Callable[[ScoreRaster], Detections]:
    """Return what decides rasters by a rule."""
    return lambda raster: decide(raster, rule)
