"""Backbones: they build, their weights are the ones asked for, and pixel values mean the same."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from competition.errors import UserError
from models.backbones import AtRest, Inputs, build_extractor, columns_of
from models.recipes import Recipe, resolve
from tests.models import samples
from tests.models.samples import PLANET, chips_for, frozen, inputs_of, output_of, saved, tiny_recipe

JPG, TIF = PLANET.image_set("jpg"), PLANET.image_set("tif")


def extractor_of(recipe: Recipe, size: int | None = None, **options) -> keras.Model:
    return build_extractor(recipe, inputs_of(recipe, size), **options)


def backbone_in(network: keras.Model) -> keras.Model:
    return next(layer for layer in network._flatten_layers(include_self=False) if isinstance(layer, keras.Model))


# Building


def test_features_are_the_poolings_of_the_last_maps_side_by_side(tiny_net, tiny_weights):
    poolings, features = (("avg",), ("max",), ("avg", "max")), []
    for pooling in poolings:
        extractor = extractor_of(tiny_recipe(**frozen(tiny_weights, pooling=pooling)))
        features.append(output_of(extractor, chips_for(extractor)))
    np.testing.assert_allclose(features[2], np.concatenate(features[:2], axis=1), rtol=1e-6)
    flat = extractor_of(tiny_recipe(**frozen(tiny_weights, pooling=("flatten",))))
    assert flat.output_shape == (None, 4 * 6 * 6)


def test_more_levels_put_finer_resolutions_before_the_last(tiny_net, tiny_weights):
    one, two = (extractor_of(tiny_recipe(**frozen(tiny_weights, levels=levels))) for levels in (1, 2))
    assert two.output_shape[-1] == 6 + 4
    chips = chips_for(one)
    np.testing.assert_allclose(output_of(two, chips)[:, -4:], output_of(one, chips), rtol=1e-6)
    with pytest.raises(UserError, match=r"tinynet has 2 resolutions, received --levels 3\."):
        extractor_of(tiny_recipe(**frozen(tiny_weights, levels=3)))


def test_smaller_chips_are_enlarged_within(tiny_net, tiny_weights):
    extractor = extractor_of(tiny_recipe(**frozen(tiny_weights)), size=8)
    assert extractor.input_shape == (None, 8, 8, 3)
    assert backbone_in(extractor).input_shape == (None, 16, 16, 3)


# What is refused


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"weights": "imagenet"}, "no ImageNet weights of backbone 'two_convolutions'. Give --weights none"),
        ({"train": "head"}, "'two_convolutions' is trained from scratch. Give --train full"),
        ({"weights": "some.weights.h5"}, "'two_convolutions' takes no weights file. Give --weights none"),
        ({"input_size": 7}, "'two_convolutions' needs 8 px or more. Give a larger --input-size"),
        ({"backbone": "ResNet5"}, "Unknown backbone 'ResNet5'. Known: .*ResNet50.*two_convolutions"),
        ({"backbone": "MobileNetV2", "train": "head"}, "without weights has nothing to keep or tune. Give --weights"),
        ({"backbone": "InceptionV3"}, "Cannot build InceptionV3 at 16 px: .*at least 75"),
    ],
)
def test_what_cannot_be_built_is_named_in_one_line(values, line):
    with pytest.raises(UserError, match=line) as caught:
        extractor_of(tiny_recipe(**values))
    assert "\n" not in str(caught.value)


def test_networks_that_keras_scales_otherwise_with_imagenet_weights_are_refused():
    """Rebuilt to predict, they would not be what was trained."""
    with pytest.raises(UserError, match=r"Unknown backbone 'EfficientNetB0'\. Known: .*EfficientNetV2B0") as caught:
        extractor_of(tiny_recipe(backbone="EfficientNetB0"))
    assert "EfficientNetB1" not in str(caught.value)


@pytest.mark.parametrize("weights", ["imagenet", "some.weights.h5"])
def test_pretrained_weights_refuse_four_bands(weights):
    recipe = resolve("mobilenet_v2", {"weights": weights, "images": "tif", "bands": "RGBN"})
    with pytest.raises(UserError, match=r"take 3 bands, received 4\. Give --bands RGB, or --weights none"):
        extractor_of(recipe)


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
    extractor = extractor_of(tiny_recipe(**frozen(saved(tmp_path / "donor.weights.h5", donor))))
    for given, loaded in zip(donor.get_weights(), backbone_in(extractor).get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, given)
    chips = chips_for(extractor)
    expected = output_of(donor, chips / np.float32(127.5) - 1).mean(axis=(1, 2))
    np.testing.assert_allclose(output_of(extractor, chips), expected, rtol=1e-5)


def test_mobilenet_v2_takes_a_file_of_its_own_weights(tmp_path):
    donor = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(64, 64, 3), name="donor")
    path = saved(tmp_path / "mobilenet_v2_notop.weights.h5", donor)
    extractor = extractor_of(resolve("mobilenet_v2", {"weights": path, "images": "jpg", "input_size": 32}))
    for given, weights in zip(donor.get_weights(), backbone_in(extractor).get_weights(), strict=True):
        np.testing.assert_array_equal(weights, given)


def test_a_checkpoint_to_be_loaded_next_needs_no_weights(tiny_net):
    assert extractor_of(tiny_recipe(**frozen("gone.weights.h5")), pretrained=False).output_shape == (None, 4)


def network_of(*stack: layers.Layer) -> keras.Model:
    chips = hidden = keras.Input((16, 16, 3))
    for layer in stack:
        hidden = layer(hidden)
    return keras.Model(chips, hidden)


OTHER_NETWORKS = {
    "one layer less": lambda: network_of(layers.Conv2D(6, 3, use_bias=False), layers.BatchNormalization()),
    "other filters": lambda: network_of(
        layers.Conv2D(7, 3, use_bias=False), layers.BatchNormalization(), layers.Conv2D(4, 3)
    ),
    "half a normalisation": lambda: network_of(
        layers.Conv2D(6, 3, use_bias=False), layers.BatchNormalization(scale=False), layers.Conv2D(4, 3)
    ),
    "nothing but a dense layer": lambda: network_of(layers.Dense(4)),
}


@pytest.mark.parametrize("other", OTHER_NETWORKS)
def test_a_file_of_another_network_is_refused(tiny_net, tmp_path, other):
    path = saved(tmp_path / "other.weights.h5", OTHER_NETWORKS[other]())
    with pytest.raises(UserError, match=r"other\.weights\.h5 does not hold .*weights of tinynet") as caught:
        extractor_of(tiny_recipe(**frozen(path)))
    assert "\n" not in str(caught.value)


def test_a_weight_that_the_file_left_unset_is_refused(tiny_net, tmp_path, monkeypatch):
    """Keras may pass over what a file lacks with a warning, by its version and the file's format."""
    path = saved(tmp_path / "some.weights.h5", samples.TinyNet())
    load_weights = keras.Model.load_weights

    def forgetful(network: keras.Model, source: Path) -> None:
        before = network.get_layer("last").get_weights()
        load_weights(network, source)
        network.get_layer("last").set_weights(before)

    monkeypatch.setattr(keras.Model, "load_weights", forgetful)
    with pytest.raises(UserError, match=r"2 of 7 were not in it, such as last/kernel\. Give the file of this backbone"):
        extractor_of(tiny_recipe(**frozen(path)))


@pytest.mark.parametrize("name", ["text.weights.h5", "text.h5", "text.pth", "empty.weights.h5"])
def test_a_file_that_holds_no_weights_is_refused(tiny_net, tmp_path, name):
    path = tmp_path / name
    path.write_text("" if "empty" in name else "These are no weights.")
    with pytest.raises(UserError, match=f"{name} does not hold the weights of tinynet") as caught:
        extractor_of(tiny_recipe(**frozen(str(path))))
    assert "\n" not in str(caught.value)


def test_a_missing_weights_file_is_refused(tiny_net, tmp_path):
    with pytest.raises(UserError, match=r"No weights file .*none\.weights\.h5"):
        extractor_of(tiny_recipe(**frozen(str(tmp_path / "none.weights.h5"))))


def test_offline_the_line_says_which_file_to_put_where(monkeypatch):
    url = "https://storage.example/mobilenet_v2/mobilenet_v2_weights_1.0_224_no_top.h5"

    def offline(**options: object) -> None:
        raise Exception(f"URL fetch failure on {url}: None -- [Errno -2] Name or service not known")

    offline.__module__ = keras.applications.MobileNetV2.__module__
    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    with pytest.raises(
        UserError,
        match=r"^Cannot download the ImageNet weights of MobileNetV2: no network\. "
        r"Put mobilenet_v2_weights_1\.0_224_no_top\.h5 into ~/\.keras/models, or give --weights with its path\.$",
    ):
        extractor_of(resolve("mobilenet_v2", {"images": "jpg"}))
    monkeypatch.setenv("KERAS_HOME", "/elsewhere")
    with pytest.raises(UserError, match="into /elsewhere/models"):
        extractor_of(resolve("mobilenet_v2", {"images": "jpg"}))


# Training


def test_a_network_at_rest_keeps_its_statistics_and_drops_nothing_while_others_learn(tiny_net, tiny_weights):
    extractor = extractor_of(tiny_recipe(**frozen(tiny_weights)))
    at_rest, chips = AtRest(extractor), chips_for(extractor, 8)
    before = extractor.get_weights()
    learning = keras.ops.convert_to_numpy(at_rest(chips, training=True))
    np.testing.assert_array_equal(learning, output_of(extractor, chips))
    assert not samples.moved(before, extractor.get_weights()).count(True)
    assert not np.array_equal(learning, keras.ops.convert_to_numpy(extractor(chips, training=True)))


# Pixel values


def scaled(recipe: Recipe, inputs: Inputs, chips: np.ndarray) -> np.ndarray:
    network = build_extractor(recipe, inputs)
    return output_of(keras.Model(network.input, network.get_layer("scale_to_255").output), chips)


def test_16_bit_bands_reach_the_network_from_0_at_their_low_to_255_at_their_high():
    recipe = tiny_recipe(images="tif", bands="RGBN")
    inputs = Inputs.of(recipe, TIF, np.dtype(np.uint16), 16)
    for level, ends in ((0, inputs.low), (255, inputs.high)):
        chips = np.broadcast_to(np.float32(ends), (1, 16, 16, 4))
        np.testing.assert_allclose(scaled(recipe, inputs, chips), level, atol=1e-3)
    assert (inputs.low[0], inputs.high[0]) == TIF.range["R"]
    assert (inputs.low[3], inputs.high[3]) == TIF.range["N"]


def test_8_bit_values_reach_the_network_as_they_are():
    for images, recipe in ((JPG, tiny_recipe()), (TIF, tiny_recipe(images="tif"))):
        inputs = Inputs.of(recipe, images, np.dtype(np.uint8), 16)
        chips = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
        np.testing.assert_allclose(scaled(recipe, inputs, chips), chips, atol=1e-4)


def test_bands_without_a_range_span_their_data_type():
    images = TIF.model_copy(update={"range": {"N": (100.0, 200.0)}})
    inputs = Inputs.of(tiny_recipe(images="tif", bands="RN"), images, np.dtype(np.uint16), 16)
    assert (inputs.low, inputs.high) == ((0.0, 100.0), (65535.0, 200.0))


def test_inputs_come_back_from_json_as_they_were():
    inputs = inputs_of(tiny_recipe(images="tif", bands="RGBN"))
    assert Inputs.from_dict(json.loads(json.dumps(asdict(inputs)))) == inputs
