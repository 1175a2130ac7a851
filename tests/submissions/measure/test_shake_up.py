"""The shake-up between the leaderboards."""

from __future__ import annotations

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.metrics.judge import measure
from competition.spec.metric import Metric
from submissions.measure.shake_up import shake_up
from tests.submissions.samples import draw_scores, draw_truth, planet


@pytest.mark.parametrize("average", ["samples", "macro", "micro"])
def test_a_shake_up_is_that_of_plain_splits(average: str) -> None:
    metric = Metric(average=average, beta=2)
    truth = draw_truth(planet(), 200)
    decisions = [draw_scores(truth, seed, 1.5) >= 0.3 for seed in range(3)]
    shaken = shake_up(truth, decisions, 0, metric, 0.34, splits=50, seed=3)
    random = np.random.default_rng(3)
    beats, leader = np.zeros(3), []
    for _ in range(50):
        shown = np.zeros(200, dtype=bool)
        shown[random.permutation(200)[:68]] = True
        public = [measure(truth[shown], decided[shown], metric) for decided in decisions]
        private = [measure(truth[~shown], decided[~shown], metric) for decided in decisions]
        beats += [private[0] > other for other in private]
        leader.append(private[int(np.argmax(public))])
    assert shaken.leader == pytest.approx(np.mean(leader))
    np.testing.assert_allclose(shaken.beats[1:], beats[1:] / 50)
    assert shaken.beats[0] == 0.5
    with pytest.raises(UserError, match="labelled chips leaves a part of them empty"):
        shake_up(truth, decisions, 0, metric, 0.001)
