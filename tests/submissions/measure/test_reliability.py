"""Whether scores say how often a label is there."""

from __future__ import annotations

import numpy as np
import pytest

from submissions.measure.reliability import reliability


def test_reliability_counts_every_score_once():
    scores = np.array([[0.0, 0.15], [0.19, 1.0]])
    bins = reliability(scores, np.array([[False, True], [False, True]]))
    assert bins.low.tolist() == [0.0, 0.1, 0.9]
    assert bins.count.tolist() == [1, 2, 1]
    np.testing.assert_allclose(bins.mean_score, [0, 0.17, 1])
    np.testing.assert_allclose(bins.frequency, [0, 0.5, 1])
    assert bins.error == pytest.approx(2 * 0.33 / 4)


def test_calibrated_scores_have_a_small_error() -> None:
    random = np.random.default_rng(0)
    scores = random.random((20_000, 2))
    truth = random.random(scores.shape) < scores
    assert reliability(scores, truth).error < 0.01 < 0.1 < reliability(scores**2, truth).error
