"""Metrics of chips that count for more or less."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from competition.metrics.bootstrap import bootstrap, metric_of_draws
from competition.metrics.judge import measure
from competition.spec.metric import DECISIONS, Metric

METRICS = [
    Metric(beta=2),
    Metric(beta=2, average="macro"),
    Metric(beta=1, average="micro"),
    Metric(name="accuracy"),
    Metric(name="exact_match"),
    Metric(name="log_loss", average="macro"),
    Metric(name="log_loss", average="samples"),
    Metric(name="roc_auc", average="macro"),
    Metric(name="average_precision", average="macro"),
    Metric(name="average_precision", average="micro"),
    Metric(name="average_precision", average="samples"),
    Metric(name="label_ranking", average="samples"),
    Metric(name="label_ranking", average="micro"),
]
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.random((120, 4)) < 0.3
SCORES = np.round(np.clip(0.3 * TRUTH + RANDOM.random(TRUTH.shape) * 0.7, 0.01, 0.99), 2)
TIMES = RANDOM.integers(0, 4, len(TRUTH))


of_every_metric = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: f"{metric.name}-{metric.average}")


def answers_of(metric: Metric) -> np.ndarray:
    return SCORES > 0.4 if metric.judges == DECISIONS else SCORES


@of_every_metric
def test_a_chip_of_weight_three_counts_as_three_chips(metric: Metric) -> None:
    answers, rows = answers_of(metric), np.repeat(np.arange(len(TRUTH)), TIMES)
    weighed = measure(TRUTH, answers, metric, TIMES * 0.7)
    assert weighed == pytest.approx(measure(TRUTH[rows], answers[rows], metric), abs=1e-6)


@of_every_metric
def test_with_equal_weights_nothing_changes(metric: Metric) -> None:
    answers, same = answers_of(metric), np.full(len(TRUTH), 2.0)
    assert measure(TRUTH, answers, metric, same) == pytest.approx(measure(TRUTH, answers, metric), abs=1e-6)
    drawn = [bootstrap(TRUTH, [answers], metric, resamples=20, weights=of) for of in (None, same)]
    np.testing.assert_allclose(drawn[1], drawn[0], atol=1e-5)


def test_weighed_ranks_are_scikit_learns_also_where_chips_do_not_count() -> None:
    weights = TIMES * np.random.default_rng(2).exponential(size=len(TRUTH))
    counts = weights > 0
    for name, theirs in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
        expected = theirs(TRUTH[counts], SCORES[counts], sample_weight=weights[counts])
        metric = Metric.model_validate({"name": name, "average": "macro"})
        assert measure(TRUTH, SCORES, metric, weights) == pytest.approx(expected, abs=1e-12)


def test_labels_that_no_chip_that_counts_carries_are_as_if_none_did() -> None:
    weights = np.where(TRUTH[:, 0], 0.0, 1.5)
    without, counts = np.delete(np.arange(4), 0), ~TRUTH[:, 0]
    area, precision = (Metric.model_validate({"name": name}) for name in ("roc_auc", "average_precision"))
    expected = measure(TRUTH[counts][:, without], SCORES[counts][:, without], area)
    assert measure(TRUTH, SCORES, area, weights) == pytest.approx(expected, abs=1e-12)
    assert np.std(bootstrap(TRUTH, [SCORES], area, resamples=50, weights=weights)) > 0
    expected = measure(TRUTH[counts], SCORES[counts], precision)
    assert measure(TRUTH, SCORES, precision, weights) == pytest.approx(expected, abs=1e-12)


@of_every_metric
def test_weighed_draws_vary_as_if_each_were_measured(metric: Metric) -> None:
    random = np.random.default_rng(1)
    truth = random.random((600, 3)) < 0.3
    # Chips that weigh much are told less well, as where they are of a kind that is seldom labelled.
    weights = random.exponential(size=600) * np.where(random.random(600) < 0.2, 10, 1)
    scores = np.clip(truth * np.where(weights > 3, 0.1, 0.5)[:, None] + 0.5 * random.random(truth.shape), 0.01, 0.99)
    answers = scores > 0.4 if metric.judges == DECISIONS else scores
    times = np.stack([np.bincount(random.integers(600, size=600), minlength=600) for _ in range(200)]).astype(np.uint8)
    fast = metric_of_draws(times, 600, truth, [answers], metric, weights)[:, 0]
    plain = np.array([measure(truth, answers, metric, weights * drawn) for drawn in times])
    assert fast.std() == pytest.approx(plain.std(), rel=0.08)
    assert fast.mean() == pytest.approx(plain.mean(), abs=plain.std() / 4)
    assert np.corrcoef(fast, plain)[0, 1] > 0.97  # draw by draw


@pytest.mark.parametrize("weights", [np.zeros(len(TRUTH)), np.ones(3), np.full(len(TRUTH), -1.0)])
def test_what_weighs_nothing_is_refused(weights: np.ndarray) -> None:
    with pytest.raises(ValueError, match="weights of 0 or more"):
        measure(TRUTH, TRUTH, Metric(beta=2), weights)
