"""Chips a second that the simulator writes on one core, labels and files included.

Run: python -m tests.benchmarks.bench_simulate
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from competition.simulator.label_rates import draw_labels
from competition.simulator.render import render_chip
from competition.simulator.simulate import encode_jpeg, simulate

RUNS = 5
NUM_CHIPS = 300


def chips_per_second(size: int, tif: bool) -> float:
    """Return the rate of one run in processor time, which other programs on the machine disturb little."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        simulate(Path(folder) / "data", num_train=NUM_CHIPS * 2 // 3, num_test=NUM_CHIPS // 3, size=size, tif=tif)
        return NUM_CHIPS / (time.process_time() - start)


def chips_per_second_in_memory(size: int) -> float:
    """Return the rate of drawing labels, pictures and JPEGs alone, without a file system."""
    start = time.process_time()
    for index, row in enumerate(draw_labels(NUM_CHIPS, np.random.default_rng(0))):
        encode_jpeg(render_chip(row, size, np.random.default_rng(index)))
    return NUM_CHIPS / (time.process_time() - start)


def main() -> None:
    """Print the median rate by size and by what is written."""
    for size in (32, 64, 128):
        chips_per_second_in_memory(size)  # the noise of this size is made once
        measures: dict[str, Callable[[], float]] = {
            "JPEG in memory": partial(chips_per_second_in_memory, size),
            "JPEG files": partial(chips_per_second, size, tif=False),
            "JPEG and TIFF files": partial(chips_per_second, size, tif=True),
        }
        for what, measure in measures.items():
            rate = statistics.median(measure() for _ in range(RUNS))
            print(f"{size:4d} px, {what:19}: {rate:5.0f} chips/s (median of {RUNS} runs)")


if __name__ == "__main__":
    main()
