"""Backbones: they build, their weights are the ones asked for, and pixel values mean the same."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from competition.common.errors import UserError
from models.backend.openvino import nhwc_pixels
from models.networks.backbones import build_extractor, check_backbone
from models.networks.input_spec import Inputs
from models.recipes.named import resolve
from models.recipes.recipe import Recipe
from models.recipes.values import Part
from tests.models.samples import PLANET, chips_for, frozen, inputs_of, output_of, tiny_recipe

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


def test_a_joint_extractor_is_those_of_its_parts_side_by_side(tiny_net, tiny_weights):
    """Each enlarges the same chips as it needs, and appends its own indices."""
    own = {"images": "tif", "bands": "RGBN"}
    one = tiny_recipe(**frozen(tiny_weights, levels=2, **own))
    other = tiny_recipe(**frozen(tiny_weights, input_size=24, indices=("ndvi",), pooling=("avg", "max"), **own))
    names = [field.name for field in dataclasses.fields(Part)]
    parts = tuple(Part(**{name: getattr(recipe, name) for name in names}) for recipe in (one, other))
    joint = extractor_of(dataclasses.replace(one, backbone="one,other", input_size=24, parts=parts), size=16)
    alone = [extractor_of(recipe, size=16) for recipe in (one, other)]
    chips = chips_for(joint)
    beside = np.concatenate([output_of(extractor, chips) for extractor in alone], axis=1)
    np.testing.assert_allclose(output_of(joint, chips), beside, rtol=1e-5)
    assert joint.input_shape == (None, 16, 16, 4)
    assert nhwc_pixels(joint) == 24 * 24


# What is refused


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"weights": "imagenet"}, "'two_convolutions' has no weights to .* Give --weights none --train full --solver"),
        (
            {"train": "head", "weights": "some.weights.h5"},
            "'two_convolutions' has no weights to begin with: .* or a --backbone of keras.applications",
        ),
        ({"input_size": 7}, "'two_convolutions' needs 8 px or more. Give a larger --input-size"),
        ({"backbone": "ResNet5"}, "Unknown backbone 'ResNet5'. Known: .*ResNet50.*two_convolutions"),
        (
            {"backbone": "MobileNetV2", "train": "head"},
            "without weights has nothing to keep or tune: with --weights none, expected --train full",
        ),
        ({"backbone": "InceptionV3"}, "Cannot build InceptionV3 at 16 px: .*at least 75"),
    ],
)
def test_what_cannot_be_built_is_named_in_one_line(values, line):
    with pytest.raises(UserError, match=line) as caught:
        extractor_of(tiny_recipe(**values))
    assert "\n" not in str(caught.value)


def test_every_part_is_looked_at():
    joint = resolve("densenet121_vgg16_levels", {})
    check_backbone(joint)
    unknown = dataclasses.replace(joint.parts[1], backbone="VGG20")
    with pytest.raises(UserError, match=r"Unknown backbone 'VGG20'\. Known: .*VGG16"):
        check_backbone(dataclasses.replace(joint, parts=(joint.parts[0], unknown)))
    graph = dataclasses.replace(joint.parts[1], backbone="timm/resnet18", levels=1)
    check_backbone(dataclasses.replace(joint, parts=(joint.parts[0], graph)))  # looked at where it is made


@pytest.mark.parametrize("name", ["EfficientNetV2B0", "MobileNetV3Small", "MobileNetV2"])
def test_the_last_map_is_the_backbones_own_and_not_what_weighs_its_channels(name):
    """Squeeze-and-excite blocks hold maps of one pixel, smaller than the last one."""
    extractor = extractor_of(tiny_recipe(backbone=name, train="full", input_size=96, pooling=("avg",)))
    whole = getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(96, 96, 3))
    assert extractor.get_layer("backbone").output_shape == whole.output_shape == (None, 3, 3, extractor.output_shape[1])


def test_networks_that_keras_scales_otherwise_with_imagenet_weights_are_refused():
    """Rebuilt to predict, they would not be what was trained."""
    with pytest.raises(UserError, match=r"Unknown backbone 'EfficientNetB0'\. Known: .*EfficientNetV2B0") as caught:
        extractor_of(tiny_recipe(backbone="EfficientNetB0"))
    assert "EfficientNetB1" not in str(caught.value)


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
