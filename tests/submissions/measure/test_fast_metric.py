"""The fast metric is the plain one."""

from __future__ import annotations

import numpy as np
import pytest

from competition.metrics.f_beta import f_beta
from competition.spec.metric import Metric
from submissions.measure.fast_metric import DecidedMetric


@pytest.mark.parametrize("average", ["samples", "macro", "micro"])
@pytest.mark.parametrize("num_labels", [1, 4, 17])
def test_the_fast_metric_is_the_plain_one(average: str, num_labels: int) -> None:
    metric, random = Metric(average=average, beta=2), np.random.default_rng(0)
    truth = random.random((40, num_labels)) < 0.6
    truth[:2] = [[False], [True]]
    metric_of = DecidedMetric(truth, metric)
    for share in (0.0, 0.3, 1.0):
        decisions = random.random(truth.shape) < share
        assert metric_of(decisions.T.copy()) == pytest.approx(f_beta(truth, decisions, metric), abs=1e-12)
