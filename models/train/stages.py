"""How the network of one fold learns: its head on the feature bank, or all of it, the head first, size by size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from models.backend.devices import all_devices
from models.backend.load import set_seed
from models.inputs.examples import Examples, Material
from models.inputs.feature_bank import FeatureBank
from models.networks.build import build_network, compile_network
from models.networks.heads import build_head, standardize
from models.recipes.recipe import Recipe
from models.recipes.view_sets import VIEW_SETS, drawn_views
from models.runs.progress import HEAD, state_of
from models.train.fit import train
from models.train.solvers import solve

ENOUGH = 4096  # chips, for the moments of features


def fit_network(recipe: Recipe, material: Material, folder: Path, say: Callable[[str], None]) -> keras.Model:
    """Train the network of one fold, going on where an interrupted training ended.

    Args:
        recipe: the recipe.
        material: what it learns from.
        folder: receives checkpoints and the finished history.
        say: receives a line an epoch.

    Returns:
        The network with the weights of its best epoch: where the recipe is on the bank, its head alone.

    Raises:
        UserError: if the network cannot be built, or its loss is no longer a number.
    """
    sources = material.sources
    if recipe.on_bank:
        views = ("identity", *drawn_views(recipe.augment), *VIEW_SETS[recipe.views])
        return _fit_head(recipe, material, sources.bank("train", views), folder, say)
    first = None
    if recipe.train == "finetune" and recipe.head_epochs and not state_of(folder).epochs:
        say(f"The head first, {recipe.head_epochs} epochs.")
        head_recipe = _head_first(recipe)
        bank = sources.bank("train", ("identity",), head_recipe)
        first = _fit_head(head_recipe, material, bank, folder / HEAD, say)
    return _fit_whole(recipe, material, folder, first, say)


def _head_first(recipe: Recipe) -> Recipe:
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
        warmup=0.0,
        patience=0,
        solver="gradient",
    )


def _fit_head(
    recipe: Recipe, material: Material, bank: FeatureBank, folder: Path, say: Callable[[str], None]
) -> keras.Model:
    set_seed(recipe.seed)
    examples = Examples(bank, material.truth, material.training, material.heldout)
    head = build_head(recipe, bank.num_features, material.task, examples.priors(recipe, material.task))
    if recipe.head_norm == "batch":
        standardize(head, bank.read(material.training[:: -(-len(material.training) // ENOUGH)]))
    truth = material.truth[material.training]
    compile_network(head, recipe, material.task, examples.steps_per_epoch(recipe), truth)
    if recipe.solver == "gradient":
        train(head, examples, recipe, folder, material.task.metric.name, say)
    else:
        solve(head, bank, examples, recipe, folder, material.task.metric.name, say)
    return head


def _fit_whole(
    recipe: Recipe, material: Material, folder: Path, first: keras.Model | None, say: Callable[[str], None]
) -> keras.Model:
    examples = Examples(material.sources.chips("train"), material.truth, material.training, material.heldout)
    task = material.task
    for size, last_epoch in recipe.stages:
        begun = state_of(folder).epochs
        if last_epoch < recipe.epochs and begun >= last_epoch:
            continue
        keras.utils.clear_session()
        with all_devices():
            network = build_network(
                replace(recipe, input_size=size),
                task,
                material.sources.inputs,
                pretrained=not begun,
                priors=examples.priors(recipe, task),
            )
            if first is not None and not begun:
                network.get_layer("head").set_weights(first.get_weights())
            learning = sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)
            say(f"{network.count_params():,} weights at {size} px, {learning:,} of which learn.")
            truth = material.truth[material.training]
            compile_network(network, recipe, task, examples.steps_per_epoch(recipe), truth)
            train(network, examples, recipe, folder, task.metric.name, say, size=size, until=last_epoch)
    return network
