"""From a recipe to a compiled network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from competition.errors import UserError, unknown_name
from competition.spec import Competition, ImageSet
from models.applications import application, applications
from models.f_beta import FBeta
from models.recipes import Recipe

OWN = ("two_convolutions", "residual")
SMALLEST = 8  # pixels: what is left after every halving of our own backbones must be something


@dataclass(frozen=True)
class Inputs:
    """What a network is given.

    Attributes:
        bands: bands in the network's order, one letter each.
        low: value of each band that stands for 0.
        high: value of each band that stands for 255.
    """

    bands: str
    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, recipe: Recipe, images: ImageSet, dtype: np.dtype[Any]) -> Inputs:
        """Return the inputs of a recipe for chips of one rendering.

        Raises:
            UserError: if the rendering lacks a band that the recipe asks for.
        """
        columns_of(recipe, images)
        whole = (0.0, float(np.iinfo(dtype).max))
        # A range is that of 16-bit values: 8-bit chips of the same rendering were already brought to 0..255.
        ranges = [images.range.get(band, whole) if dtype == np.uint16 else whole for band in recipe.bands]
        return cls(recipe.bands, tuple(low for low, _ in ranges), tuple(high for _, high in ranges))


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


def build_network(recipe: Recipe, num_labels: int, inputs: Inputs, *, pretrained: bool = True) -> keras.Model:
    """Return the network of a recipe.

    Everything done to pixel values is inside the network, so that training, prediction and later use cannot differ.

    Args:
        recipe: the recipe.
        num_labels: number of scores a chip.
        inputs: bands and what their values span.
        pretrained: load the recipe's weights; False where a checkpoint's are loaded next.

    Returns:
        A network from chips (num_chips, input_size, input_size, num_bands), in the values of the files, to scores
        (num_chips, num_labels) in [0, 1].

    Raises:
        UserError: if the backbone is unknown, or its weights cannot be had or do not fit.
    """
    keras.utils.set_random_seed(recipe.seed)
    chips = keras.Input((recipe.input_size, recipe.input_size, len(inputs.bands)), name="chips")
    hidden = _scale(inputs)(chips)
    own = recipe.backbone in OWN
    hidden = _own_backbone(hidden, recipe) if own else _application(hidden, recipe, inputs, pretrained)
    return keras.Model(chips, _head(hidden, recipe, num_labels), name="network")


def compile_network(network: keras.Model, recipe: Recipe, competition: Competition, steps_per_epoch: int) -> None:
    """Give a network the recipe's loss and optimiser, and the competition's metric.

    Args:
        network: the network.
        recipe: the recipe.
        competition: gives the metric.
        steps_per_epoch: training steps an epoch, for the learning-rate schedule.
    """
    network.compile(
        optimizer=_optimizer(recipe, steps_per_epoch),
        loss=recipe.loss,
        metrics=[FBeta(competition.metric, len(competition.labels))],
        jit_compile=_jit_compile(),
    )
    network.optimizer.build(network.trainable_variables)


def _scale(inputs: Inputs) -> keras.Layer:
    low, high = np.array(inputs.low), np.array(inputs.high)
    return layers.Normalization(mean=low, variance=((high - low) / 255) ** 2, name="scale_to_255")


def _head(features: Any, recipe: Recipe, num_labels: int) -> Any:
    pooling = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, "flatten": layers.Flatten}
    pooled = [pooling[kind](name=f"pooling_{kind}")(features) for kind in recipe.pooling]
    hidden = (
        layers.Concatenate(name="pooling")(pooled) if len(pooled) > 1 else layers.Identity(name="pooling")(pooled[0])
    )
    for number, units in enumerate(recipe.dense):
        hidden = layers.Dropout(recipe.dropout, name=f"dropout{number}")(hidden)
        hidden = layers.Dense(units, activation="relu", name=f"dense{number}")(hidden)
    hidden = layers.Dropout(recipe.dropout, name="dropout")(hidden)
    return layers.Dense(num_labels, activation="sigmoid", dtype="float32", name="scores")(hidden)


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


def _application(chips: Any, recipe: Recipe, inputs: Inputs, pretrained: bool) -> Any:
    """Return the features of a network of keras.applications."""
    if recipe.backbone not in (known := applications()):
        raise unknown_name("backbone", recipe.backbone, [*OWN, *known])
    backbone = application(recipe, inputs.bands, pretrained=pretrained)
    backbone.trainable = recipe.train == "full"
    return backbone(chips) if recipe.train == "full" else AtRest(backbone, name="backbone")(chips)


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


def _optimizer(recipe: Recipe, steps_per_epoch: int) -> keras.Optimizer:
    rate: Any = recipe.learning_rate
    if recipe.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, decay_steps=recipe.epochs * steps_per_epoch)
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    return {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW}[recipe.optimizer](rate)


def _jit_compile() -> bool | str:
    """Return whether Keras compiles steps by XLA: on a CPU, TensorFlow's made MobileNetV2 train at half the speed."""
    if keras.backend.backend() != "tensorflow":
        return "auto"
    import tensorflow

    return "auto" if tensorflow.config.list_physical_devices("GPU") else False
