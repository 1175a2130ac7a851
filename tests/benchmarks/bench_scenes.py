"""How fast windows of a scene are read, by one and by two threads, and the memory that it takes.

    python -m tests.benchmarks.bench_scenes [SIDE]

The alternative is rasterio alone, one thread and one handle, without masks, resizing or settings. Measured last on two
cores, with SIDE = 10,000 (four bands of uint16, deflated, blocks of 256 px; windows of 256 px by half): 627 windows a
second at 256 px by one thread and 1,094 by two, 362 and 431 at 64 px, where Pillow's bicubic takes most of the time;
rasterio alone 766. It took 275 MB above what is imported, of which GDAL keeps 134.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import rasterio

from competition.common.text import readable
from competition.gdal.imports import gdal
from competition.scenes.grid import Grid, Window
from competition.scenes.scene import Scene
from competition.terminal.tables import table
from tests.competition.scenes.samples import NORTH_UP, UTM

WINDOWS, BATCH = 2000, 16


def make(path: Path, side: int) -> None:
    """Write a scene block by block: ground of slowly changing levels with noise."""
    rng = np.random.default_rng(0)
    profile = {"driver": "GTiff", "width": side, "height": side, "count": 4, "dtype": "uint16", "crs": UTM}
    blocks = {"tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "predictor": 2}
    with gdal(), rasterio.open(path, "w", transform=NORTH_UP, BIGTIFF="IF_SAFER", **profile, **blocks) as dataset:
        for _, window in dataset.block_windows(1):
            level = 3000 + 500 * np.sin(window.col_off / 900) * np.cos(window.row_off / 700)
            noise = rng.normal(level, 60, (4, window.height, window.width))
            dataset.write(noise.astype(np.uint16), window=window)


def peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """Measure, and print a table."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scene.tif"
        make(path, side)
        scene = Scene.open(path)
        grid = Grid.over(scene.size, scene.metres, 768, steps=2)
        rows = range(0, grid.window_rows, max(1, grid.window_rows * grid.window_columns // WINDOWS))
        batches = [
            row[start : start + BATCH] for row in map(grid.row_of_windows, rows) for start in range(0, len(row), BATCH)
        ]
        count = sum(map(len, batches))
        print(f"{side:,} x {side:,} px, {readable(path.stat().st_size)}; {count:,} windows of {grid.window}.")
        before, rates = peak(), {}
        for threads, size in ((1, 256), (2, 256), (1, 64), (2, 64)):
            rates[f"Scene.read_batch, {threads} threads, {size} px"] = speed(scene, batches, size, threads)
        above = readable(peak() - before)
        rates["Scene.read, 1 thread, 256 px"] = speed(scene, [[each] for batch in batches for each in batch], 256, 1)
        rates["rasterio alone, 1 thread, 256 px"] = alone = speed_alone(path, batches)
        rows_shown = [(what, f"{rate:,.0f}", f"{rate / alone:.2f}") for what, rate in rates.items()]
        print(table(["by", "windows a second", "ratio"], rows_shown))
        print(f"Memory above {readable(before)} of what was imported: {above}.")


def speed(scene: Scene, batches: list[list[Window]], size: int, threads: int) -> float:
    """Return how many windows a second are read."""
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        count = sum(pool.map(lambda windows: len(list(scene.read_batch(windows, size))), batches))
    return count / (time.perf_counter() - began)


def speed_alone(path: Path, batches: list[list[Window]]) -> float:
    """Return the same of rasterio, window by window."""
    windows = [window for batch in batches for window in batch]
    began = time.perf_counter()
    with rasterio.open(path) as dataset:
        for x, y, width, height in windows:
            dataset.read(window=((y, y + height), (x, x + width)))
    return len(windows) / (time.perf_counter() - began)


if __name__ == "__main__":
    main()
