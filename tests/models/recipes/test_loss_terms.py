"""Weights of labels: rare ones count for more, within bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.recipes.loss_terms import balanced_weights


@settings(max_examples=50)
@given(st.lists(st.integers(0, 3000), min_size=2, max_size=17))
def test_weights_are_bounded_fall_with_frequency_and_keep_the_size_of_the_loss(counts):
    truth = np.arange(3000)[:, None] < np.array(counts)
    weights, seen = balanced_weights(truth), np.maximum(counts, 1)
    assert np.isfinite(weights).all()
    assert weights.max() / weights.min() <= 10.001
    assert np.average(weights, weights=seen) == pytest.approx(1, rel=1e-5)
    assert (np.diff(weights[np.argsort(seen)]) <= 1e-6).all()


def test_weights_are_the_inverse_of_the_effective_number():
    truth = np.arange(1000)[:, None] < np.array([800, 200])
    effective = (1 - 0.999 ** np.array([800, 200])) / 0.001
    assert np.divide(*balanced_weights(truth)) == pytest.approx(effective[1] / effective[0], rel=1e-5)
