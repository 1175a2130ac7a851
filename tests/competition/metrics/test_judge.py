"""What answers are worth: against scikit-learn, on matrices that tie and are empty, and drawn again and again."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as scikit

from competition.metrics.judge import addends, left_out, measure, metric_by_label, of_sums
from competition.spec.metric import Metric
from tests.competition.metrics.matrices import SCORES, Matrices, draw_matrices, matrices

MACRO, MICRO, SAMPLES = "macro", "micro", "samples"
PRECISIONS = [Metric(name="average_precision", average=average) for average in (MACRO, MICRO, SAMPLES)]
LRAP, LWLRAP = Metric(name="label_ranking"), Metric(name="label_ranking", average=MICRO)
AUC, LOSS = Metric(name="roc_auc"), Metric(name="log_loss", clip=1e-7)
ACCURACY = Metric(name="accuracy")
WHOLE = [Metric(name="accuracy", average=SAMPLES), Metric(name="exact_match")]
OF_SCORES = [AUC, *PRECISIONS, LRAP, LWLRAP, LOSS]
OF_DECISIONS = [Metric(average=average, beta=2) for average in (MACRO, MICRO, SAMPLES)] + [ACCURACY, *WHOLE]
ALL = [*OF_SCORES, *OF_DECISIONS]


def _titles(metric: Metric) -> str:
    return metric.title


def _lwlrap(truth: np.ndarray, scores: np.ndarray) -> float:
    """The published example of the Freesound competition of 2019, `calculate_overall_lwlrap_sklearn`."""
    carried = truth.sum(axis=1)
    rows = np.flatnonzero(carried)
    return scikit.label_ranking_average_precision_score(truth[rows], scores[rows], sample_weight=carried[rows])


@given(SCORES, st.sampled_from(PRECISIONS))
@settings(deadline=None)
def test_average_precision_is_scikit_learns(drawn: Matrices, metric: Metric) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels, or chips, without positives
        expected = scikit.average_precision_score(*drawn, average=metric.average)
    assert measure(*drawn, metric) == pytest.approx(expected, abs=1e-12)


@given(SCORES)
@settings(deadline=None)
def test_roc_auc_is_scikit_learns_over_the_labels_that_have_two_classes(drawn: Matrices) -> None:
    truth, scores = drawn
    kept = np.setdiff1d(np.arange(truth.shape[1]), left_out(truth, AUC))
    assert all(len(np.unique(column)) == 1 for column in np.delete(truth, kept, axis=1).T)
    expected = np.mean([scikit.roc_auc_score(truth[:, i], scores[:, i]) for i in kept]) if len(kept) else np.nan
    assert measure(truth, scores, AUC) == pytest.approx(expected, abs=1e-12, nan_ok=True)


@given(SCORES)
@settings(deadline=None)
def test_label_ranking_is_scikit_learns_and_that_of_freesound(drawn: Matrices) -> None:
    truth, scores = drawn
    expected = scikit.label_ranking_average_precision_score(truth, scores)
    assert measure(truth, scores, LRAP) == pytest.approx(expected, abs=1e-12)
    expected = _lwlrap(truth, scores) if truth.any() else 0
    assert measure(truth, scores, LWLRAP) == pytest.approx(expected, abs=1e-12)
    values = np.nan_to_num(metric_by_label(truth, scores, LWLRAP))
    assert values @ truth.sum(axis=0) == pytest.approx(expected * truth.sum(), abs=1e-12)


@given(SCORES)
@settings(deadline=None)
def test_log_loss_is_the_mean_of_scikit_learns_over_columns(drawn: Matrices) -> None:
    truth, scores = drawn
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    pairs = zip(truth.T, clipped.T, strict=True)
    expected = np.mean([scikit.log_loss(*pair, labels=[False, True]) for pair in pairs])
    assert measure(truth, scores, LOSS) == pytest.approx(expected, abs=1e-12)


@given(matrices())
@settings(deadline=None)
def test_accuracy_is_scikit_learns_of_cells_or_of_whole_chips(drawn: Matrices) -> None:
    assert measure(*drawn, ACCURACY) == pytest.approx(1 - scikit.hamming_loss(*drawn), abs=1e-12)
    for metric in WHOLE:
        assert measure(*drawn, metric) == pytest.approx(scikit.accuracy_score(*drawn), abs=1e-12)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "log_loss"])
def test_labels_weigh_as_the_metric_says(name: str) -> None:
    truth, scores = draw_matrices(200, 3)
    metric = Metric.model_validate({"name": name, "average": "macro", "weights": {"a": 2, "b": 1, "c": 0}})
    expected = np.average(metric_by_label(truth, scores, metric), weights=[2, 1, 0])
    assert measure(truth, scores, metric) == pytest.approx(expected, abs=1e-12)
    assert _drawn(truth, [scores], metric, _times(200, 1)[:1] * 0 + 1) == pytest.approx(expected, rel=1e-6)


def test_what_cannot_be_judged_is_refused() -> None:
    truth = np.ones((2, 3), dtype=bool)
    with pytest.raises(ValueError, match="NaN among the scores"):
        measure(truth, np.full((2, 3), np.nan), AUC)
    with pytest.raises(ValueError, match="accuracy judges decisions"):
        metric_by_label(truth, np.ones((2, 3)), ACCURACY)
    for metric in ALL:
        with pytest.raises(ValueError, match=r"one shape, got \(2, 3\), \(3, 2\)"):
            measure(truth, np.ones((3, 2)), metric)


def _answers(scores: np.ndarray, metric: Metric) -> np.ndarray:
    return scores if metric.judges == "scores" else scores >= 0.4


def _times(num_chips: int, draws: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.stack(
        [np.bincount(random.integers(num_chips, size=num_chips), minlength=num_chips) for _ in range(draws)]
    )


def _drawn(truth: np.ndarray, answers: list[np.ndarray], metric: Metric, times: np.ndarray) -> np.ndarray:
    """Return the metric of drawn chips (num_draws, num_answers) by the sums over them."""
    parts = [of_sums(times.astype(np.float32) @ addends(truth, some, metric), len(truth), metric) for some in answers]
    return np.stack(parts, axis=1)


@given(SCORES, st.sampled_from(ALL))
@settings(deadline=None)
def test_the_sums_over_all_chips_make_the_metric(drawn: Matrices, metric: Metric) -> None:
    truth, scores = drawn
    answers = _answers(scores, metric)
    once = np.ones((1, len(truth)), dtype=np.int64)
    expected = measure(truth, answers, metric)
    assert _drawn(truth, [answers], metric, once)[0, 0] == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("metric", ALL, ids=_titles)
def test_drawn_chips_vary_as_much_as_if_each_draw_were_measured(metric: Metric) -> None:
    truth, one = draw_matrices(1000, 3)
    noise = np.random.default_rng(9).normal(size=one.shape) * 0.1
    answers = [_answers(scores, metric) for scores in (one, np.clip(one + noise, 0, 1).astype(np.float32))]
    times = _times(1000, 200)
    fast = _drawn(truth, answers, metric, times)
    rows = [np.repeat(np.arange(1000), row) for row in times]
    plain = np.array([[measure(truth[drawn], some[drawn], metric) for some in answers] for drawn in rows])
    assert np.std(fast, axis=0) == pytest.approx(np.std(plain, axis=0), rel=0.03)
    assert np.std(fast[:, 0] - fast[:, 1]) == pytest.approx(np.std(plain[:, 0] - plain[:, 1]), rel=0.03)
    assert np.corrcoef(fast[:, 0], plain[:, 0])[0, 1] > 0.99  # draw by draw


@pytest.mark.parametrize("metric", ALL, ids=_titles)
def test_many_labels_take_little_memory(metric: Metric, monkeypatch: pytest.MonkeyPatch) -> None:
    truth, scores = draw_matrices(20, 6)
    expected = addends(truth, _answers(scores, metric), metric)
    for module in ("ranking", "label_ranking", "log_loss"):
        monkeypatch.setattr(f"competition.metrics.{module}.CELLS_AT_ONCE", 12)
    np.testing.assert_allclose(addends(truth, _answers(scores, metric), metric), expected, rtol=1e-6)
