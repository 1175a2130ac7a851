"""Trials of means: each step is the metric of the mean, by definition."""

import numpy as np
import pytest

from competition.metrics.judge import measure
from competition.spec.metric import DECISIONS, Metric
from submissions.combine import mean_trials
from submissions.combine.mean_trials import make_trial
from tests.submissions.samples import draw_scores, draw_truth, planet

METRICS = [Metric(beta=2), Metric(average="macro"), Metric(name="roc_auc"), Metric(name="log_loss")]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.title)
def test_a_trial_is_the_metric_of_the_mean_and_more_is_better(metric: Metric) -> None:
    truth = draw_truth(planet(), 120)
    scores = np.stack([draw_scores(truth, seed) for seed in range(3)])
    scores[2, :, :5] = np.nan  # a specialist
    trial = make_trial(scores, truth, metric)
    trial.add(0)
    trial.add(2)
    trial.add(2)
    mean = np.nanmean(scores[[0, 2, 2, 1]], axis=0)
    answers = mean >= np.float32(metric.prior_cut) if metric.judges == DECISIONS else mean
    assert trial.with_one(1) == pytest.approx(metric.sign * measure(truth, answers, metric), abs=1e-6)
    trial.clear()
    weights = np.array([0.25, 0.75, 0.0])
    answers = weights[:2] @ scores[:2].reshape(2, -1)
    answers = answers.reshape(truth.shape)
    answers = answers >= metric.prior_cut if metric.judges == DECISIONS else answers
    assert trial.weighted(weights) == pytest.approx(metric.sign * measure(truth, answers, metric), abs=1e-6)


def test_means_of_very_many_chips_are_tried_on_some(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = draw_truth(planet(), 120)
    scores = np.stack([draw_scores(truth, seed) for seed in range(2)])
    monkeypatch.setattr(mean_trials, "MOST_RANKED", 17 * 50)
    assert make_trial(scores, truth, Metric(name="roc_auc")).truth.shape == (50, 17)
    assert make_trial(scores, truth, Metric(name="log_loss")).truth.shape == (120, 17)
