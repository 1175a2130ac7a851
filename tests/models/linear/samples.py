"""A small bank for linear heads, labels that can and cannot be learnt from it, and recipes."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.inputs.feature_bank import FeatureBank
from models.recipes.recipe import Recipe
from tests.models.samples import tiny_recipe

VIEWS = ("identity", "mirror", "turn180_mirror", "turn180")


def recipe_for(solver: str, **values: Any) -> Recipe:
    """Return a recipe of linear heads that learns under the four flips."""
    frozen = {"backbone": "TinyNet", "weights": "imagenet", "train": "head", "pooling": ("avg",)}
    return tiny_recipe(solver=solver, **{**frozen, "dense": (), "augment": ("flips",), **values})


def bank_of(features: np.ndarray, noise: float = 0.05, views: tuple[str, ...] = VIEWS) -> FeatureBank:
    """Return a bank of features, of which each view but the first shows a little else."""
    random, spread = np.random.default_rng(2), features.std(axis=0)
    shown = {"identity": features}
    shown |= {view: features + noise * random.normal(size=features.shape) * spread for view in views[1:]}
    return FeatureBank(features.shape[1], {view: (array.astype(np.float16),) for view, array in shown.items()})


def uneven_features(count: int) -> np.ndarray:
    """Return features (count, 6) far from standardised; the last one is constant."""
    random = np.random.default_rng(0)
    return random.normal(size=(count, 6)) * [1, 2, 5, 0.1, 30, 0] + [0, 3, -50, 1, 0, 7]


def labels_of(features: np.ndarray) -> np.ndarray:
    """Return labels by features 0 and 1, by feature 3 and rarely, by chance, and never."""
    random, count = np.random.default_rng(1), len(features)
    first = 2 * features[:, 0] + (features[:, 1] - 3) + 0.6 * random.normal(size=count) > 0
    second = (features[:, 3] - 1) / 0.1 + 0.4 * random.normal(size=count) > 1.3
    return np.stack([first, second, random.random(count) < 0.3, np.zeros(count, dtype=bool)], axis=1)


def related_features(count: int, size: int, directions: int = 20) -> np.ndarray:
    """Return features (count, size) that depend on each other, as those of a network do."""
    random = np.random.default_rng(4)
    features = random.normal(size=(count, directions)) @ random.normal(size=(directions, size))
    return features + random.normal(size=size) + 0.3 * random.normal(size=(count, size))
