"""Networks from recipes: they build, their weights are the ones asked for, and pixel values mean the same."""

from __future__ import annotations

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import models
from competition.errors import UserError
from competition.spec import load
from models.backbones import Inputs, build_network, columns_of, compile_network
from models.recipes import Recipe, load_recipes, resolve
from tests.models import samples
from tests.models.samples import saved, tiny_recipe

PLANET = load("planet")
JPG, TIF = PLANET.image_set("jpg"), PLANET.image_set("tif")
NUM_LABELS = len(PLANET.labels)
TRUTH = np.ones((2, NUM_LABELS), bool)
QUICK = {"baseline", "residual", "mobilenet_v2"}
SMALLEST = {"inception_v3": 75}
HEAD = ("pooling", "dropout", "dense", "scores")


def inputs_of(recipe: Recipe) -> Inputs:
    images = PLANET.image_set(recipe.images)
    return Inputs.of(recipe, images, np.dtype(np.uint8 if recipe.images == "jpg" else np.uint16))


def built(recipe: Recipe, **options) -> keras.Model:
    return build_network(recipe, NUM_LABELS, inputs_of(recipe), **options)


def scores_of(network: keras.Model, chips: np.ndarray) -> np.ndarray:
    """Return what a network makes of chips; part of one may give other things than scores."""
    return keras.ops.convert_to_numpy(network(chips, training=False))


def chips_for(network: keras.Model, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, *network.input_shape[1:])).astype(np.float32)


def frozen(weights: str, **values) -> Recipe:
    return tiny_recipe(backbone="TinyNet", weights=weights, train="head", pooling=("avg",), **values)


def backbone_in(network: keras.Model) -> keras.Model:
    return next(layer for layer in network._flatten_layers(include_self=False) if isinstance(layer, keras.Model))


# Building


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in load_recipes()]
)
def test_every_recipe_builds_and_scores(name):
    values = {"weights": "none", "train": "full", "images": "jpg", "input_size": SMALLEST.get(name, 32)}
    network = built(resolve(name, values))
    scores = scores_of(network, chips_for(network))
    assert scores.shape == (2, NUM_LABELS)
    assert ((scores > 0) & (scores < 1)).all()


@pytest.mark.parametrize(
    "name", ["baseline", "residual", "mobilenet_v2", pytest.param("efficientnet_v2_b0", marks=pytest.mark.slow)]
)
def test_four_bands_are_taken_without_weights(name):
    values = {"weights": "none", "train": "full", "images": "tif", "bands": "RGBN", "input_size": 32}
    network = built(resolve(name, values))
    assert network.input_shape == (None, 32, 32, 4)
    assert scores_of(network, chips_for(network)).shape == (2, NUM_LABELS)


def test_the_head_is_the_papers():
    network = built(tiny_recipe(dense=(9, 5), dropout=0.4, pooling=("max",)))
    head = [layer for layer in network.layers if layer.name.startswith(HEAD)]
    assert [type(layer).__name__ for layer in head] == [
        "GlobalMaxPooling2D", "Dropout", "Dense", "Dropout", "Dense", "Dropout", "Dense",
    ]  # fmt: skip
    assert [layer.units for layer in head if isinstance(layer, layers.Dense)] == [9, 5, NUM_LABELS]
    assert {layer.rate for layer in head if isinstance(layer, layers.Dropout)} == {0.4}


def test_first_weights_depend_on_the_seed_alone():
    one, same, other = (built(tiny_recipe(seed=seed)).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[-2], other[-2])


def test_the_cosine_schedule_ends_at_zero_with_the_last_epoch():
    recipe = tiny_recipe(schedule="cosine", learning_rate=0.5, epochs=4)
    network = built(recipe)
    compile_network(network, recipe, PLANET, 3, TRUTH)
    rates = []
    for step in (0, 6, 12):
        network.optimizer.iterations.assign(step)
        rates.append(float(network.optimizer.learning_rate))
    assert rates == pytest.approx([0.5, 0.25, 0.0], abs=1e-6)


# What is refused


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"weights": "imagenet"}, "no ImageNet weights of backbone 'two_convolutions'. Give --weights none"),
        ({"train": "head"}, "'two_convolutions' is trained from scratch. Give --train full"),
        ({"weights": "some.weights.h5"}, "'two_convolutions' takes no weights file. Give --weights none"),
        ({"backbone": "ResNet5"}, "Unknown backbone 'ResNet5'. Known: .*ResNet50.*two_convolutions"),
    ],
)
def test_what_cannot_be_built_is_named_in_one_line(values, line):
    with pytest.raises(UserError, match=line) as caught:
        built(tiny_recipe(**values))
    assert "\n" not in str(caught.value)


def test_bands_are_found_in_the_order_asked_for():
    assert columns_of(tiny_recipe(images="tif", bands="RGB"), TIF) == (2, 1, 0)
    assert columns_of(tiny_recipe(images="tif", bands="NR"), TIF) == (3, 2)


@pytest.mark.parametrize("bands", ["RGBN", ""])
def test_bands_that_the_chips_lack_are_refused(bands):
    with pytest.raises(UserError, match=f"asks for bands '{bands}'; the .jpg chips have 'RGB'. Give --bands"):
        columns_of(tiny_recipe(bands=bands), JPG)


# Weights


def test_a_weights_file_is_loaded_whole(tiny_net, tmp_path):
    donor = samples.TinyNet()
    path = saved(tmp_path / "donor.weights.h5", donor)
    network = built(frozen(path))
    for given, loaded in zip(donor.get_weights(), backbone_in(network).get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, given)
    chips = chips_for(network)
    features = scores_of(keras.Model(network.input, network.get_layer("pooling").output), chips)
    expected = scores_of(donor, chips / np.float32(127.5) - 1).mean(axis=(1, 2))
    np.testing.assert_allclose(features, expected, rtol=1e-5)


def test_mobilenet_v2_takes_a_file_of_its_own_weights(tmp_path):
    donor = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(64, 64, 3), name="donor")
    path = saved(tmp_path / "mobilenet_v2_notop.weights.h5", donor)
    network = built(resolve("mobilenet_v2", {"weights": path, "images": "jpg", "input_size": 32}))
    loaded = backbone_in(network)
    for given, weights in zip(donor.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, given)
    assert not loaded.trainable_weights


def test_a_checkpoint_to_be_loaded_next_needs_no_weights(tiny_net):
    network = built(frozen("gone.weights.h5"), pretrained=False)
    assert not backbone_in(network).trainable_weights


# Training


@pytest.mark.parametrize("train", ["head", "full"])
def test_a_frozen_backbone_and_its_statistics_stand_still_and_a_learning_one_moves(tiny_net, tmp_path, train):
    recipe = frozen(saved(tmp_path / "donor.weights.h5", samples.TinyNet()))
    recipe = resolve("baseline", {**recipe.to_dict(), "train": train})
    network = built(recipe)
    compile_network(network, recipe, PLANET, 1, TRUTH)
    backbone = backbone_in(network)
    features, chips = keras.Model(network.input, network.get_layer("pooling").output), chips_for(network)
    learning, at_rest = (keras.ops.convert_to_numpy(features(chips, training=mode)) for mode in (True, False))
    assert np.array_equal(learning, at_rest) == (train == "head")
    assert bool(backbone.trainable_weights) == (train == "full")
    before, head = backbone.get_weights(), network.get_layer("scores").get_weights()
    network.fit(chips_for(network, 8), np.ones((8, NUM_LABELS), np.float32), verbose=0)
    moved = [not np.array_equal(a, b) for a, b in zip(before, backbone.get_weights(), strict=True)]
    assert moved == [train == "full"] * len(moved)
    assert not np.array_equal(head[0], network.get_layer("scores").get_weights()[0])


# Pixel values


def scaled(inputs: Inputs, chips: np.ndarray) -> np.ndarray:
    network = build_network(tiny_recipe(bands=inputs.bands), NUM_LABELS, inputs)
    return scores_of(keras.Model(network.input, network.get_layer("scale_to_255").output), chips)


def test_16_bit_bands_reach_the_network_from_0_at_their_low_to_255_at_their_high():
    inputs = Inputs.of(tiny_recipe(images="tif", bands="RGBN"), TIF, np.dtype(np.uint16))
    for level, ends in ((0, inputs.low), (255, inputs.high)):
        chips = np.broadcast_to(np.float32(ends), (1, 16, 16, 4))
        np.testing.assert_allclose(scaled(inputs, chips), level, atol=1e-3)
    assert (inputs.low[0], inputs.high[0]) == TIF.range["R"]
    assert (inputs.low[3], inputs.high[3]) == TIF.range["N"]


def test_8_bit_values_reach_the_network_as_they_are():
    for images, recipe in ((JPG, tiny_recipe()), (TIF, tiny_recipe(images="tif"))):
        inputs = Inputs.of(recipe, images, np.dtype(np.uint8))
        chips = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
        np.testing.assert_allclose(scaled(inputs, chips), chips, atol=1e-4)


def test_bands_without_a_range_span_their_data_type():
    images = TIF.model_copy(update={"range": {"N": (100.0, 200.0)}})
    inputs = Inputs.of(tiny_recipe(images="tif", bands="RN"), images, np.dtype(np.uint16))
    assert (inputs.low, inputs.high) == ((0.0, 100.0), (65535.0, 200.0))


# The room


def test_tensorflow_is_named_only_where_keras_leaves_xla_to_it():
    found = {}
    for path in Path(models.__file__).parent.glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for node in ast.iter_child_nodes(function) if isinstance(function, ast.FunctionDef | ast.Module) else ():
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                if any(name.split(".")[0] in ("tensorflow", "jax", "torch") for name in names):
                    found[path.name] = getattr(function, "name", "module")
    assert found in ({}, {"backbones.py": "_jit_compile"})
