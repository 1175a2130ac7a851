"""Chips a second of a network of timm that learns as a layer of Keras, against timm's own training step and inference.

    KERAS_BACKEND=torch python -m tests.benchmarks.bench_timm --networks resnet18,convnext_atto --size 64

Both learn by AdamW with clipped gradients and averaged weights (timm's `ModelEmaV3`), and have the same head; inference
is the project's own way of running a network, against timm's in eager mode. Weights are random, and rounds take turns.

Measured once so far, on two cores that many others were at work on (a load of 10), so that only ratios say anything:
training .59 (resnet18) and .70 (convnext_atto) of timm's chips a second, inference by OpenVINO 1.1 and 10.9 times.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import click
import numpy as np

from competition.terminal.tables import table
from models.backend.load import load_backend

LABELS = 17


def of_project(name: str, size: int, chips: np.ndarray, truth: np.ndarray) -> list[Callable[[], Any]]:
    """Return a training step of the project's, and what scores chips."""
    from models.backend.runners import runner_of
    from tests.models.samples import built, compiled, tiny_recipe

    values = {"backbone": f"timm/{name}", "weights": "none", "train": "full", "pooling": ("avg",), "dense": ()}
    values |= {"ema": 0.99, "clip": 1.0, "optimizer": "adamw", "weight_decay": 0.01, "dropout": 0.0}
    recipe = tiny_recipe(**values, augment=("d4",), input_size=size)
    network = compiled(built(recipe), recipe)
    runner = runner_of(built(recipe), chips[:4])
    return [lambda: network.train_on_batch(chips, truth), lambda: runner(chips)]


def of_timm(name: str, size: int, chips: np.ndarray, truth: np.ndarray) -> list[Callable[[], Any]]:
    """Return a training step as timm makes it, and what scores chips."""
    import timm
    import torch
    from timm.optim import create_optimizer_v2
    from timm.utils import ModelEmaV3

    network = timm.create_model(name, num_classes=LABELS)
    average, loss = ModelEmaV3(network, decay=0.99), torch.nn.BCEWithLogitsLoss()
    optimizer = create_optimizer_v2(network, "adamw", lr=1e-3, weight_decay=0.01)
    mean, deviation = (torch.tensor(network.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    wanted = torch.from_numpy(truth)

    def seen() -> Any:
        return (torch.from_numpy(chips).permute(0, 3, 1, 2) / 255 - mean) / deviation

    def step() -> None:
        network.train()
        optimizer.zero_grad()
        loss(network(seen()), wanted).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        average.update(network)

    def score() -> Any:
        network.eval()
        with torch.inference_mode():
            return network(seen()).sigmoid().numpy()

    return [step, score]


def seconds_of(run: Callable[[], Any], times: int) -> float:
    """Return how long one call takes, the mean of some."""
    started = time.perf_counter()
    for _ in range(times):
        run()
    return (time.perf_counter() - started) / times


@click.command()
@click.option("--networks", default="resnet18,convnext_atto", help="of timm, joined by commas")
@click.option("--size", default=64, help="pixels along each side of a chip")
@click.option("--batch", default=32, help="chips of a step")
@click.option("--rounds", default=5)
@click.option("--times", default=3, help="calls in each round")
def main(networks: str, size: int, batch: int, rounds: int, times: int) -> None:
    """Measure training steps and inference, in turns."""
    load_backend()
    random, rows = np.random.default_rng(0), []
    chips = random.integers(0, 256, (batch, size, size, 3)).astype(np.float32)
    truth = random.integers(0, 2, (batch, LABELS)).astype(np.float32)
    for name in networks.split(","):
        pairs = zip(of_project(name, size, chips, truth), of_timm(name, size, chips, truth), strict=True)
        for what, pair in zip(("training", "inference"), pairs, strict=True):
            for run in pair:
                seconds_of(run, 2)
            taken = [[seconds_of(run, times) for run in pair] for _ in range(rounds)]
            ours, theirs = (batch / statistics.median(column) for column in zip(*taken, strict=True))
            ratio = statistics.median(other / own for own, other in taken)
            rows.append([f"{name}, {what}", f"{ours:,.1f}", f"{theirs:,.1f}", f"{ratio:.2f}"])
    click.echo(table([f"chips a second at {size} px", "here", "timm", "here / timm"], rows, "lrrr"))


if __name__ == "__main__":
    main()
