"""Weights of members: of the least log loss, and by Optuna."""

from __future__ import annotations

import numpy as np
import pytest

from competition.metrics.judge import measure
from submissions.combine.means import Mean
from submissions.combine.weights import LogLossWeights, TunedWeights
from submissions.decide.studies import Tuning
from tests.submissions.combine.members import F2, NAMES, draw_members


def test_noise_has_little_weight():
    scores, truth = draw_members(4000)
    for combiner in (LogLossWeights(), LogLossWeights(per_label=True)):
        weights = combiner.fit(scores, truth).weights
        assert weights.sum(axis=0) == pytest.approx(1)
        assert weights[0].mean() > 0.5
        assert weights[2].mean() < 0.1


def test_no_other_weights_have_less_log_loss() -> None:
    scores, truth = draw_members()

    def log_loss(weights: np.ndarray) -> float:
        mean = np.tensordot(weights, scores, 1)
        return float(-np.log(np.where(truth, mean, 1 - mean)).mean())

    best = LogLossWeights().fit(scores, truth).weights
    for other in np.random.default_rng(0).dirichlet(np.ones(3), size=50):
        assert log_loss(best) <= log_loss(other) + 1e-5
        assert log_loss(best) <= log_loss(0.95 * best + 0.05 * other) + 1e-5


def test_tuned_weights_are_no_worse_than_where_they_start() -> None:
    scores, truth = draw_members()
    tuned = TunedWeights(F2, NAMES, Tuning(trials=5)).fit(scores, truth)
    assert tuned.weights.sum() == pytest.approx(1)
    values = [measure(truth, rule.predict(scores) >= F2.prior_cut, F2) for rule in (tuned, Mean())]
    assert values[0] >= values[1] - 1e-3  # by float32 sums, not those of the trial
