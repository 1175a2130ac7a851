"""Backbones: from chips to pooled features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import layers

from competition.common.errors import UserError, unknown_name
from models.foreign.backbone import TimmBackbone, shapes_of
from models.foreign.modules import check_timm, layout_of, moments_of
from models.foreign.outputs import taken_of
from models.foreign.weights import timm_module
from models.networks.applications import application, applications
from models.networks.input_spec import Inputs, as_colours
from models.networks.layers import Resize, SpectralIndices
from models.recipes.recipe import Recipe
from models.recipes.values import TIMM

OWN = ("two_convolutions", "residual")
SMALLEST = 8  # pixels: what is left after every halving of our own backbones must be something


def build_extractor(recipe: Recipe, inputs: Inputs, *, pretrained: bool = True) -> keras.Model:
    """Return the part of a recipe's network that comes before its head.

    Everything done to pixel values is inside it, so that training, prediction and later use cannot differ.

    Args:
        recipe: the recipe.
        inputs: size and bands of the chips, and what their values span.
        pretrained: load the recipe's weights; False where a checkpoint's are loaded next.

    Returns:
        A network from chips (num_chips, size, size, num_bands), in the values of the files, to features
        (num_chips, num_features).

    Raises:
        UserError: if the backbone is unknown, or its weights cannot be had or do not fit.
    """
    check_backbone(recipe)
    chips = keras.Input((inputs.size, inputs.size, len(inputs.bands)), name="chips")
    if not recipe.parts:
        return keras.Model(chips, _features(chips, recipe, inputs, pretrained), name="extractor")
    beside = []
    for number, part in enumerate(recipe.of_parts):
        # Layers of all parts lie in one network, and not in one of each part, so that whoever runs it sees the sizes of
        # their maps; no two may be of one name.
        prefix, own, seen = f"part{number}_", replace(inputs, size=min(inputs.size, part.input_size)), chips
        if own.size != inputs.size:  # here they become the chips that the part has by itself
            seen = Resize(own.size, inputs.of_8_bits, dtype="float32", name=f"{prefix}chips")(chips)
        beside.append(_features(seen, part, own, pretrained, prefix))
    return keras.Model(chips, layers.Concatenate(name="features", dtype="float32")(beside), name="extractor")


def _features(chips: Any, recipe: Recipe, inputs: Inputs, pretrained: bool, prefix: str = "") -> Any:
    """Return the features that a recipe which is not joint makes of chips; its layers' names begin with `prefix`."""
    named, hidden = as_colours(inputs.bands), chips
    if recipe.indices:
        hidden = SpectralIndices(named, recipe.indices, name=f"{prefix}indices")(hidden)
    hidden = _scale(inputs, len(recipe.indices), f"{prefix}scale_to_255")(hidden)
    if inputs.size != recipe.input_size:
        hidden = Resize(recipe.input_size, dtype="float32", name=f"{prefix}resize")(hidden)
    if recipe.backbone in OWN:
        return _pooled([_own_backbone(hidden, recipe)], recipe, prefix)
    if recipe.backbone.startswith(TIMM):
        return _of_timm(hidden, recipe, inputs, pretrained)
    network = application(recipe, (*named, *recipe.indices), pretrained=pretrained)
    preprocess, whole = network.get_layer("preprocess").get_config(), network.layers[-1]
    backbone = keras.Model(whole.inputs, _levels(whole, recipe.levels), name=f"{prefix}backbone")
    scaled = layers.Rescaling.from_config({**preprocess, "name": f"{prefix}preprocess"})(hidden)
    return _pooled(_as_list(backbone(scaled)), recipe, prefix)


def _of_timm(hidden: Any, recipe: Recipe, inputs: Inputs, pretrained: bool) -> Any:
    """Return the features that a network of timm makes of chips in 0 to 255: the same that its graph makes of them."""
    bands = as_colours(inputs.bands)
    module = timm_module(recipe, bands, pretrained=pretrained)
    mean, deviation = moments_of(module, recipe, bands)
    mean, deviation = inputs.mean or mean, inputs.deviation or deviation
    scales = [1 / (255 * each) for each in deviation]
    offsets = [-each / by for each, by in zip(mean, deviation, strict=True)]
    scaled = layers.Rescaling(scales, offsets, dtype="float32", name="preprocess")(hidden)
    chip = (len(bands), recipe.input_size, recipe.input_size)
    shapes = shapes_of(module, chip)
    taken = taken_of(recipe, shapes, recipe.backbone, layout_of(module))
    names = tuple(dict.fromkeys(each.name for each in taken))
    backbone = TimmBackbone(module, chip, shapes, names, name="backbone")
    made = dict(zip(backbone.names, _as_list(backbone(scaled)), strict=True))
    features = [part for each in taken for part in each.of_keras(made[each.name])]
    return layers.Concatenate(name="features", dtype="float32")(features) if len(features) > 1 else features[0]


def check_backbone(recipe: Recipe) -> None:
    """Refuse a backbone that is unknown, or one of our own with weights to begin with or too small an input.

    Those that are run as graphs are looked at where these are made.

    Raises:
        UserError: with the flag that mends it.
    """
    for part in recipe.of_parts:
        if not part.of_graph:
            _check_one(part)


def _check_one(recipe: Recipe) -> None:
    if recipe.backbone.startswith(TIMM):
        check_timm(recipe)
        return
    if recipe.backbone not in (known := [*OWN, *applications()]):
        raise unknown_name("backbone", recipe.backbone, known)
    if recipe.backbone not in OWN:
        return
    if recipe.weights != "none" or recipe.train != "full":
        raise UserError(
            f"Backbone {recipe.backbone!r} has no weights to begin with: it is trained from scratch. "
            "Give --weights none --train full --solver gradient, or a --backbone of keras.applications."
        )
    if recipe.input_size < SMALLEST:
        raise UserError(f"Backbone {recipe.backbone!r} needs {SMALLEST} px or more. Give a larger --input-size.")


def _as_list(maps: Any) -> list[Any]:
    return list(maps) if isinstance(maps, list | tuple) else [maps]


def _pooled(maps: list[Any], recipe: Recipe, prefix: str) -> Any:
    pooling = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}
    pooled = [pooling[kind](dtype="float32")(features) for features in maps for kind in recipe.pooling]
    together = layers.Concatenate(name=f"{prefix}features", dtype="float32")
    return together(pooled) if len(pooled) > 1 else pooled[0]


def _scale(inputs: Inputs, num_indices: int, name: str) -> keras.Layer:
    """Return the layer that brings each band to 0 to 255; indices are there already."""
    low = np.array([*inputs.low, *[0.0] * num_indices])
    high = np.array([*inputs.high, *[255.0] * num_indices])
    variance = ((high - low) / 255) ** 2
    return layers.Normalization(mean=low, variance=variance, dtype="float32", name=name)


def _own_backbone(chips: Any, recipe: Recipe) -> Any:
    scaled = layers.Rescaling(1 / 127.5, offset=-1, name="preprocess")(chips)
    return _two_convolutions(scaled) if recipe.backbone == "two_convolutions" else _residual(scaled)


def _two_convolutions(hidden: Any) -> Any:
    for filters in (32, 64):
        hidden = layers.Conv2D(filters, 3, padding="same", activation="relu")(hidden)
        hidden = layers.MaxPooling2D()(hidden)
    return hidden


def _residual(hidden: Any) -> Any:
    """Return the features of a plain residual network (He et al. 2016, section 4.2, widened)."""

    def normalised(inputs: Any, filters: int, size: int, strides: int = 1) -> Any:
        convolved = layers.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(inputs)
        return layers.BatchNormalization(momentum=0.9)(convolved)

    hidden = layers.Activation("relu")(normalised(hidden, 32, 3))
    for filters, strides in ((32, 1), (64, 2), (128, 2)):
        inner = layers.Activation("relu")(normalised(hidden, filters, 3, strides))
        inner = normalised(inner, filters, 3)
        same_shape = strides == 1 and hidden.shape[-1] == filters
        shortcut = hidden if same_shape else normalised(hidden, filters, 1, strides)
        hidden = layers.Activation("relu")(layers.add([shortcut, inner]))
    return hidden


def _levels(backbone: keras.Model, count: int) -> list[Any]:
    """Return the last feature map of each of the `count` coarsest resolutions, the coarsest last.

    Raises:
        UserError: if the backbone has fewer.
    """
    coarsest = backbone.output.shape[1]
    last: dict[int, Any] = {}
    for layer in backbone.layers:
        if not isinstance(layer, layers.InputLayer | layers.ZeroPadding2D) and len(layer.output.shape) == 4:
            last[layer.output.shape[1]] = layer.output
    last = {size: maps for size, maps in last.items() if size > coarsest}  # not those that weigh channels, of 1 pixel
    last[coarsest] = backbone.output
    if count > len(last):
        raise UserError(f"{backbone.name} has {len(last)} resolutions, received --levels {count}.")
    return [last[size] for size in sorted(last)[:count]][::-1]
