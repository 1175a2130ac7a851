"""Heads are read as Keras reads them, or left to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from models.networks.heads import build_head
from models.predict.head_scorer import HeadScorer
from models.predict.stored_heads import read_head
from models.recipes.recipe import Recipe
from tests.models.samples import PLANET, output_of, saved, tiny_recipe

NUM_FEATURES = 6


def written(path: Path, recipe: Recipe) -> tuple[keras.Model, tuple[int, ...]]:
    """Return a head that was written to a file, and the units of its layers."""
    head = build_head(recipe, NUM_FEATURES, recipe.task(PLANET))
    saved(path, head)
    return head, (*recipe.dense, len(recipe.task(PLANET).labels))


@pytest.mark.parametrize(
    "values",
    [
        {"dense": ()},
        {"dense": (5,), "head_norm": "batch"},
        {"dense": (5, 4, 3), "sampling": "balanced"},
        {"dense": (5,), "groups": "softmax"},
    ],
)
def test_scores_are_those_of_keras(tmp_path, values: dict[str, Any]):
    recipe = tiny_recipe(**values)
    head, units = written(tmp_path / "a.weights.h5", recipe)
    found = read_head(tmp_path / "a.weights.h5", units)
    features = np.random.default_rng(0).normal(size=(7, NUM_FEATURES)).astype(np.float32)
    scores = HeadScorer([found], recipe, recipe.task(PLANET))(features)
    np.testing.assert_allclose(scores, output_of(head, features), atol=1e-5)


def test_what_is_no_such_head_is_left_to_keras(tmp_path):
    path = tmp_path / "a.weights.h5"
    _, units = written(path, tiny_recipe(dense=(5,)))
    assert read_head(path, units) is not None
    assert read_head(path, (4, units[-1])) is None  # of other units
    assert read_head(path, units[-1:]) is None  # of fewer layers
    assert read_head(path, (5, 5, units[-1])) is None
    assert read_head(tmp_path / "none.h5", units) is None
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert read_head(path, units) is None
    path.write_bytes(b"no HDF5")
    assert read_head(path, units) is None


def test_layers_of_another_kind_are_left_to_keras(tmp_path):
    features = keras.Input((NUM_FEATURES,))
    hidden = keras.layers.LayerNormalization()(keras.layers.Dense(5)(features))
    saved(tmp_path / "a.weights.h5", keras.Model(features, keras.layers.Dense(17)(hidden)))
    assert read_head(tmp_path / "a.weights.h5", (5, 17)) is None
