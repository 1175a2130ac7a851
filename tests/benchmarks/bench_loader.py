"""Batches a second that the loader makes, and the share of a training step that goes into making its batch.

Run with `python -m tests.benchmarks.bench_loader`. The goal is that feeding takes less than 3 % of a step on a CPU.

Measured on two cores: .02 to .83 % of a training step (ResNet-50, MobileNetV2, a small network; with D4, shifts,
photometric changes and mixup).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from competition.data.chip_cache import ChipCache
from competition.spec.load import load
from competition.terminal.tables import table
from models.inputs.batches import Chips, TrainingBatches
from models.networks.build import build_network, compile_network
from models.networks.input_spec import Inputs
from models.recipes.named import resolve
from models.recipes.recipe import Recipe

NUM_CHIPS, NUM_LABELS = 2048, 17
SIZES = (64, 128, 224)
ROUNDS = 3  # epochs of the loader alone; the best counts, as other programs on the machine only slow it
STEPS = 6  # training steps measured, after one that compiles
EVERYTHING = {"augment": ("d4", "shifts", "photometric"), "mixup": 0.2}
FEEDS: dict[str, dict[str, Any]] = {
    "none": {"augment": ()},
    "d4": {"augment": ("d4",)},
    "d4,shifts,photometric": {"augment": EVERYTHING["augment"]},
    "d4,shifts,photometric + mixup": EVERYTHING,
}
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "MobileNetV2, 96 px": ("mobilenet_v2", {"weights": "none", "train": "full", "input_size": 96}),
    "residual, 64 px": ("residual", {}),
}


def batches_of(folder: Path, recipe: Recipe) -> TrainingBatches:
    """Return an epoch over a chip cache of random pixels in `folder`."""
    path = folder / f"{recipe.input_size}.npy"
    random = np.random.default_rng(0)
    if not path.is_file():
        pixels = random.integers(0, 256, (NUM_CHIPS, recipe.input_size, recipe.input_size, 3), dtype=np.uint8)
        np.save(path, pixels, allow_pickle=False)
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    cache = ChipCache(tuple(map(str, range(NUM_CHIPS))), (), "random", mapped, np.arange(NUM_CHIPS))
    truth = random.random((NUM_CHIPS, NUM_LABELS)) < 0.2
    return TrainingBatches(Chips(cache, (0, 1, 2), 64), np.arange(NUM_CHIPS), truth, recipe, 0)


def seconds_a_batch(folder: Path, recipe: Recipe) -> float:
    """Return the seconds that the loader alone takes for a batch."""
    batches = batches_of(folder, recipe)

    def epoch() -> None:
        for index in range(len(batches)):
            batches[index]

    return min(_seconds(epoch) for _ in range(ROUNDS)) / len(batches)


def seconds_a_step(folder: Path, recipe: Recipe) -> float:
    """Return the seconds that a training step takes when its batch is ready."""
    task, inputs = recipe.task(load("planet")), Inputs(recipe.input_size, "RGB", (0.0,) * 3, (255.0,) * 3)
    network = build_network(recipe, task, inputs)
    compile_network(network, recipe, task, NUM_CHIPS // recipe.batch_size, np.ones((1, NUM_LABELS), bool))
    chips, targets = batches_of(folder, recipe)[0]
    network.train_on_batch(chips, targets)
    return statistics.median(_seconds(lambda: network.train_on_batch(chips, targets)) for _ in range(STEPS))


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def loader_rows(folder: Path) -> list[list[object]]:
    """Return batches of 64 chips per second, by augmentation and size."""

    def rate(size: int, values: dict[str, Any]) -> str:
        recipe = resolve("residual", {**values, "input_size": size, "batch_size": 64})
        seconds = seconds_a_batch(folder, recipe)
        return f"{1 / seconds:,.0f} ({1000 * seconds:.1f} ms)"

    return [[name, *(rate(size, values) for size in SIZES)] for name, values in FEEDS.items()]


def step_rows(folder: Path) -> list[list[object]]:
    """Return seconds a step and a batch, by network and augmentation."""
    rows: list[list[object]] = []
    for name, (recipe_name, values) in NETWORKS.items():
        step = seconds_a_step(folder, resolve(recipe_name, values))
        for feed, own in FEEDS.items():
            recipe = resolve(recipe_name, {**values, **own})
            batch = seconds_a_batch(folder, recipe)
            rows.append([name, recipe.batch_size, feed, f"{step:.3f}", f"{batch:.4f}", f"{batch / (step + batch):.2%}"])
    return rows


def main() -> int:
    """Print the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("Batches of 64 chips per second, the loader alone")
        print(table(["augment", *(f"{size} px" for size in SIZES)], loader_rows(folder)))
        print("\nShare of a training step that goes into its batch")
        headers = ["network", "chips", "augment", "s a step", "s a batch", "share"]
        print(table(headers, step_rows(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
