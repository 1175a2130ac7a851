"""Masks to draw, and rasters of which no more is known than where they lie."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import ndimage

from competition.scenes.grid import Grid
from competition.scenes.score_raster import ScoreRaster
from submissions.regions.runs import Runs
from tests.competition.scenes.samples import LEFT, TOP, scored_of

MASKS = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda shape: hnp.arrays(bool, shape))
NEIGHBOURS = st.sampled_from([4, 8])
UTM = 32721


def labelled(mask: NDArray[np.bool_], neighbours: int) -> NDArray[np.int64]:
    """Return SciPy's regions of a mask, numbered from 0 in the order of their first cells; -1 elsewhere."""
    found, _ = ndimage.label(mask, np.ones((3, 3)) if neighbours == 8 else None)
    _, first, inverse = np.unique(found[mask], return_index=True, return_inverse=True)
    regions = np.full(mask.shape, -1)
    regions[mask] = np.argsort(np.argsort(first))[inverse]
    return regions


def on_plane(runs: Runs, of_run: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return a number of each run on the cells of it; -1 elsewhere."""
    plane = np.full(shape, -1)
    plane[runs.places()] = np.repeat(of_run, runs.cells)
    return plane


def raster_at(grid: Grid, epsg: int | None = UTM, *, step: float = 3.0, at: tuple[float, float] = (LEFT, TOP)) -> Any:
    """Return a raster, without scores, whose scene has pixels of `step` and its upper left corner at a place."""
    wkt = rasterio.CRS.from_epsg(epsg).to_wkt() if epsg else ""
    transform = (step * grid.stride[0], 0.0, at[0], 0.0, -step * grid.stride[1], at[1])
    return ScoreRaster(Path("scores.tif"), scored_of(grid), grid.rows, grid.columns, wkt, transform)
