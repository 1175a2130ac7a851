"""Many heads score as each of them does by Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from models.networks.heads import build_head
from models.predict.head_scorer import AT_ONCE, HeadLayers, HeadScorer
from tests.models.samples import PLANET, output_of, tiny_recipe

NUM_FEATURES, COUNT = 2000, 2 * AT_ONCE + 3  # so many that BLAS has several ways for them
RECIPE = tiny_recipe(dense=(256, 8), head_norm="batch")
TASK = RECIPE.task(PLANET)


def random_weights(head: keras.Model, random: np.random.Generator) -> list[np.ndarray]:
    """Return kernels around 0, and other weights around 1: variances are not negative."""
    return [
        random.normal(0, 0.05, weights.shape) if weights.ndim == 2 else random.uniform(0.5, 1.5, weights.shape)
        for weights in head.get_weights()
    ]


@pytest.fixture(scope="module")
def heads() -> list[keras.Model]:
    random = np.random.default_rng(5)
    made = [build_head(RECIPE, NUM_FEATURES, TASK) for _ in range(3)]
    for head in made:
        head.set_weights(random_weights(head, random))
    return made


@pytest.fixture(scope="module")
def scorer(heads) -> HeadScorer:
    return HeadScorer([HeadLayers.of(head) for head in heads], RECIPE, TASK)


def features_of(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(COUNT, NUM_FEATURES)).astype(np.float32)[:count]


@pytest.mark.parametrize("count", [0, 1, AT_ONCE, COUNT])
def test_scores_are_the_mean_of_those_by_keras(heads, scorer, count):
    scores = scorer(features_of(count))
    assert (scores.shape, scores.dtype) == ((count, len(TASK.labels)), np.float32)
    if count:
        expected = np.mean([output_of(head, features_of(count)) for head in heads], axis=0)
        np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize(("start", "count"), [(0, 1), (5, 2), (AT_ONCE - 1, AT_ONCE), (3, COUNT - 3)])
def test_scores_of_a_chip_do_not_depend_on_the_chips_beside_it(scorer, start, count):
    whole, part = features_of(COUNT), slice(start, start + count)
    expected = scorer(whole)
    np.testing.assert_allclose(scorer(whole[part]), expected[part], rtol=1e-6)  # exact on some processors alone
