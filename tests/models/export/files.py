"""Networks and manifests to put into files, and the formats that can be written here."""

from __future__ import annotations

import dataclasses
import importlib.util

import keras
import numpy as np
import pytest
from click.testing import CliRunner

import run
from competition.spec.load import load
from models.export import export as export_module
from models.export.manifest import Manifest
from models.networks.backbones import build_extractor
from models.networks.build import build_network
from models.networks.heads import build_head
from models.networks.input_spec import Inputs
from models.recipes.named import resolve
from models.recipes.recipe import Recipe
from models.recipes.values import Part

PLANET = load("planet")
PACKAGES = {".keras": (), ".onnx": ("onnx", "onnxruntime", "tf2onnx"), ".zip": ("openvino",)}
WRITTEN_BY_TENSORFLOW = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="written by tensorflow alone"
)


def needing(suffix: str):
    """Return a format as a parameter, skipped where its packages are not installed."""
    missing = [name for name in PACKAGES[suffix] if importlib.util.find_spec(name) is None]
    marks = [pytest.mark.skipif(bool(missing), reason=f"needs {' '.join(missing)}")]
    return pytest.param(suffix, marks=[*marks, WRITTEN_BY_TENSORFLOW] if suffix != ".keras" else marks, id=suffix)


FORMATS = [needing(suffix) for suffix in PACKAGES]


def recipe_of(backbone: str, **values) -> Recipe:
    own = {"backbone": backbone, "weights": "none", "train": "full", "images": "jpg", "input_size": 16, "dense": (8,)}
    return resolve("baseline", {"pooling": ("avg", "max"), "views": "flips", **own, **values})


KINDS = {
    "from scratch, in 16 bits, of larger chips": recipe_of("two_convolutions", images="tif", bands="RGBN"),
    "frozen, balanced, with exclusive scores": recipe_of(
        "TinyNet", train="head", sampling="balanced", groups="softmax", head_norm="batch", weights="/home/me/w.h5"
    ),
}
FROM_SCRATCH, FROZEN = KINDS.values()
PARTS = (
    Part("TinyNet", "/home/me/w.h5", 16, 1, ("avg",), ("ndvi",), "zero"),
    Part("TinyNet", "imagenet", 24, 2, ("avg", "max"), (), "mean"),
)
KINDS["two backbones of other sizes and bands, in one head of several members"] = dataclasses.replace(
    FROZEN, backbone="one,other", input_size=24, images="tif", bands="RGBN", members=3, parts=PARTS
)


def parts_of(recipe: Recipe, size: int):
    """Return untrained networks as `networks_of` does, whose weights are random everywhere."""
    task, dtype = recipe.task(PLANET), np.dtype("uint8" if recipe.images == "jpg" else "uint16")
    inputs = Inputs.of(recipe, PLANET.image_set(recipe.images), dtype, size)
    extractor = build_extractor(recipe, inputs, pretrained=False) if recipe.train == "head" else None
    networks = [
        build_head(recipe, extractor.output_shape[-1], task)
        if extractor
        else build_network(recipe, task, inputs, pretrained=False)
        for _ in range(2)
    ]
    random = np.random.default_rng(3)
    for network in [*networks, *([extractor] if extractor else [])]:
        for weights in network.weights:
            if "seed" not in weights.path:
                drawn = random.normal(0, 0.2, weights.shape)
                weights.assign(np.exp(drawn) if weights.path.endswith(("variance", "/r", "/s")) else drawn)
    return networks, extractor, inputs, dtype.name


def manifest_of(recipe: Recipe, inputs: Inputs, dtype: str = "uint8", **values) -> Manifest:
    labels = recipe.task(PLANET).labels
    known = {"model": "tiny", "competition": PLANET, "labels": labels, "cuts": dict.fromkeys(labels, 0.25)}
    more = {"inputs": inputs, "dtype": dtype, "views": ("identity",), "recipe": recipe, "folds": (0, 1)}
    return Manifest(**{**known, **more, "digests": {}, "versions": {}, **values})


def chips_for(inputs: Inputs, dtype: str) -> np.ndarray:
    return export_module._made_up_chips(inputs, dtype)


def command(*arguments) -> str:
    done = CliRunner().invoke(run.main, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output
