"""Greedy selection: its trials are exact, and its choice no worse than any one member."""

from __future__ import annotations

import numpy as np
import pytest

from competition.metrics.judge import measure
from competition.spec.metric import Metric
from submissions.combine.greedy import GreedySelection, select
from submissions.combine.mean_trials import MeanTrial
from submissions.combine.means import weighted_mean
from tests.submissions.combine.members import F2, draw_members


def test_a_trial_is_the_metric_of_the_mean():
    scores, truth = draw_members()
    scores[2, :, 1] = np.nan
    for average in ("samples", "macro", "micro"):
        metric = Metric(average=average, beta=2.0)
        trial = MeanTrial(scores, truth, metric)
        trial.add(0)
        trial.add(0)
        mean = weighted_mean(scores, np.array([2, 0, 1]))
        assert trial.with_one(2) == pytest.approx(measure(truth, mean >= metric.prior_cut, metric), abs=2e-3)
        weights = np.array([0.5, 0.2, 0.3])
        expected = measure(truth, weighted_mean(scores, weights) >= metric.prior_cut, metric)
        assert trial.weighted(weights) == pytest.approx(expected, abs=2e-3)


def test_greedy_selection_is_never_worse_than_its_best_member_and_ties_go_to_members_chosen():
    scores, truth = draw_members()
    twins = np.concatenate([scores, scores[:1]])  # the good one again
    trial = MeanTrial(twins, truth, F2)
    singles = np.array([trial.with_one(member) for member in range(4)])
    counts = select(trial, range(4), singles)
    mean = weighted_mean(twins, counts)
    assert measure(truth, mean >= F2.prior_cut, F2) >= singles.max() - 1e-9
    assert counts[3] == 0


def test_bagged_weights_favour_the_good_member() -> None:
    scores, truth = draw_members()
    weights = GreedySelection(F2).fit(scores, truth).weights
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > weights[2]
