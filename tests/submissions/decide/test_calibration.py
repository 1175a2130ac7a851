"""Calibration: curves that bring scores back to how often a label is there."""

from __future__ import annotations

import numpy as np
import pytest

from competition.common.errors import UserError
from submissions.decide.calibration import KINDS, Calibration
from submissions.decide.log_odds import logit, sigmoid
from submissions.measure.reliability import reliability


def chips(num_chips: int = 20000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return true probabilities, and truth drawn from them."""
    random = np.random.default_rng(seed)
    likely = sigmoid(random.normal([0.0, -2.0, -4.0], 2.0, size=(num_chips, 3)))
    return likely, random.random(likely.shape) < likely


@pytest.mark.parametrize("kind", KINDS)
def test_bent_scores_are_straightened(kind):
    likely, truth = chips()
    bent = sigmoid(0.5 * logit(likely) + 1)
    calibration = Calibration(kind).fit(bent, truth)
    others, their_truth = chips(seed=1)
    asked = sigmoid(0.5 * logit(others) + 1)
    made = calibration.predict(asked)
    assert np.abs(made - others).mean() < 0.1 * np.abs(asked - others).mean()
    assert reliability(made, their_truth).error < 0.02 < reliability(asked, their_truth).error


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_chips_stays(kind):
    likely, truth = chips(3000)
    made = Calibration(kind).fit(likely, truth).predict(likely)
    for label in range(3):
        assert (np.diff(made[np.argsort(likely[:, label]), label]) >= -1e-6).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_without_positives_and_scores_of_0_and_1_are_taken(kind):
    likely, truth = chips(500)
    likely[:50], truth[:, 2] = np.round(likely[:50]), False
    made = Calibration(kind).fit(likely, truth).predict(likely)
    assert ((made >= 0) & (made <= 1)).all()
    np.testing.assert_allclose(made[:, 2], likely[:, 2], rtol=1e-6)


def test_reliability_counts_every_score_once():
    scores = np.array([[0.0, 0.15], [0.19, 1.0]])
    found = reliability(scores, np.array([[False, True], [False, True]]))
    assert found.low.tolist() == [0.0, 0.1, 0.9]
    assert found.count.tolist() == [1, 2, 1]
    np.testing.assert_allclose(found.said, [0, 0.17, 1])
    np.testing.assert_allclose(found.found, [0, 0.5, 1])
    assert found.error == pytest.approx(2 * 0.33 / 4)


def test_an_unknown_kind_is_named():
    with pytest.raises(UserError, match="isotonik"):
        Calibration("isotonik")
