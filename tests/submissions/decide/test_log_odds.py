"""Log odds."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from submissions.decide.log_odds import TINY, log_odds


def test_log_odds_are_those_of_the_scores_and_finite_at_the_ends() -> None:
    scores = np.linspace(0, 1, 101)
    np.testing.assert_allclose(expit(log_odds(scores)), np.clip(scores, TINY, 1 - TINY), rtol=1e-9)
    assert np.isfinite(log_odds(np.array([0, 1], dtype=np.float32))).all()


def test_float32_stays_float32() -> None:
    assert log_odds(np.array([0.3], dtype=np.float32)).dtype == np.float32
