"""The networks of keras.applications, for any bands: their weights, their preprocessing, and filters for new bands."""

from __future__ import annotations

import importlib
import inspect
import itertools
import os
import re
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from competition.common.errors import UserError
from models.backend.downloads import bounded
from models.backend.load import load_hdf5
from models.recipes.recipe import Recipe

RGB = ("R", "G", "B")
Builder = Any  # a function of keras.applications


def applications() -> list[str]:
    """Return the names of the networks that `application` builds."""
    # EfficientNetB0 to B7 scale their input otherwise with weights="imagenet" than without: a network rebuilt to
    # resume or to predict would not be the one that was trained.
    functions = [key for key, value in vars(keras.applications).items() if inspect.isfunction(value)]
    return [key for key in functions if not key.startswith("EfficientNetB")]


def application(recipe: Recipe, bands: Sequence[str], *, pretrained: bool = True) -> keras.Model:
    """Return a network of keras.applications without its top, for any bands, with its own preprocessing inside.

    R, G and B are preprocessed as the network asks for and keep their pretrained filters. Every other band is
    preprocessed by the mean of what R, G and B get; its filters start from the mean of theirs, or from zero
    (Carreira and Zisserman 2017 inflate filters over time in this way).

    Args:
        recipe: gives the backbone, its weights, the input size and what new bands' filters start from.
        bands: one name per band, in the order of the chips' bands, such as "RGBN" or ("R", "G", "B", "N", "ndvi").
        pretrained: load the recipe's weights; False where a checkpoint's are loaded next.

    Returns:
        A network from chips (num_chips, input_size, input_size, num_bands), in 0 to 255, to the last feature map
        (num_chips, height, width, num_features). Its last layer is the network of keras.applications.

    Raises:
        UserError: if its weights cannot be had or do not fit.
    """
    builder = getattr(keras.applications, recipe.backbone)
    three = _three_bands(builder, recipe, pretrained)
    inner = [] if tuple(bands) == RGB else _inner_preprocessing(three)
    channels, scales, offsets = _preprocessing(builder, inner)
    shape = (recipe.input_size, recipe.input_size, len(bands))
    backbone = three if len(bands) == 3 and not inner else _build(builder, None, shape, bare=True)
    own = [RGB.index(band) if band in RGB else None for band in bands]
    if pretrained and recipe.weights != "none":
        sources = [None if place is None else int(channels[place]) for place in own]
        backbone.set_weights(_inflated(three, sources, recipe.new_bands))
    chips = keras.Input(shape, name="chips")
    # In float32 under any policy: bfloat16 holds 8 bits of a value, and a 16-bit band has more to it.
    preprocess = layers.Rescaling(_by_band(scales, own), _by_band(offsets, own), dtype="float32", name="preprocess")
    return keras.Model(chips, backbone(preprocess(chips)), name=recipe.backbone.lower())


def _build(builder: Builder, weights: str | None, shape: tuple[int, int, int], *, bare: bool = False) -> keras.Model:
    """Return a network without its top; a bare one is also without the preprocessing some have inside."""
    options = {"weights": weights, "include_top": False, "input_shape": shape}
    if bare and "include_preprocessing" in inspect.signature(builder).parameters:
        options["include_preprocessing"] = False
    with warnings.catch_warnings():  # Keras finds four bands, or MobileNet at other sizes than its own, worth a remark
        warnings.simplefilter("ignore", UserWarning)
        return builder(**options)


# Preprocessing


def _inner_preprocessing(network: keras.Model) -> list[keras.Layer]:
    """Return copies of the preprocessing layers that a network begins with, in float32 under any policy."""
    kinds = (layers.Rescaling, layers.Normalization)
    inner = itertools.takewhile(lambda layer: isinstance(layer, kinds), network.layers[1:])
    return [type(layer).from_config({**layer.get_config(), "dtype": "float32"}) for layer in inner]


def _preprocessing(
    builder: Builder, inner: list[keras.Layer]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return what becomes of R, G and B: the channel that the network sees each in, its factor and its offset.

    Every preprocessing of keras.applications is one straight line per band, at times with the bands in another order,
    so that black and three pure colours say everything of it.
    """
    pixels = np.concatenate([np.zeros((1, 3)), 255 * np.eye(3)]).reshape(4, 1, 1, 3)
    values = importlib.import_module(builder.__module__).preprocess_input(pixels)
    for layer in inner:
        values = layer(values)
    black, *colours = np.float64(keras.ops.convert_to_numpy(values)).reshape(4, 3)
    change = (np.array(colours) - black) / 255
    channels = np.abs(change).argmax(axis=1)
    return channels, change[range(3), channels], black[channels]


def _by_band(values: NDArray[np.float64], own: list[int | None]) -> list[float]:
    return [float(values.mean() if place is None else values[place]) for place in own]


# Weights


def _inflated(three: keras.Model, sources: list[int | None], new_bands: str) -> list[NDArray[Any]]:
    """Return a network's weights with the filters of its first layer for other bands.

    Args:
        three: the network for three bands.
        sources: for each band the channel of `three` whose filters it takes, or None for a new band.
        new_bands: "mean" or "zero", where new bands' filters start from.
    """
    layer_of = [variable.path.rpartition("/")[0] for variable in three.weights]
    return [
        _inflated_kernel(weights, sources, new_bands) if layer == layer_of[0] and weights.ndim == 4 else weights
        for layer, weights in zip(layer_of, three.get_weights(), strict=True)
    ]


def _inflated_kernel(kernel: NDArray[Any], sources: list[int | None], new_bands: str) -> NDArray[Any]:
    # A separable convolution has a second kernel, over several channels a band.
    filters = np.split(kernel, 3, axis=-2)
    new = np.mean(filters, axis=0) if new_bands == "mean" else np.zeros_like(filters[0])
    return np.concatenate([new if source is None else filters[source] for source in sources], axis=-2)


def _three_bands(builder: Builder, recipe: Recipe, pretrained: bool) -> keras.Model:
    """Return the network for R, G and B as Keras builds it, with the recipe's weights if `pretrained`."""
    path = recipe.weights_path() if pretrained and recipe.weights not in ("imagenet", "none") else None
    named = "imagenet" if pretrained and recipe.weights == "imagenet" else None
    try:
        with bounded():
            network = _build(builder, named, (recipe.input_size, recipe.input_size, 3))
    except Exception as error:  # Keras raises bare Exceptions for failed downloads
        text = " ".join(str(error).split())
        lost = f"Cannot download the ImageNet weights of {recipe.backbone}"
        if url := re.search(r"URL fetch failure on (\S+)", text):
            folder = Path(os.environ.get("KERAS_HOME", "~/.keras")) / "models"
            raise UserError(
                f"{lost}: no network. Bring {url.group(1).rstrip(':')} from where there is one, and put it into "
                f"{folder}, or give --weights with its path."
            ) from error
        if isinstance(error, TimeoutError):
            raise UserError(f"{lost}: the network fell silent. Run the same command again.") from error
        raise UserError(f"Cannot build {recipe.backbone} at {recipe.input_size} px: {text[:300]}") from error
    if path:
        _load_file(network, path, recipe.backbone)
    return network


def _load_file(network: keras.Model, path: Path, backbone: str) -> None:
    """Load a weights file, and make sure that it gave every weight: Keras only warns of what it skips."""
    for variable in network.weights:
        variable.assign(np.full(variable.shape, np.nan, dtype=variable.dtype))
    error = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            network.load_weights(path)
    except Exception as raised:  # h5py and Keras raise whatever they like on a file of something else
        error = raised
    left = [variable.path for variable in network.weights if np.isnan(keras.ops.convert_to_numpy(variable)).any()]
    if left or error:
        unset = f"{len(left)} of {len(network.weights)} are missing or do not fit, such as {left[0]}" if left else error
        raise UserError(
            f"{path} does not hold the weights of {backbone}: {_fault(path) or unset}. Give --weights with a file of "
            f"{backbone} without its top, or the --model that this file is of."
        ) from error


def _fault(path: Path) -> str | None:
    """Return what is wrong with a weights file whatever network it is for, if anything is."""
    if path.suffix == ".keras":
        return None if zipfile.is_zipfile(path) else "it is damaged"
    try:
        with load_hdf5().File(path) as file:
            suffix = ".weights.h5" if "layers" in file else ".h5"
    except OSError as error:
        return "it is truncated; download or copy it again" if "truncated" in str(error) else "it is no HDF5 file"
    # Keras reads by the name: what ends in .h5 alone was written by Keras 2.
    fits = path.name.endswith((".h5", ".hdf5")) and path.name.endswith(".weights.h5") == (suffix == ".weights.h5")
    return None if fits else f"what is in it belongs into a file that ends in {suffix}; rename it"
