"""Least squares is the closed form up to its calibration; a logistic head is scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from models.linear import logistic, solvers
from models.linear.plan import Plan
from models.linear.rows import STEADY, Rows
from models.linear.solvers import Judged, Logistic, Ridge
from tests.models.linear.samples import VIEWS, bank_of, labels_of, related_features, uneven_features

TRAINING, HELD = (0, 1), 2


def rows_of(features: np.ndarray, truth: np.ndarray, views: int = 2) -> Rows:
    count = len(features)
    drawn = np.repeat(np.arange(views)[:, None], count, axis=1)
    rows = Rows(bank_of(features, 0.3), truth, Plan.of(np.arange(count) % 3, seed=0), VIEWS, drawn)
    rows.prepare(TRAINING)
    return rows


def seen_by(rows: Rows) -> np.ndarray:
    """Return the standardised features of the training rows, view under view of each part."""
    raw = [rows.bank.under(VIEWS[n], rows.plan.parts[part]) for part in TRAINING for n in range(len(rows.drawn))]
    raw = np.concatenate(raw).astype(np.float64)
    return (raw - raw.mean(axis=0)) / (raw.std(axis=0) + STEADY)


@pytest.mark.parametrize("chips", [18, 60, 450], ids=["fewer rows than features", "a few more", "many more"])
def test_every_penaltys_kernels_are_those_of_the_direct_solution(chips):
    features = related_features(chips, 100)
    truth = np.random.default_rng(4).random((chips, 5)) < 0.3
    rows = rows_of(features, truth)
    seen, wanted = seen_by(rows), rows.labels(TRAINING)
    head = Ridge(rows).inner(TRAINING)
    kernels = rows.standardized(TRAINING).scale[:, None] * head.kernel
    for number, penalty in enumerate(Ridge.penalties):
        centred = wanted - wanted.mean(axis=0)
        products = seen.T @ seen / len(seen) + penalty * np.eye(100)
        expected = np.linalg.solve(products, seen.T @ centred / len(seen))
        # Products of many rows are summed in float32, which the weakest penalty shows.
        found = kernels[:, number * 5 : number * 5 + 5]
        np.testing.assert_allclose(found, expected, atol=3e-4 * np.abs(expected).max())


def judged(solver: Ridge | Logistic, training: tuple[int, ...] = TRAINING) -> Judged:
    heads, rows = solver.inner(training), solver.rows
    said = rows.said(heads, HELD).reshape(len(rows.plan.parts[HELD]), len(solver.penalties), -1)
    return Judged(training, heads, said, rows.truth[rows.plan.parts[HELD]])


@pytest.fixture(scope="module")
def rows() -> Rows:
    features = uneven_features(600)
    return rows_of(features, labels_of(features))


def test_losses_are_those_of_the_scores(rows):
    ridge = judged(Ridge(rows))
    frequency = rows.labels(TRAINING).mean(axis=0)
    misses = (ridge.said[:, 4] + frequency - ridge.truth) ** 2
    np.testing.assert_allclose(Ridge(rows).losses(ridge)[4], misses.sum(axis=0), rtol=1e-5)
    logistic = judged(Logistic(rows))
    scores = expit(logistic.said[:, 1].astype(np.float64))
    losses = -np.where(logistic.truth, np.log(scores), np.log(1 - scores)).sum(axis=0)
    np.testing.assert_allclose(Logistic(rows).losses(logistic)[1], losses, rtol=1e-4)


def test_the_final_head_has_each_labels_own_penalty(rows, monkeypatch):
    monkeypatch.setattr(solvers, "_platt", lambda answers, truth, odds: (1.0, 0.0))
    best = np.array([8, 0, 4, 0])
    final, inner = Ridge(rows).final(TRAINING, best, []), Ridge(rows).inner(TRAINING)
    np.testing.assert_allclose(final.kernel, inner.kernel[:, best * 4 + np.arange(4)], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("warm", [False, True])
def test_a_logistic_head_is_scikit_learns_on_standardised_features(rows, warm):
    solver, best = Logistic(rows), np.array([2, 1, 0, 0])
    before = [judged(solver, (0,))] if warm else []
    rows.prepare([0])
    head, seen, truth = solver.final(TRAINING, best, before), seen_by(rows), rows.labels(TRAINING)
    raw = [rows.bank.under(VIEWS[n], rows.plan.parts[part]) for part in TRAINING for n in range(2)]
    scores = expit(head.of(np.concatenate(raw)))
    for label in range(3):
        strength = 1 / (Logistic.penalties[best[label]] * len(seen))
        regression = LogisticRegression(C=strength, tol=1e-8, solver="newton-cholesky")
        expected = regression.fit(seen, truth[:, label]).predict_proba(seen)[:, 1]
        np.testing.assert_allclose(scores[:, label], expected, atol=2e-3)


def test_a_logistic_head_begins_with_the_inner_ones(rows, monkeypatch):
    solver, best = Logistic(rows), np.array([2, 1, 0, 0])
    exact, same = solver.final(TRAINING, best, []), judged(solver)
    monkeypatch.setattr(logistic, "MOST_STEPS", 1)
    cold, warm = (solver.final(TRAINING, best, before) for before in ([], [same]))
    distances = [np.abs(head.kernel - exact.kernel).max(axis=0)[:3] for head in (cold, warm)]
    assert (distances[1] < distances[0] / 3).all()


def test_calibration_turns_answers_into_the_odds_they_stand_for():
    random = np.random.default_rng(0)
    made = random.normal(size=4000) * 0.01
    truth = random.random(4000) < 1 / (1 + np.exp(-(300 * made - 2)))
    slope, intercept = solvers._platt(made, truth, 0.0)
    assert slope == pytest.approx(300, rel=0.15)
    assert intercept == pytest.approx(-2, abs=0.15)


def test_answers_that_tell_nothing_leave_the_odds():
    made = np.random.default_rng(0).normal(size=400)
    assert solvers._platt(made, np.zeros(400, dtype=bool), -7.0) == (0.0, -7.0)
    assert solvers._platt(made, made < -1, -3.0) == (0.0, -3.0)  # a head that ranks upside down is worth nothing
    assert solvers._platt(made[:0], np.zeros(0, dtype=bool), -7.0) == (0.0, -7.0)
