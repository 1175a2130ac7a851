"""How well scores rank the chips: against scikit-learn and the definitions, and what hangs on each chip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.metrics import average_precision_score, roc_auc_score

from competition.metrics.ranking import area_influence, average_precision, macro, precision_influence, roc_auc
from tests.competition.metrics.matrices import SCORES, Matrices, draw_matrices


@pytest.mark.parametrize("ranking", [average_precision, roc_auc])
def test_missing_scores_are_never_ranked(ranking: Callable[..., np.ndarray]) -> None:
    with pytest.raises(ValueError, match="without scores cannot be ranked"):
        ranking([[True, False], [False, True]], [[0.1, np.nan], [0.2, np.nan]])


@given(SCORES)
@settings(deadline=None)
def test_they_are_scikit_learns(drawn: Matrices) -> None:
    for carried, scores, precision, area in zip(
        *(m.T for m in drawn), average_precision(*drawn), roc_auc(*drawn), strict=True
    ):
        expected = average_precision_score(carried, scores) if carried.any() else np.nan
        assert precision == pytest.approx(expected, abs=1e-12, nan_ok=True)
        expected = roc_auc_score(carried, scores) if 0 < carried.sum() < len(carried) else np.nan
        assert area == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_they_are_scikit_learns_on_many_float32_scores() -> None:
    truth, scores = draw_matrices(5_000, 3)
    np.testing.assert_allclose(roc_auc(truth, scores), roc_auc_score(truth, scores, average=None), rtol=1e-12)
    expected = average_precision_score(truth, scores, average=None)
    np.testing.assert_allclose(average_precision(truth, scores), expected, rtol=1e-12)


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


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize(
    ("influence", "metric"), [(area_influence, roc_auc_score), (precision_influence, average_precision_score)]
)
def test_influence_is_the_derivative_to_the_weight_of_a_chip(
    influence: Callable[..., np.ndarray], metric: Callable[..., float], weighed: bool
) -> None:
    truth, scores = draw_matrices(40, 1)
    carried, scores = truth[:, 0], scores[:, 0].astype(np.float64).round(1)  # some tie
    weights = np.random.default_rng(3).exponential(size=40) if weighed else np.ones(40)
    columns = (carried, scores) if influence is area_influence else (carried[:, None], scores[:, None])
    received = influence(*columns, weights if weighed else None)
    heavier = [metric(carried, scores, sample_weight=weights + row) for row in 1e-6 * np.eye(40)]
    expected = (np.array(heavier) - metric(carried, scores, sample_weight=weights)) * weights.sum() * 1e6
    np.testing.assert_allclose(received, expected, atol=1e-3)
    assert np.average(received, weights=weights) == pytest.approx(0, abs=1e-12)


def test_nothing_hangs_on_any_chip_where_there_is_nothing_to_rank() -> None:
    scores = np.array([0.1, 0.2])
    for carried in (np.zeros(2, bool), np.ones(2, bool)):
        assert not area_influence(carried, scores).any()
    assert not precision_influence(np.zeros((2, 1), bool), scores[:, None]).any()


@pytest.mark.parametrize("metric", [average_precision, roc_auc])
def test_matrices_of_two_shapes_are_refused(metric: Callable[..., np.ndarray]) -> None:
    with pytest.raises(ValueError, match=r"one shape, got \(2, 3\), \(3, 2\)"):
        metric(np.ones((2, 3)), np.ones((3, 2)))
