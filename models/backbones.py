"""Backbones: from chips to pooled features."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from competition.errors import UserError, unknown_name
from competition.spec import ImageSet
from models.recipes import Recipe
from models.resize import Resize

OWN = ("two_convolutions", "residual")
SMALLEST = 8  # pixels: what is left after every halving of our own backbones must be something


@dataclass(frozen=True)
class Inputs:
    """What a network is given.

    Attributes:
        size: pixels along each side of a chip.
        bands: bands in the network's order, one letter each.
        low: value of each band that stands for 0.
        high: value of each band that stands for 255.
    """

    size: int
    bands: str
    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, recipe: Recipe, images: ImageSet, dtype: np.dtype[Any], size: int) -> Inputs:
        """Return the inputs of a recipe for chips of one rendering.

        Raises:
            UserError: if the rendering lacks a band that the recipe asks for.
        """
        columns_of(recipe, images)
        whole = (0.0, float(np.iinfo(dtype).max))
        # A range is that of 16-bit values: 8-bit chips of the same rendering were already brought to 0..255.
        ranges = [images.range.get(band, whole) if dtype == np.uint16 else whole for band in recipe.bands]
        return cls(size, recipe.bands, tuple(low for low, _ in ranges), tuple(high for _, high in ranges))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Inputs:
        """Return the inputs that `dataclasses.asdict` has written as JSON."""
        return cls(values["size"], values["bands"], tuple(values["low"]), tuple(values["high"]))


def columns_of(recipe: Recipe, images: ImageSet) -> tuple[int, ...]:
    """Return the columns of the recipe's bands among those of a rendering.

    Raises:
        UserError: if the rendering lacks one.
    """
    if not recipe.bands or not set(recipe.bands) <= set(images.bands):
        raise UserError(
            f"The recipe asks for bands {recipe.bands!r}; the {images.suffix} chips have {images.bands!r}. "
            "Give --bands, or --images with a rendering that has them."
        )
    return tuple(images.bands.index(band) for band in recipe.bands)


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
    chips = keras.Input((inputs.size, inputs.size, len(inputs.bands)), name="chips")
    hidden = _scale(inputs)(chips)
    if inputs.size != recipe.input_size:
        hidden = Resize(recipe.input_size, name="resize")(hidden)
    maps = [_own_backbone(hidden, recipe)] if recipe.backbone in OWN else _application(hidden, recipe, pretrained)
    return keras.Model(chips, _pooled(maps, recipe), name="extractor")


def _pooled(maps: list[Any], recipe: Recipe) -> Any:
    pooling = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}
    pooled = [pooling[kind](dtype="float32")(features) for features in maps for kind in recipe.pooling]
    return layers.Concatenate(name="features", dtype="float32")(pooled) if len(pooled) > 1 else pooled[0]


def _scale(inputs: Inputs) -> keras.Layer:
    low, high = np.array(inputs.low), np.array(inputs.high)
    return layers.Normalization(mean=low, variance=((high - low) / 255) ** 2, name="scale_to_255")


def _own_backbone(chips: Any, recipe: Recipe) -> Any:
    if recipe.weights == "imagenet":
        raise UserError(f"There are no ImageNet weights of backbone {recipe.backbone!r}. Give --weights none.")
    if recipe.train != "full":
        raise UserError(f"Backbone {recipe.backbone!r} is trained from scratch. Give --train full.")
    if recipe.weights != "none":
        raise UserError(f"Backbone {recipe.backbone!r} takes no weights file. Give --weights none.")
    if recipe.input_size < SMALLEST:
        raise UserError(f"Backbone {recipe.backbone!r} needs {SMALLEST} px or more. Give a larger --input-size.")
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


def _application(chips: Any, recipe: Recipe, pretrained: bool) -> Any:
    """Return the features of a network of keras.applications, with its own preprocessing before it."""
    builder = _builder(recipe.backbone)
    num_bands = chips.shape[-1]
    if recipe.weights != "none" and num_bands != 3:
        raise UserError(f"Pretrained weights take 3 bands, received {num_bands}. Give --bands RGB, or --weights none.")
    if recipe.weights == "none" and recipe.train != "full":
        raise UserError("A backbone without weights has nothing to keep or tune. Give --weights, or --train full.")
    options = {"include_top": False, "input_shape": chips.shape[1:]}
    if num_bands == 3:
        chips = importlib.import_module(builder.__module__).preprocess_input(chips)
    else:  # the networks' own preprocessing holds the statistics of three bands
        chips = layers.Rescaling(1 / 127.5, offset=-1, name="preprocess")(chips)
        if "include_preprocessing" in inspect.signature(builder).parameters:
            options["include_preprocessing"] = False
    backbone = _load(builder, recipe, options) if pretrained else _build(builder, None, options)
    maps = keras.Model(backbone.inputs, _levels(backbone, recipe.levels), name="backbone")(chips)
    return list(maps) if isinstance(maps, list | tuple) else [maps]


def _levels(backbone: keras.Model, count: int) -> list[Any]:
    """Return the last feature map of each of the `count` coarsest resolutions, the coarsest last.

    Raises:
        UserError: if the backbone has fewer.
    """
    last: dict[int, Any] = {}
    for layer in backbone.layers:
        if not isinstance(layer, layers.InputLayer | layers.ZeroPadding2D) and len(layer.output.shape) == 4:
            last[layer.output.shape[1]] = layer.output
    last[backbone.output.shape[1]] = backbone.output
    if count > len(last):
        raise UserError(f"{backbone.name} has {len(last)} resolutions, received --levels {count}.")
    return [last[size] for size in sorted(last)[:count]][::-1]


@keras.saving.register_keras_serializable(package="planet")
class AtRest(layers.Layer):
    """A network that stays as it is while others learn: batch-norm statistics are kept, dropout is off.

    `backbone(chips, training=False)` does not do it: `fit` runs every layer of the whole in the mode of the whole.
    """

    def __init__(self, network: keras.Model, **options: Any) -> None:
        super().__init__(**options)
        self.network = network

    def call(self, chips: Any) -> Any:
        """Return the features of the chips."""
        return self.network(chips, training=False)


def _builder(name: str) -> Any:
    # EfficientNetB0 to B7 scale their input otherwise with weights="imagenet" than without: a network rebuilt to
    # resume or to predict would not be the one that was trained.
    functions = [key for key, value in vars(keras.applications).items() if inspect.isfunction(value)]
    known = [key for key in functions if not key.startswith("EfficientNetB")]
    if name not in known:
        raise unknown_name("backbone", name, [*OWN, *known])
    return getattr(keras.applications, name)


def _build(builder: Any, weights: str | None, options: dict[str, Any]) -> keras.Model:
    with warnings.catch_warnings():  # Keras finds four bands, or MobileNet at other sizes than its own, worth a remark
        warnings.simplefilter("ignore", UserWarning)
        return builder(weights=weights, **options)


def _load(builder: Any, recipe: Recipe, options: dict[str, Any]) -> keras.Model:
    from_file = recipe.weights not in ("imagenet", "none")
    path = recipe.weights_path() if from_file else None
    try:
        backbone = _build(builder, "imagenet" if recipe.weights == "imagenet" else None, options)
        if path:
            _load_file(backbone, path)
        return backbone
    except UserError:
        raise
    except Exception as error:  # Keras raises bare Exceptions for failed downloads
        text = " ".join(str(error).split())
        if url := re.search(r"URL fetch failure on (\S+)", text):
            name = url.group(1).rstrip(":").rsplit("/", 1)[-1]
            folder = Path(os.environ.get("KERAS_HOME", "~/.keras")) / "models"
            raise UserError(
                f"Cannot download the ImageNet weights of {recipe.backbone}: no network. "
                f"Put {name} into {folder}, or give --weights with its path."
            ) from error
        raise UserError(f"Cannot build {recipe.backbone} at {recipe.input_size} px: {text[:300]}") from error


def _load_file(backbone: keras.Model, path: Path) -> None:
    """Load a weights file, and make sure that it gave every weight: Keras only warns of what it skips."""
    for variable in backbone.weights:
        variable.assign(np.full(variable.shape, np.nan, dtype=variable.dtype))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            backbone.load_weights(path)
    except Exception as error:  # h5py and Keras raise whatever they like on a file of something else
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path} does not hold the weights of {backbone.name}: {reason}") from error
    left = [variable.path for variable in backbone.weights if np.isnan(keras.ops.convert_to_numpy(variable)).any()]
    if left:
        raise UserError(
            f"{path} does not hold all weights of {backbone.name}: {len(left)} of {len(backbone.weights)} were not "
            f"in it, such as {left[0]}. Give the file of this backbone without its top."
        )
