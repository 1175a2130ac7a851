"""Logistic regressions side by side: each is scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from models.linear import logistic
from models.linear.logistic import metric_of, minimised
from tests.models.linear.samples import related_features


def problem(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return standardised features and labels of which the last two are carried by 3 chips and by all but 3."""
    random = np.random.default_rng(0)
    features = related_features(count, size)
    features = ((features - features.mean(axis=0)) / features.std(axis=0)).astype(np.float32)
    truth = features[:, :3] + 0.5 * random.normal(size=(count, 3)) > [0, 0.7, 1.5]
    rare = np.arange(count) < 3
    return features, np.column_stack([truth, rare, ~rare])


def fitted(features: np.ndarray, targets: np.ndarray, penalties: np.ndarray, tolerance: float = 3e-6) -> np.ndarray:
    metric = metric_of(features.T.astype(np.float64) @ features / len(features), penalties)
    start = np.zeros((features.shape[1] + 1, targets.shape[1]), dtype=np.float32)
    return minimised(features, targets.astype(np.float32), penalties, metric, start, tolerance)


@pytest.mark.parametrize(("count", "size"), [(600, 40), (90, 90)], ids=["many chips", "as many chips as features"])
def test_every_column_is_scikit_learns(count, size):
    features, truth = problem(count, size)
    penalties = np.repeat([1e-1, 1e-2, 1e-3], truth.shape[1])
    weights = fitted(features, np.tile(truth, 3), penalties)
    scores = expit(features @ weights[:-1] + weights[-1])
    for column, penalty in enumerate(penalties):
        regression = LogisticRegression(C=1 / (penalty * count), tol=1e-8, solver="newton-cholesky")
        regression.fit(features.astype(np.float64), truth[:, column % truth.shape[1]])
        np.testing.assert_allclose(scores[:, column], regression.predict_proba(features)[:, 1], atol=1e-3)


@pytest.mark.parametrize("odds", [-7, 5])
def test_the_loss_falls_at_every_step_where_few_chips_carry_a_label(odds, monkeypatch):
    """Newton's steps overshoot there: the first one would multiply the loss by hundreds."""
    random = np.random.default_rng(0)
    features = random.normal(size=(500, 30)).astype(np.float32)
    features[:3] += 3 * random.normal(size=30)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    targets, penalties = (np.arange(500) < 3)[:, None].astype(np.float32), np.array([1e-3])
    metric = metric_of(features.T.astype(np.float64) @ features / 500, penalties)
    start = np.zeros((31, 1), dtype=np.float32)
    start[-1] = odds

    def loss(weights: np.ndarray) -> float:
        logits = features @ weights[:-1] + weights[-1]
        return float((np.logaddexp(0, logits) - targets * logits).mean() + 1e-3 / 2 * (weights[:-1] ** 2).sum())

    losses = [loss(start)]
    for steps in range(1, 9):
        monkeypatch.setattr(logistic, "MOST_STEPS", steps)
        losses.append(loss(minimised(features, targets, penalties, metric, start, 1e-6)))
    assert (np.diff(losses) < 0).all()
    assert losses[-1] < losses[0] / 10


def test_columns_that_are_done_stay_as_they_are_and_do_not_change_others():
    features, truth = problem(300, 20)
    penalties = np.array([1.0, 1e-3, 1e-1, 1e-2, 1e-3])  # which take 3 to some 30 steps
    together = fitted(features, truth, penalties)
    for column in range(5):
        alone = fitted(features, truth[:, [column]], penalties[[column]])
        np.testing.assert_allclose(together[:, [column]], alone, atol=2e-3)
