"""Calibration: curves that bring scores back to how often a label is there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from competition.common.errors import UserError
from submissions.decide.calibration import KINDS, Calibration
from submissions.decide.log_odds import log_odds
from submissions.measure.reliability import reliability


def chips(num_chips: int = 20000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return true probabilities, and truth drawn from them."""
    random = np.random.default_rng(seed)
    likely = expit(random.normal([0.0, -2.0, -4.0], 2.0, size=(num_chips, 3)))
    return likely, random.random(likely.shape) < likely


@pytest.mark.parametrize("kind", KINDS)
def test_bent_scores_are_straightened(kind):
    likely, truth = chips()
    bent = expit(0.5 * log_odds(likely) + 1)
    calibration = Calibration(kind).fit(bent, truth)
    others, their_truth = chips(seed=1)
    asked = expit(0.5 * log_odds(others) + 1)
    calibrated = calibration.predict(asked)
    assert np.abs(calibrated - others).mean() < 0.1 * np.abs(asked - others).mean()
    assert reliability(calibrated, their_truth).error < 0.02 < reliability(asked, their_truth).error


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_chips_stays(kind):
    likely, truth = chips(3000)
    calibrated = Calibration(kind).fit(likely, truth).predict(likely)
    for label in range(3):
        assert (np.diff(calibrated[np.argsort(likely[:, label]), label]) >= -1e-6).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_label_without_positives_and_scores_of_0_and_1_are_taken(kind):
    likely, truth = chips(500)
    likely[:50], truth[:, 2] = np.round(likely[:50]), False
    calibrated = Calibration(kind).fit(likely, truth).predict(likely)
    assert ((calibrated >= 0) & (calibrated <= 1)).all()
    np.testing.assert_allclose(calibrated[:, 2], likely[:, 2], rtol=1e-6)


def test_an_unknown_kind_is_named():
    with pytest.raises(UserError, match="isotonik"):
        Calibration("isotonik")
