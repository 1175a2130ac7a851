"""Real weights and real chips through the door: the bank of a network's own recipe."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest

from competition.data.prepare import prepare
from competition.workspace import Workspace
from models.backend.kept import largest_difference
from models.backend.onnx_graph import as_onnx
from models.inputs.sources import Sources
from models.recipes.named import resolve
from tests.models.samples import PLANET

SHARED = Path(os.environ.get("PLANET_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SHARED / "planet256").is_dir(), reason=f"no real data in {SHARED}; set PLANET_SHARED_DATA"),
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="ONNX is written by tensorflow"),
]
SIZE = 96
# What each does to values of 0 to 1, as a mean and a deviation.
HALF = {"mean": (0.5,), "deviation": (0.5,)}
IMAGENET = {"mean": (0.485, 0.456, 0.406), "deviation": (0.229, 0.224, 0.225)}
CAFFE = {"mean": (103.939 / 255, 116.779 / 255, 123.68 / 255), "deviation": (1 / 255,), "bands": "BGR"}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Workspace:
    found = Workspace(tmp_path_factory.mktemp("real"), PLANET)
    prepare(found, SHARED / "planet256")
    return found


@pytest.mark.parametrize(
    ("backbone", "file", "moments"),
    [
        ("MobileNetV2", "mobilenet_v2_notop.weights.h5", HALF),
        ("DenseNet121", "densenet121_notop.weights.h5", IMAGENET),
        ("VGG16", "vgg16_notop.weights.h5", CAFFE),
    ],
)
def test_onnx_of_real_weights_gives_the_bank_of_the_recipe(workspace, tmp_path, backbone, file, moments):
    network = getattr(keras.applications, backbone)(weights=None, include_top=False, input_shape=(SIZE, SIZE, 3))
    network.load_weights(SHARED / "weights" / file)
    onnx.save(as_onnx(network), tmp_path / "net.onnx")
    own = {"input_size": SIZE, "pooling": ("avg", "max"), "augment": (), "views": "identity"}
    weights = {"backbone": backbone, "weights": str(SHARED / "weights" / file)}
    recipe = resolve("densenet121", {**own, **weights}).settled(PLANET)
    door = {**own, "backbone": "file", "weights": str(tmp_path / "net.onnx"), **moments}
    through = resolve("densenet121", door).settled(PLANET)
    positions = np.arange(200)
    one, other = (Sources(workspace, each).bank("train", ("identity",)).read(positions) for each in (recipe, through))
    assert largest_difference(other, one) < 1e-3
