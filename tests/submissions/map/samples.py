"""Score rasters whose cells are what a test says."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio import Affine

from competition.scenes.grid import Grid
from competition.scenes.scene import Scene
from competition.scenes.score_raster import ScoreRaster
from competition.scenes.score_rows import score_rows
from tests.competition.scenes.samples import NORTH_UP, scored_of, write_scene

SIDE = 2  # pixels of a cell, of 3 m each
CELL_HA = (SIDE * 3 / 0.9996) ** 2 / 1e4  # along UTM's middle meridian, which stretches nothing but itself


def raster_of(
    folder: Path, *planes: Any, crs: str | None = "EPSG:32721", transform: Affine = NORTH_UP, **values: Any
) -> ScoreRaster:
    """Write a raster of labels "road", "water" and "conventional_mine", as many as there are planes of scores.

    Args:
        folder: to write to.
        planes: of each label, (rows, columns); NaN where a score is not known.
        crs: of the scene.
        transform: of its pixels.
        values: of `Scored`.
    """
    scores = np.stack([np.asarray(plane, dtype=np.float32) for plane in planes], axis=-1)
    rows, columns = scores.shape[:2]
    grid = Grid(SIDE * columns, SIDE * rows, (SIDE, SIDE), (SIDE, SIDE))
    folder.mkdir(parents=True, exist_ok=True)
    scene = Scene.open(
        write_scene(
            folder / "scene.tif", np.ones((1, grid.height, grid.width), np.uint8), crs=crs, transform=transform
        ),
        metres_per_pixel=None if crs else 3.0,
    )
    labels = ("road", "water", "conventional_mine")[: len(planes)]
    with score_rows(folder / "out", scored_of(grid, **{"labels": labels, **values}), scene) as writer:
        for row in writer.left:
            writer.put(row, scores[row])
        writer.finish()
    return ScoreRaster.read(folder / "out")


def random_planes(rows: int, columns: int, labels: int = 2, unknown: float = 0.1) -> list[NDArray[np.float32]]:
    """Draw planes of scores, a share of which is not known."""
    random = np.random.default_rng(rows)
    planes = random.random((labels, rows, columns)).astype(np.float32)
    planes[random.random(planes.shape) < unknown] = np.nan
    return list(planes)


def damage(raster: ScoreRaster) -> None:
    """Write over the scores of a raster, and leave what it says of itself."""
    content = bytearray(raster.path.read_bytes())
    content[-len(content) // 3 :] = b"\xff" * len(content[-len(content) // 3 :])
    raster.path.write_bytes(content)
