"""The Keras head of a group's best epoch says what the group says."""

from __future__ import annotations

import numpy as np
import pytest

from models.heads.training import scores_of
from models.train.keras_heads import best_head
from tests.models.heads.samples import group_of
from tests.models.samples import output_of

SETTINGS = [
    {},
    {"head_norm": "none", "dense": ()},
    {"dense": (), "seeds": 3},
    {"dense": (6, 4), "groups": "softmax"},
    {"sampling": "balanced"},
    {"members": 3, "seeds": 2},
]


@pytest.mark.parametrize("values", SETTINGS, ids=str)
def test_the_keras_head_gives_the_scores_that_the_group_gives(values):
    group = group_of(**values)
    group.values[:] = group.best[:] = np.random.default_rng(0).normal(size=len(group.values)) * 0.5
    scores = scores_of(group, group.examples.heldout)
    assert scores.shape == (group.recipe.seeds, 30, 17)
    for number in range(group.recipe.seeds):
        head = best_head(group, number)
        assert head.name == "head"
        shown = output_of(head, group.bank.read(group.examples.heldout))
        np.testing.assert_allclose(shown, scores[number], atol=1e-6)
    assert np.ptp(scores) > 0.4


def test_it_has_the_weights_of_the_best_epoch_and_not_those_of_now():
    group = group_of(dense=())
    group.best[:] = 0.25
    head = best_head(group, 0)
    assert {float(value) for weights in head.get_layer("logits").get_weights() for value in weights.ravel()} == {0.25}
