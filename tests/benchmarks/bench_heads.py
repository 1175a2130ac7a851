"""Heads on the feature bank: all folds and seeds at once, against Keras' `fit` of one head after another.

Run with `python -m tests.benchmarks.bench_heads`, and for small heads with `--chips 2000 --features 1280 --dense
256,128 --batch-size 64 --seeds 1`. Epochs of both are trained in turns, on random features of realistic size, and the
peak of float32 products is measured in the same run. What the arithmetic needs is counted: a head's forward and
backward products over the chips learnt from, and its forward product over those held out.

Measured on two cores: an epoch of 25 heads takes 54 s, at 63 % of the peak; by `fit` five of them take 57 s. Small
heads (2,000 chips x 1,280, 128 or 256 units, batches of 64 or 256) are trained 9.5 to 13 times as fast as by `fit`.
"""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from competition.common.progress import reporter
from competition.spec.load import load
from competition.terminal.tables import table
from models.backend.load import load_backend
from models.recipes.named import resolve
from models.recipes.recipe import Recipe

SIDE = 4096  # of the products whose peak is measured


def seconds_of(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak() -> float:
    """Return the products' speed in float operations per second: the best of three."""
    square = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32)
    return 2 * SIDE**3 / min(seconds_of(lambda: square @ square) for _ in range(3))


def made_up(num_chips: int, num_features: int, recipe: Recipe, num_folds: int) -> list[Any]:
    """Return the examples of each fold: features of which labels can be learnt, with much noise."""
    from models.inputs.examples import Examples
    from models.inputs.feature_bank import FeatureBank

    random, task = np.random.default_rng(0), recipe.task(load("planet"))
    features = random.standard_normal((num_chips, num_features), dtype=np.float32)
    weights = random.standard_normal((num_features, len(task.labels)), dtype=np.float32) / num_features**0.5
    truth = features @ weights + random.standard_normal((num_chips, len(task.labels))) > 1.5
    bank = FeatureBank(num_features, {"identity": (features.astype(np.float16),)})
    folds = np.arange(num_chips) % num_folds
    return [
        Examples(task, bank, truth, np.flatnonzero(folds != fold), np.flatnonzero(folds == fold))
        for fold in range(num_folds)
    ]


def operations(recipe: Recipe, every: list[Any]) -> int:
    """Return the float operations of an epoch of all heads."""
    units = (every[0].source.num_features, *recipe.dense, len(every[0].task.labels))
    weights = sum(before * after for before, after in itertools.pairwise(units))
    return recipe.seeds * weights * sum(4 * len(one.training) + 2 * len(one.heldout) for one in every)


def keras_epochs(recipe: Recipe, examples: Any, folder: Path) -> Callable[[int], None]:
    """Return what trains one head by `fit` to some number of epochs."""
    from models.networks.build import compile_network
    from models.networks.heads import build_head, standardize
    from models.train.fit import train

    head = build_head(recipe, examples.source.num_features, examples.task, examples.priors(recipe))
    standardize(head, examples.source.read(examples.training[:4096]))
    compile_network(head, recipe, examples.task, examples.steps_per_epoch(recipe), examples.training_truth)

    def run(number: int) -> None:
        train(head, examples, dataclasses.replace(recipe, epochs=number), folder)

    return run


@click.command()
@click.option("--chips", default=36037, show_default=True)
@click.option("--features", default=3840, show_default=True)
@click.option("--folds", default=5, show_default=True)
@click.option("--seeds", default=5, show_default=True)
@click.option("--dense", default="512", show_default=True)
@click.option("--batch-size", default=512, show_default=True)
@click.option("--epochs", default=20, show_default=True, help="of a whole training, for the totals")
@click.option("--measured", default=2, show_default=True, help="epochs that are trained to be timed")
def main(
    chips: int, features: int, folds: int, seeds: int, dense: str, batch_size: int, epochs: int, measured: int
) -> None:
    """Measure both, and print a table."""
    load_backend()
    from models.heads.group import HeadGroup
    from models.heads.together import train_together

    units = tuple(map(int, dense.split(",")))
    values = {"dense": units, "batch_size": batch_size, "seeds": seeds, "augment": (), "epochs": measured + 1}
    recipe = resolve("densenet121_levels", {**values, "images": "jpg", "groups": "sigmoid"})
    every = made_up(chips, features, recipe, folds)
    groups = [HeadGroup(recipe, examples) for examples in every]
    one = dataclasses.replace(recipe, seeds=1)
    taken: dict[str, list[float]] = {"engine": [], "fit": [], "peak": []}
    with tempfile.TemporaryDirectory() as folder, reporter.silent():
        fit = keras_epochs(one, every[0], Path(folder))
        for number in range(measured + 1):  # the first epoch of each, with what is made once, is not counted
            for group in groups:
                group.recipe = dataclasses.replace(recipe, epochs=number + 1)
            taken["peak"].append(peak())
            taken["engine"].append(seconds_of(lambda: train_together(groups)))
            taken["fit"].append(seconds_of(lambda number=number: fit(number + 1)))
    engine, by_fit = (float(np.median(taken[kind][1:])) for kind in ("engine", "fit"))
    best, speed = max(taken["peak"]), operations(recipe, every) / engine
    rows = [
        [f"{folds} folds x {seeds} seeds at once", f"{engine:.2f}", f"{epochs * engine:.0f}"],
        [f"{folds} folds x 1 seed by fit", f"{folds * by_fit:.2f}", f"{epochs * folds * by_fit:.0f}"],
    ]
    print(table(["", "seconds an epoch", f"of {epochs} epochs"], rows))
    print(
        f"{chips:,} chips x {features:,} features, dense {dense}, batches of {batch_size}: {speed / 1e9:.0f} of "
        f"{best / 1e9:.0f} GFLOP/s, {speed / best:.0%} of the peak; "
        f"{seeds * folds * by_fit / engine:.1f} times as fast."
    )


if __name__ == "__main__":
    main()
