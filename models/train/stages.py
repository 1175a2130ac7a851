"""How a network learns whose backbone does, or sees other pixels in every epoch: the head first, size by size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from competition.common.progress import reporter
from models.backend.devices import all_devices
from models.inputs.examples import Examples
from models.inputs.sources import Sources
from models.networks.build import build_network, compile_network
from models.networks.input_spec import Inputs
from models.recipes.recipe import Recipe
from models.runs.folders import HEAD
from models.runs.training_state import state_of
from models.train.fit import train
from models.train.fit_heads import fit_head


def fit_network(recipe: Recipe, examples: Examples, sources: Sources, folder: Path) -> keras.Model:
    """Train the network of one fold, going on where an interrupted training ended.

    Args:
        recipe: the recipe.
        examples: the chips to learn from and those held out.
        sources: where features of the chips come from.
        folder: receives checkpoints and the finished history.

    Returns:
        The network with the weights of its best epoch.

    Raises:
        UserError: if the network cannot be built, or its loss is no longer a number.
    """
    first = None
    if recipe.train == "finetune" and recipe.head_epochs and not state_of(folder).epochs:
        reporter.say(f"The head first, {recipe.head_epochs} epochs.")
        head_recipe = head_first(recipe)
        bank = sources.bank_to_learn(("identity",), head_recipe)
        first = fit_head(head_recipe, replace(examples, source=bank), folder / HEAD)
    return _fit_whole(recipe, examples, sources.inputs, folder, first)


def head_first(recipe: Recipe) -> Recipe:
    """Return the recipe of the head that comes before fine-tuning: plainly trained, on one view of the bank."""
    return replace(
        recipe,
        train="head",
        epochs=recipe.head_epochs,
        input_size=recipe.stages[0][0],
        progressive=(),
        augment=(),
        mixup=0.0,
        cutmix=0.0,
        ema=0.0,
        swa=0,
        warmup=0.0,
        patience=0,
        solver="gradient",
        seeds=1,
    )


def _fit_whole(
    recipe: Recipe, examples: Examples, inputs: Inputs, folder: Path, first: keras.Model | None
) -> keras.Model:
    """Train a whole network, one input size after another; it begins with the head `first`, if there is one."""
    for size, last_epoch in recipe.stages:
        begun = state_of(folder).epochs
        if last_epoch < recipe.epochs and begun >= last_epoch:
            continue
        keras.utils.clear_session()
        with all_devices():
            network = build_network(
                replace(recipe, input_size=size),
                examples.task,
                inputs,
                pretrained=not begun,
                priors=examples.priors(recipe),
            )
            if first is not None and not begun:
                network.get_layer("head").set_weights(first.get_weights())
            learning = sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
            reporter.say(f"{network.count_params():,} weights at {size} px, {learning:,} of which learn.")
            compile_network(network, recipe, examples.task, examples.steps_per_epoch(recipe), examples.training_truth)
            train(network, examples, recipe, folder)
    return network
