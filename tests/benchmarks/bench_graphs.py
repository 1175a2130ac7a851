"""Chips a second through the door for networks that others made, against what else runs the same network here.

    python -m tests.benchmarks.bench_graphs --backbones MobileNetV2,DenseNet121 --size 96
    python -m tests.benchmarks.bench_graphs --recipes convnext_tiny_in22k,dinov3_vits16       (needs the extra timm)

A network of keras.applications goes through the door as ONNX, without its preprocessing, against the project's own way
with it; a recipe's network of timm against timm's own eager inference in torch, in batches of 8. Weights are random:
the speed does not depend on them. Rounds take turns.

Measured on two quiet cores, medians of five to nine and, for timm's, of three rounds, chips a second; that of ViT-L on
busy ones, two rounds of four chips, at a peak of 9.3 GB with timm's own network:

    network               px    else    through the door   ratio
    MobileNetV2           96    1010    1060               1.05
    DenseNet121           96    126     134                0.99
    ConvNeXtTiny          96    70.6    69.4               0.98
    VGG16                 96    29.9    29.7               1.01
    InceptionV3           96    165     210                1.33
    ResNet50V2            96    94      116                1.24
    EfficientNetV2B0      96    240     353                1.49
    convnext_tiny_in22k   224   9.13    11.0               1.22
    ssl4eo_resnet50       224   16.1    19.5               1.20
    dinov3_vits16         224   12.2    14.0               1.10
    eva02_small           336   3.15    4.14               1.17
    dinov3_vitl16_sat     224   0.092   0.185              2.01
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from competition.terminal.tables import table
from models.backend.load import load_backend

MOMENTS = {"mean": (0.5,), "deviation": (0.5,)}
EAGER = 8  # chips at once by torch


def rate(run: Callable[[np.ndarray], object], chips: np.ndarray) -> float:
    """Return how many chips a second something takes."""
    started = time.perf_counter()
    run(chips)
    return len(chips) / (time.perf_counter() - started)


def graph_of(recipe: Any, inputs: Any, folder: Path, chips: np.ndarray) -> Any:
    """Return what runs a recipe's network through the door."""
    from models.graphs.made import made_graph

    return made_graph(recipe, inputs, {"recipe": recipe.to_dict()}, folder, chips[:4]).runner(chips[:8])


def of_keras(name: str, size: int, folder: Path, chips: np.ndarray) -> list[Callable[[np.ndarray], Any]]:
    """Return the project's own way with a network of keras.applications, and the same network through the door."""
    import keras
    import onnx

    from models.backend.onnx_graph import as_onnx
    from models.graphs.extractor import KerasExtractor
    from models.networks.backbones import build_extractor
    from models.networks.input_spec import Inputs
    from models.recipes.named import resolve

    network = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(size, size, 3))
    network.save_weights(weights := folder / "net.weights.h5")
    onnx.save(as_onnx(network), folder / "net.onnx")
    own = {"backbone": name, "weights": str(weights), "input_size": size, "pooling": ("avg",), "images": "jpg"}
    recipe = resolve("densenet121", own)
    inputs = Inputs(size, "RGB", (0.0,) * 3, (255.0,) * 3)
    through = resolve("densenet121", {**own, "backbone": "file", "weights": str(folder / "net.onnx"), **MOMENTS})
    kept = KerasExtractor(lambda: build_extractor(recipe, inputs))
    return [kept.runner(chips[:8]), graph_of(through, inputs, folder, chips)]


def of_timm(name: str, folder: Path, chips: np.ndarray) -> list[Callable[[np.ndarray], Any]]:
    """Return timm's eager inference of a recipe's network, and the same network through the door."""
    import timm
    import torch
    from safetensors.torch import save_file

    from models.networks.input_spec import Inputs
    from models.recipes.named import resolve
    from models.recipes.values import TIMM

    size = chips.shape[1]
    recipe = resolve(name, {"weights": str(folder / "net.safetensors"), "mean": (0.5,), "deviation": (0.2,)})
    try:
        network = timm.create_model(recipe.backbone.removeprefix(TIMM), num_classes=0, img_size=size).eval()
    except TypeError:
        network = timm.create_model(recipe.backbone.removeprefix(TIMM), num_classes=0).eval()
    save_file(network.state_dict(), folder / "net.safetensors")

    def eager(chips: np.ndarray) -> None:
        with torch.inference_mode():
            for start in range(0, len(chips), EAGER):
                part = torch.from_numpy(chips[start : start + EAGER].transpose(0, 3, 1, 2).astype(np.float32) / 255)
                network.forward_features(part)

    return [eager, graph_of(recipe, Inputs(size, "RGB", (0.0,) * 3, (255.0,) * 3), folder, chips)]


def row_of(name: str, ways: list[Callable[[np.ndarray], Any]], chips: np.ndarray, rounds: int) -> list[object]:
    """Return medians over the rounds, and the median of the ratios within each."""
    for way in ways:
        way(chips[:8])
    found = np.array([[rate(way, chips) for way in ways] for _ in range(rounds)])
    first, second = (statistics.median(column) for column in found.T)
    return [
        name,
        f"{chips.shape[1]} px",
        f"{first:.3g}",
        f"{second:.3g}",
        f"{np.median(found[:, 1] / found[:, 0]):.2f}",
    ]


@click.command()
@click.option("--backbones", default="", help="networks of keras.applications")
@click.option("--recipes", default="", help="recipes with networks of timm")
@click.option("--size", default=96, help="pixels along each side of the chips of the first")
@click.option("--chips", "num_chips", default=64, help="chips a round")
@click.option("--rounds", default=5, help="rounds")
def main(backbones: str, recipes: str, size: int, num_chips: int, rounds: int) -> None:
    """Print one row for each network."""
    from models.recipes.named import resolve

    load_backend()
    rows, random = [], np.random.default_rng(0)
    for name in filter(None, [*backbones.split(","), *recipes.split(",")]):
        side = resolve(name, {}).input_size if name in recipes.split(",") else size
        chips = random.integers(0, 256, (num_chips, side, side, 3), dtype=np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            of = of_timm(name, Path(folder), chips) if name in recipes.split(",") else None
            rows.append(row_of(name, of or of_keras(name, size, Path(folder), chips), chips, rounds))
            print(*rows[-1])
    print(table(["network", "chips", "else", "through the door", "ratio"], rows))


if __name__ == "__main__":
    main()
