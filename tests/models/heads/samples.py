"""Small groups of heads on a made-up bank whose labels can be learnt, but not quickly."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np

from models.heads.group import HeadGroup
from models.inputs.examples import Examples
from models.inputs.feature_bank import FeatureBank
from models.networks.heads import build_head
from models.recipes.recipe import Recipe
from tests.models.samples import PLANET, frozen, tiny_recipe

NUM_CHIPS, NUM_FEATURES, NUM_FOLDS = 90, 12, 3


def recipe_for(**values: Any) -> Recipe:
    """Return a recipe of heads on the bank, with dropout, standardised features and the views of two flips."""
    own = {"augment": ("flips",), "head_norm": "batch", "epochs": 4, "learning_rate": 0.02}
    return tiny_recipe(**frozen("imagenet", **{**own, **values}))


def bank_of(seed: int = 0, num_features: int = NUM_FEATURES, recipe: Recipe | None = None) -> FeatureBank:
    """Return random features far from standardised, of which each view shows a little else."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(NUM_CHIPS, num_features)) * random.uniform(0.2, 4, num_features) + 1
    views = {"identity", *(recipe or recipe_for()).drawn_views}
    shown = {view: features + 0.1 * random.normal(size=features.shape) for view in sorted(views)}
    return FeatureBank(num_features, {view: (array.astype(np.float16),) for view, array in shown.items()})


def truth_of(bank: FeatureBank, seed: int = 1, num_labels: int = 17) -> np.ndarray:
    """Return labels that features tell of, some of them rare, with much noise."""
    random, features = np.random.default_rng(seed), bank.read(np.arange(NUM_CHIPS))
    weights = random.normal(size=(bank.num_features, num_labels)) / (features.std(axis=0) + 0.1)[:, None]
    told = (features - features.mean(axis=0)) @ weights / bank.num_features**0.5
    return told + random.normal(size=told.shape) > np.linspace(0, 2, num_labels)


def examples_of(recipe: Recipe, fold: int = 0, bank: FeatureBank | None = None) -> Examples:
    """Return the chips of a fold: every third is held out."""
    bank = bank or bank_of()
    task, is_held = recipe.task(PLANET), np.arange(NUM_CHIPS) % NUM_FOLDS == fold
    truth = truth_of(bank, num_labels=len(task.labels))
    return Examples(task, bank, truth, np.flatnonzero(~is_held), np.flatnonzero(is_held))


def group_of(fold: int = 0, bank: FeatureBank | None = None, **values: Any) -> HeadGroup:
    """Return the heads of a fold, not yet trained."""
    recipe = recipe_for(**values)
    return HeadGroup(recipe, examples_of(recipe, fold, bank))


def state_of(group: HeadGroup) -> list[Any]:
    """Return everything that training changes, but for the seconds it took."""
    history = [[dataclasses.replace(epoch, seconds=0) for epoch in state.history] for state in group.states]
    arrays = [array.tobytes() for array in (group.values, group.best, group.kept, group.slots)]
    return [history, [state.best for state in group.states], arrays]


def keras_head(group: HeadGroup, number: int) -> keras.Model:
    """Return a Keras head with one head's weights now, for features that are standardised already."""
    recipe = dataclasses.replace(group.recipe, head_norm="none")
    head = build_head(recipe, group.shape.num_features, group.examples.task, group.priors)
    names = [*(f"dense{place}" for place in range(len(recipe.dense))), "logits"]
    for name, weights in zip(names, group.shape.layers(group.values, number), strict=True):
        head.get_layer(name).set_weights(weights)
    return head
