"""The fast metric is the plain one."""

from __future__ import annotations

import numpy as np
import pytest

from competition.metrics.judge import measure
from competition.spec.metric import Metric
from submissions.measure import fast_metric
from submissions.measure.fast_metric import DecidedMetric

METRICS = [
    *(Metric(average=average, beta=2, empty=empty) for average in ("samples", "macro", "micro") for empty in (0, 1)),
    Metric(name="accuracy"),
    Metric(name="accuracy", average="samples"),
    Metric(name="exact_match"),
]


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("num_labels", [1, 4, 17, 150])
@pytest.mark.parametrize("looked_up", [True, False])
def test_the_fast_metric_is_the_plain_one(metric, num_labels, looked_up, monkeypatch):
    if not looked_up:
        monkeypatch.setattr(fast_metric, "LARGEST_TABLE", 0)
    random = np.random.default_rng(0)
    truth = random.random((40, num_labels)) < 0.6
    truth[:2] = [[False], [True]]
    metric_of = DecidedMetric(truth, metric)
    for share in (0.0, 0.3, 1.0):
        decisions = random.random(truth.shape) < share
        decisions[5:10] = truth[5:10]
        assert metric_of(decisions.T.copy()) == pytest.approx(measure(truth, decisions, metric), abs=1e-12)


def test_labels_weigh_what_the_metric_says():
    random, metric = np.random.default_rng(0), Metric(average="macro", weights={"a": 3, "b": 0, "c": 1})
    truth, decisions = random.random((2, 30, 3)) < 0.5
    assert DecidedMetric(truth, metric)(decisions.T.copy()) == pytest.approx(measure(truth, decisions, metric))


def test_the_table_of_many_labels_is_as_small_as_the_sets_that_chips_carry():
    truth = np.zeros((5, 1000), dtype=bool)
    truth[:, :4] = True
    assert DecidedMetric(truth, Metric(beta=2)).worth.table.size == 5 * 5 * 1001
    truth[0] = True
    assert DecidedMetric(truth, Metric(beta=2)).worth.table is None
