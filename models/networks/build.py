"""From a recipe to a compiled network."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from competition.common.files import replace_atomically
from competition.task import Task
from models.backend.devices import jit_compile, precision
from models.backend.load import set_seed
from models.backend.seals import write_sealed
from models.foreign.backbone import TimmBackbone
from models.networks.backbones import OWN, build_extractor
from models.networks.heads import build_head
from models.networks.input_spec import Inputs
from models.networks.layers import AtRest
from models.networks.losses import make_loss
from models.networks.monitor import monitor
from models.networks.optimizers import make_optimizer
from models.recipes.recipe import Recipe


def build_network(
    recipe: Recipe, task: Task, inputs: Inputs, *, pretrained: bool = True, **options: Any
) -> keras.Model:
    """Return the whole network of a recipe; its last layer is the model "head".

    Args:
        recipe: the recipe.
        task: the labels to score.
        inputs: size and bands of the chips, and what their values span.
        pretrained: load the recipe's weights; False where a checkpoint's are loaded next.
        options: those of `build_head` that follow.

    Returns:
        A network from chips (num_chips, size, size, num_bands), in the values of the files, to scores
        (num_chips, num_labels) in [0, 1].

    Raises:
        UserError: if the backbone is unknown, or its weights cannot be had or do not fit.
    """
    set_seed(recipe.seed)
    with precision(recipe.precision):
        extractor = build_extractor(recipe, inputs, pretrained=pretrained)
        head = build_head(recipe, extractor.output_shape[-1], task, **options)
    if recipe.train == "head":
        extractor.trainable = False
        chips = keras.Input(extractor.input_shape[1:], name="chips")
        return keras.Model(chips, head(AtRest(extractor, name="extractor")(chips)), name="network")
    if recipe.train == "finetune":
        _freeze(extractor.get_layer("backbone"), recipe)
    return keras.Model(extractor.input, head(extractor.output), name="network")


def _freeze(backbone: keras.Model | TimmBackbone, recipe: Recipe) -> None:
    """Keep the first layers of a backbone, and its batch normalisations if the recipe says so, as they are."""
    if isinstance(backbone, TimmBackbone):
        backbone.freeze(recipe.unfrozen, norms=recipe.batch_norm == "frozen")
        return
    inner = [layer for layer in backbone._flatten_layers(include_self=False) if layer.weights]
    learning = max(1, round(recipe.unfrozen * len(inner)))
    for layer in inner[: len(inner) - learning]:
        layer.trainable = False
    for layer in inner if recipe.batch_norm == "frozen" else ():
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def backbone_variables(network: keras.Model, recipe: Recipe) -> Collection[str]:
    """Return the paths of the variables that learn at the backbone's own rate."""
    if recipe.train != "finetune" or recipe.backbone in OWN:
        return ()
    head = {variable.path for variable in network.get_layer("head").variables}
    return {variable.path for variable in network.trainable_variables} - head


def compile_network(
    network: keras.Model, recipe: Recipe, task: Task, steps_per_epoch: int, truth: NDArray[np.bool_]
) -> None:
    """Give a network the recipe's loss and optimiser, and the competition's metric.

    Args:
        network: the network.
        recipe: the recipe.
        task: gives the metric.
        steps_per_epoch: training steps per epoch, for the learning-rate schedule.
        truth: bool array (num_training_chips, num_labels), for the weights of rare labels.

    Raises:
        UserError: if the recipe asks for what its loss or its schedule cannot do.
    """
    network.compile(
        optimizer=make_optimizer(recipe, steps_per_epoch, backbone_variables(network, recipe)),
        loss=make_loss(recipe, task, truth),
        metrics=[monitor(task)],
        jit_compile=jit_compile(),
    )
    network.optimizer.build(network.trainable_variables)


def compile_at_rest(network: keras.Model, recipe: Recipe, task: Task, truth: NDArray[np.bool_]) -> None:
    """Give a network the recipe's loss and steps of length 0: training then changes no weight, but statistics."""
    loss = make_loss(recipe, task, truth)
    network.compile(optimizer=keras.optimizers.SGD(0.0), loss=loss, jit_compile=jit_compile())


def learns_statistics(network: keras.Model) -> bool:
    """Whether training changes the statistics of a network's batch normalisations."""
    every = network._flatten_layers()
    return any(
        layer.learns_statistics if isinstance(layer, TimmBackbone) else layer.trainable
        for layer in every
        if isinstance(layer, layers.BatchNormalization | TimmBackbone)
    )


def part_to_keep(network: keras.Model, recipe: Recipe) -> keras.Model:
    """Return what differs between folds: the head alone, where the backbone is frozen."""
    return network.get_layer("head") if recipe.train == "head" and network.name != "head" else network


def save_weights(network: keras.Model, path: Path) -> None:
    """Write a network's weights without its optimiser's state, sealed, atomically."""
    with replace_atomically(path) as temporary:
        write_sealed(keras.Model(network.inputs, network.outputs), temporary)
