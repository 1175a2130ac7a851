"""Chips a second that frozen backbones turn into features: Keras' `predict`, the runner, and the machine's peak.

    python -m tests.benchmarks.bench_features --backbones ResNet50,VGG16,MobileNetV2,DenseNet121 --size 224

Weights are random: the speed does not depend on them. The peak is that of NumPy's float32 matrix product on all cores;
rounds take turns, as the speed of a shared machine changes from minute to minute.

Measured at 224 px on two cores without a GPU, medians of five interleaved rounds:

    backbone      Keras' predict   with the extra "fast"   ratio   of the machine's own matrix product
    ResNet-50     12.5 chips/s     28.9                    2.2     128 %
    VGG-16        6.2              6.8                     1.1     120 %
    MobileNetV2   24.5             202                     8.2     69 %
    DenseNet121   12.4             32.0                    2.5     106 %
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import click
import numpy as np

from competition.terminal.tables import table
from models.backend.load import load_backend

MATRIX = 4096
SAMPLE = 4


def build(name: str, size: int) -> Any:
    """Return a network from chips to pooled features, with random weights."""
    import keras

    from models.networks.layers import AtRest

    builder = getattr(keras.applications, name)
    backbone = builder(weights=None, include_top=False, input_shape=(size, size, 3))
    chips = keras.Input((size, size, 3))
    scaled = importlib.import_module(builder.__module__).preprocess_input(
        keras.layers.Normalization(mean=[0.0] * 3, variance=[1.0] * 3)(chips)
    )
    features = keras.layers.GlobalAveragePooling2D()(AtRest(backbone)(scaled))
    return keras.Model(chips, features, name=name)


def gflop_per_chip(network: Any) -> float:
    """Return twice the multiply-adds of convolutions and dense layers, in 10^9."""
    from keras import layers

    from models.networks.layers import AtRest

    total = 0.0
    for layer in network.layers:
        if isinstance(layer, AtRest):
            total += gflop_per_chip(layer.network)
        elif isinstance(layer, layers.DepthwiseConv2D | layers.Conv2D | layers.Dense):
            outputs = np.prod(layer.output.shape[1:])  # each is a sum over all of the kernel but its last axis
            kernel = layer.kernel.shape
            summed = kernel[:2] if isinstance(layer, layers.DepthwiseConv2D) else kernel[:-1]
            total += 2e-9 * outputs * np.prod(summed)
        elif "Conv" in type(layer).__name__:
            raise NotImplementedError(f"Counting multiply-adds of {type(layer).__name__}.")
    return float(total)


def rate(run: Callable[[], object], amount: float) -> float:
    """Return `amount` over the seconds that `run` takes."""
    start = time.perf_counter()
    run()
    return amount / (time.perf_counter() - start)


def measure(name: str, size: int, num_chips: int, rounds: int) -> list[object]:
    """Return a row: medians over the rounds, and medians of the ratios within each."""
    from models.backend.runners import runner_of

    network = build(name, size)
    rng = np.random.default_rng(0)
    chips = rng.integers(0, 256, (num_chips, size, size, 3), dtype=np.uint8)
    matrix = rng.random((MATRIX, MATRIX), dtype=np.float32)
    runner = runner_of(network, chips[:SAMPLE])  # and Keras without XLA, which is slower on a CPU
    predict = partial(network.predict, chips, verbose=0)
    per_chip = gflop_per_chip(network)
    predict(), runner(chips), matrix @ matrix
    found = np.array(
        [
            (
                rate(predict, num_chips),
                rate(lambda: matrix @ matrix, 2e-9 * MATRIX**3),
                rate(lambda: runner(chips), num_chips),
                rate(lambda: matrix @ matrix, 2e-9 * MATRIX**3),
            )
            for _ in range(rounds)
        ]
    )
    by_keras, by_runner, peak = found[:, 0], found[:, 2], found[:, [1, 3]].mean(axis=1)
    median = statistics.median
    return [
        name, f"{per_chip:.2f}", f"{median(by_keras):.1f}", f"{median(by_runner):.1f}",
        f"{median(by_runner / by_keras):.2f}", f"{median(per_chip * by_runner):.0f}", f"{median(peak):.0f}",
        f"{median(per_chip * by_runner / peak):.0%}",
    ]  # fmt: skip


@click.command()
@click.option("--backbones", default="ResNet50,VGG16,MobileNetV2,DenseNet121", help="networks of keras.applications")
@click.option("--size", default=224, help="pixels along each side of a chip")
@click.option("--chips", "num_chips", default=64, help="chips a round")
@click.option("--rounds", default=5, help="rounds")
def main(backbones: str, size: int, num_chips: int, rounds: int) -> None:
    """Print one row per backbone."""
    load_backend()
    rows = [measure(name, size, num_chips, rounds) for name in backbones.split(",")]
    print(f"{size} px, {num_chips} chips a round, medians of {rounds} rounds")
    header = ["backbone", "GFLOP", "predict", "runner", "ratio", "runner GFLOP/s", "sgemm GFLOP/s", "of sgemm"]
    print(table(header, rows))


if __name__ == "__main__":
    main()
