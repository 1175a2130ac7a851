"""Log loss by label and by chip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import log_loss as scikit_log_loss

from competition.metrics import log_loss
from competition.metrics.judge import addends, measure, of_sums
from competition.spec.metric import Metric
from tests.competition.metrics.matrices import SCORES, Matrices


@given(SCORES)
@settings(deadline=None)
def test_each_label_has_scikit_learns_log_loss(drawn: Matrices) -> None:
    truth, scores = drawn
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    expected = [scikit_log_loss(*column, labels=[False, True]) for column in zip(truth.T, clipped.T, strict=True)]
    np.testing.assert_allclose(log_loss.loss_by_label(truth, scores, 1e-7), expected, rtol=1e-12)


def test_scores_come_no_nearer_to_0_and_1_than_the_clip() -> None:
    truth = np.array([True, False, True])
    sure = np.array([0, 1, 1], dtype=np.float32)
    np.testing.assert_allclose(log_loss.losses(truth, sure, 1e-3), -np.log([1e-3, 1 - (1 - 1e-3), 1 - 1e-3]))


def test_chips_have_the_weighted_mean_of_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    truth, scores = random.random((7, 3)) < 0.5, random.random((7, 3))
    by_label = log_loss.loss_by_label(truth, scores, 1e-15)
    assert log_loss.loss_by_chip(truth, scores, 1e-15, None).mean() == pytest.approx(by_label.mean())
    monkeypatch.setattr(log_loss, "CELLS_AT_ONCE", 6)
    weights = np.array([2.0, 1.0, 0.0])
    received = log_loss.loss_by_chip(truth, scores, 1e-15, weights).mean()
    assert received == pytest.approx(np.average(by_label, weights=weights))


def test_the_log_loss_of_classes_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    classes = random.integers(4, size=50)
    truth = classes[:, None] == np.arange(4)
    scores = random.random((50, 4))
    shares = scores / scores.sum(axis=1, keepdims=True)
    metric = Metric(name="log_loss", average="samples")
    expected = scikit_log_loss(classes, shares, labels=range(4))
    assert measure(truth, scores, metric) == pytest.approx(expected, abs=1e-12)
    assert measure(truth, np.zeros((50, 4)), metric) == pytest.approx(np.log(4))
    drawn = of_sums(addends(truth, scores, metric).sum(axis=0), 50, metric)
    assert drawn == pytest.approx(expected, rel=1e-6)
