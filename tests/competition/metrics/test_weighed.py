"""Metrics of chips that count for more or less."""

from __future__ import annotations

import numpy as np
import pytest

from competition.metrics.bootstrap import bootstrap
from competition.metrics.judge import measure
from competition.metrics.weighed import measure_weighed
from competition.spec.metric import DECISIONS, Metric

METRICS = [
    Metric(beta=2),
    Metric(beta=2, average="macro"),
    Metric(beta=1, average="micro"),
    Metric(name="accuracy"),
    Metric(name="log_loss", average="macro"),
    Metric(name="roc_auc", average="macro"),
    Metric(name="average_precision", average="macro"),
    Metric(name="average_precision", average="micro"),
    Metric(name="average_precision", average="samples"),
    Metric(name="label_ranking", average="micro"),
]
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.random((120, 4)) < 0.3
SCORES = np.round(np.clip(0.3 * TRUTH + RANDOM.random(TRUTH.shape) * 0.7, 0.01, 0.99), 2)
TIMES = RANDOM.integers(0, 4, len(TRUTH))


def answers_of(metric: Metric) -> np.ndarray:
    return SCORES > 0.4 if metric.judges == DECISIONS else SCORES


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: f"{metric.name}-{metric.average}")
def test_a_chip_of_weight_three_counts_as_three_chips(metric: Metric) -> None:
    answers, rows = answers_of(metric), np.repeat(np.arange(len(TRUTH)), TIMES)
    weighed = measure_weighed(TRUTH, answers, metric, TIMES * 0.7)
    assert weighed == pytest.approx(measure(TRUTH[rows], answers[rows], metric), abs=1e-6)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: f"{metric.name}-{metric.average}")
def test_with_equal_weights_nothing_changes(metric: Metric) -> None:
    answers, same = answers_of(metric), np.full(len(TRUTH), 2.0)
    assert measure_weighed(TRUTH, answers, metric, same) == pytest.approx(measure(TRUTH, answers, metric), abs=1e-6)
    drawn = [bootstrap(TRUTH, [answers], metric, resamples=20, weights=of) for of in (None, same)]
    np.testing.assert_allclose(drawn[1], drawn[0], atol=1e-5)


def test_the_bootstrap_has_the_error_of_a_self_normalised_mean() -> None:
    metric, weights = Metric(beta=2), np.random.default_rng(1).exponential(size=len(TRUTH))
    answers = answers_of(metric)
    of_chips = np.array([measure(TRUTH[[row]], answers[[row]], metric) for row in range(len(TRUTH))])
    value = measure_weighed(TRUTH, answers, metric, weights)
    assert value == pytest.approx(np.average(of_chips, weights=weights), abs=1e-6)
    expected = np.sqrt((weights**2 * (of_chips - value) ** 2).sum()) / weights.sum()
    assert bootstrap(TRUTH, [answers], metric, weights=weights).std() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("weights", [np.zeros(len(TRUTH)), np.ones(3), np.full(len(TRUTH), -1.0)])
def test_what_weighs_nothing_is_refused(weights: np.ndarray) -> None:
    with pytest.raises(ValueError, match="weights of 0 or more"):
        measure_weighed(TRUTH, TRUTH, Metric(beta=2), weights)
