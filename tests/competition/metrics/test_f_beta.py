"""Every metric against scikit-learn or its definition, with rows and columns that are empty or full."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score, precision_score, recall_score

from competition.metrics.f_beta import by_label, f_beta, f_beta_per_chip
from competition.metrics.ranking import average_precision, macro, roc_auc
from competition.spec.metric import Metric

Matrices = tuple[np.ndarray, np.ndarray]


@st.composite
def matrices(draw: st.DrawFn, values: st.SearchStrategy[float] | None = None) -> Matrices:
    """Draw the truth and another matrix, with at least two labels, as scikit-learn wants for multi-label data."""
    shape = draw(st.tuples(st.integers(1, 9), st.integers(2, 5)))
    bits = st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    cells = bits if values is None else st.lists(values, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])
    return np.array(draw(bits)).reshape(shape), np.array(draw(cells)).reshape(shape)


BETAS = st.sampled_from([0.5, 1.0, 2.0])
# Few values, so that scores tie.
SCORES = matrices(st.sampled_from([0.0, 0.2, 0.21, 0.5, 1.0]))


@pytest.mark.parametrize("ranking", [average_precision, roc_auc])
def test_missing_scores_are_never_ranked(ranking: Callable[..., np.ndarray]) -> None:
    with pytest.raises(ValueError, match="without scores cannot be ranked"):
        ranking([[True, False], [False, True]], [[0.1, np.nan], [0.2, np.nan]])


@given(matrices(), BETAS, st.sampled_from(["samples", "macro", "micro"]))
@settings(deadline=None)
def test_f_beta_is_scikit_learns(drawn: Matrices, beta: float, average: str) -> None:
    truth, decisions = drawn
    expected = fbeta_score(truth, decisions, beta=beta, average=average, zero_division=0)
    assert f_beta(truth, decisions, Metric(average=average, beta=beta)) == pytest.approx(expected)


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
    metrics = by_label(truth, decisions, beta)
    np.testing.assert_allclose(metrics.precision, precision_score(truth, decisions, average=None, zero_division=0))
    np.testing.assert_allclose(metrics.recall, recall_score(truth, decisions, average=None, zero_division=0))
    expected = fbeta_score(truth, decisions, beta=beta, average=None, zero_division=0)
    np.testing.assert_allclose(metrics.f_beta, expected)
    np.testing.assert_array_equal(metrics.support, truth.sum(axis=0))


@given(SCORES)
@settings(deadline=None)
def test_average_precision_is_the_precision_at_each_score_weighted_by_the_recall_it_adds(drawn: Matrices) -> None:
    for carried, scores, received in zip(*(m.T for m in drawn), average_precision(*drawn), strict=True):
        expected, recall_before = 0.0, 0.0
        for score in sorted(set(scores), reverse=True):
            decided = scores >= score
            recall = (carried & decided).sum() / max(carried.sum(), 1)
            expected += (recall - recall_before) * (carried & decided).sum() / decided.sum()
            recall_before = recall
        assert received == pytest.approx(expected if carried.any() else np.nan, nan_ok=True)


@given(SCORES)
@settings(deadline=None)
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(drawn: Matrices) -> None:
    for carried, scores, received in zip(*(m.T for m in drawn), roc_auc(*drawn), strict=True):
        gaps = scores[carried][:, None] - scores[~carried][None, :]
        expected = np.mean((gaps > 0) + (gaps == 0) / 2) if gaps.size else np.nan
        assert received == pytest.approx(expected, nan_ok=True)


def test_the_macro_mean_leaves_out_labels_without_a_value() -> None:
    assert macro(np.array([1.0, np.nan, 0.0])) == 0.5
    assert np.isnan(macro(np.array([np.nan])))


@pytest.mark.parametrize("metric", [average_precision, roc_auc, lambda t, s: f_beta(t, s, Metric())])
def test_matrices_of_two_shapes_are_refused(metric: object) -> None:
    with pytest.raises(ValueError, match=r"one shape, got \(2, 3\), \(3, 2\)"):
        metric(np.ones((2, 3)), np.ones((3, 2)))  # type: ignore[operator]
