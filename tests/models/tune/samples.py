"""A tiny bank of made-up features, its folds, and a recipe whose heads train on it in no time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.spec.load import load
from models.inputs.examples import Examples
from models.inputs.feature_bank import FeatureBank
from models.recipes.named import resolve
from models.recipes.recipe import Recipe
from models.tune.inner import Trial
from models.tune.search import Budget, open_study, search
from models.tune.space import Space

PLANET = load("planet")
NUM_CHIPS, NUM_FEATURES = 120, 6
SIZES = NUM_FEATURES, len(PLANET.labels)
HEAD = {"images": "jpg", "groups": "sigmoid", "dense": (4,), "batch_size": 32, "epochs": 3, "patience": 0}


def head_recipe(**values: Any) -> Recipe:
    """Return a recipe of a head on features that are seen as they are."""
    return resolve("vgg16_levels", {**HEAD, "augment": (), "views": "identity", "weights": "imagenet", **values})


def outer_folds(k: int = 3, *, changed: int | None = None, repeats: int = 1) -> list[Examples]:
    """Return the examples of each fold; of one fold the chips may be others."""
    random = np.random.default_rng(0)
    features = random.standard_normal((NUM_CHIPS, NUM_FEATURES), dtype=np.float32)
    weights = random.standard_normal((NUM_FEATURES, SIZES[1]))
    truth = features @ weights + random.standard_normal((NUM_CHIPS, SIZES[1])) > 0.5
    folds = [np.roll(np.arange(NUM_CHIPS) % k, repeat) for repeat in range(repeats)]
    if changed is not None:
        held = folds[0] == changed
        features[held] = random.standard_normal((held.sum(), NUM_FEATURES))
        truth[held] = ~truth[held]
    return examples_of(features, truth, [own == fold for own in folds for fold in range(k)])


def examples_of(
    features: NDArray[np.float32], truth: NDArray[np.bool_], heldout: Sequence[NDArray[np.bool_]]
) -> list[Examples]:
    """Return the examples of each fold, by which chips it holds out."""
    bank = FeatureBank(features.shape[1], {"identity": (features.astype(np.float16),)})
    task = head_recipe().task(PLANET)
    return [Examples(task, bank, truth, np.flatnonzero(~held), np.flatnonzero(held)) for held in heldout]


def space_of(recipe: Recipe | None = None, **given: tuple[Any, ...]) -> Space:
    """Return the grid of some values."""
    return Space.of(recipe or head_recipe(), [], given, SIZES, grid=bool(given))


def searched(path: Path, space: Space, inner: Sequence[Examples], trials: int = 5, **options: Any) -> list[Trial]:
    """Return the trials of a search whose study is at `path`."""
    with open_study(path, "study", space) as study:
        return search(study, space, inner, Budget(trials, **options))
