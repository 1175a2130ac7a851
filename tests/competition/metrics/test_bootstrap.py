"""The bootstrap: that of plain resampling, and as certain as it says."""

from __future__ import annotations

import numpy as np
import pytest

from competition.metrics.bootstrap import bootstrap
from competition.metrics.judge import measure
from competition.spec.metric import Metric
from tests.submissions.samples import draw_scores, draw_truth, planet

AVERAGES = ("samples", "macro", "micro")
F2 = Metric(average="samples", beta=2)


@pytest.mark.parametrize("average", AVERAGES)
def test_the_fast_bootstrap_is_the_plain_one(average: str) -> None:
    metric = Metric(average=average, beta=2)
    truth = draw_truth(planet(), 150)
    decisions = draw_scores(truth, 1) >= 0.3
    random = np.random.default_rng(0)
    draws = [random.integers(150, size=150) for _ in range(800)]
    plain = np.array([measure(truth[rows], decisions[rows], metric) for rows in draws])
    fast = bootstrap(truth, [decisions], metric, resamples=2000)[:, 0]
    assert fast.shape == (2000,)
    assert fast.std() == pytest.approx(plain.std(), rel=0.12)
    assert fast.mean() == pytest.approx(plain.mean(), abs=plain.std() / 5)


def test_the_interval_holds_the_true_value_about_nineteen_times_of_twenty() -> None:
    truth = draw_truth(planet(), 60_000, 5)
    decisions = draw_scores(truth, 6) >= 0.3
    value = measure(truth, decisions, F2)
    held = 0
    for part in range(200):
        rows = slice(part * 300, (part + 1) * 300)
        low, high = np.quantile(bootstrap(truth[rows], [decisions[rows]], F2, resamples=300, seed=part), [0.025, 0.975])
        held += low <= value <= high
    assert 0.89 <= held / 200 <= 0.985
