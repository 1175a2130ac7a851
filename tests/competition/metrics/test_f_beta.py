"""F-beta against scikit-learn, with rows and columns that are empty or full."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score, precision_score, recall_score

from competition.metrics.f_beta import decisions_by_label, f_beta_per_chip
from competition.metrics.judge import measure
from competition.spec.metric import Metric
from tests.competition.metrics.matrices import BETAS, Matrices, matrices


@given(matrices(), BETAS, st.sampled_from(["samples", "macro", "micro"]), st.sampled_from([0, 1]))
@settings(deadline=None)
def test_f_beta_is_scikit_learns(drawn: Matrices, beta: float, average: str, empty: int) -> None:
    truth, decisions = drawn
    expected = fbeta_score(truth, decisions, beta=beta, average=average, zero_division=empty)
    received = measure(truth, decisions, Metric(average=average, beta=beta, empty=empty))
    assert received == pytest.approx(expected, abs=1e-12)


@given(matrices(), BETAS)
@settings(deadline=None, max_examples=30)
def test_f_beta_per_chip_is_that_of_each_row(drawn: Matrices, beta: float) -> None:
    truth, decisions = drawn
    expected = [fbeta_score(t, d, beta=beta, zero_division=0) for t, d in zip(truth, decisions, strict=True)]
    np.testing.assert_allclose(f_beta_per_chip(truth, decisions, beta), expected)


@given(matrices(), BETAS)
@settings(deadline=None, max_examples=30)
def test_metrics_by_label_are_scikit_learns(drawn: Matrices, beta: float) -> None:
    truth, decisions = drawn
    metrics = decisions_by_label(truth, decisions, beta)
    np.testing.assert_allclose(metrics.precision, precision_score(truth, decisions, average=None, zero_division=0))
    np.testing.assert_allclose(metrics.recall, recall_score(truth, decisions, average=None, zero_division=0))
    expected = fbeta_score(truth, decisions, beta=beta, average=None, zero_division=0)
    np.testing.assert_allclose(metrics.f_beta, expected)
    np.testing.assert_array_equal(metrics.support, truth.sum(axis=0))


def test_labels_weigh_as_the_metric_says() -> None:
    truth, decisions = np.array([[True, True], [True, False]]), np.array([[True, False], [True, False]])
    weighted = Metric(average="macro", weights={"common": 1, "rare": 3})
    assert measure(truth, decisions, weighted) == pytest.approx(1 / 4)


def test_matrices_of_two_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"one shape, got \(2, 3\), \(3, 2\)"):
        measure(np.ones((2, 3)), np.ones((3, 2)), Metric())
