"""Exact cuts: no single cut can be moved for the better, at any of the cuts that there are."""

from __future__ import annotations

import numpy as np
import pytest

from competition.metrics.judge import measure
from competition.spec.metric import Metric
from submissions.decide import exact_cuts
from submissions.decide.exact_cuts import GRID, CutSearch

METRICS = [
    *(Metric(average=average, beta=beta) for average in ("samples", "macro", "micro") for beta in (1.0, 2.0)),
    *(Metric(average=average, beta=2, empty=1) for average in ("samples", "macro")),
    Metric(average="macro", weights=dict(zip("abcd", (1, 0, 2.5, 1), strict=True))),
    Metric(name="accuracy"),
    Metric(name="accuracy", average="samples"),
    Metric(name="exact_match"),
]
Chips = tuple[np.ndarray, np.ndarray]


def chips(num_chips: int = 60, num_labels: int = 4, seed: int = 0, decimals: int = 2) -> Chips:
    """Return scores with ties, and truth that they tell something of."""
    random = np.random.default_rng(seed)
    truth = random.random((num_chips, num_labels)) < np.linspace(0.6, 0.1, num_labels)
    scores = np.clip(0.35 * truth + random.beta(1, 3, size=truth.shape), 0, 1).round(decimals).astype(np.float32)
    return scores, truth


def value(scores: np.ndarray, truth: np.ndarray, cuts: np.ndarray, metric: Metric) -> float:
    return measure(truth, scores >= np.asarray(cuts, dtype=np.float32), metric)


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_no_other_cut_of_a_label_is_better(metric, seed):
    scores, truth = chips(seed=seed)
    cuts = CutSearch(scores, truth, metric).ascend([np.full(4, 0.2)])
    found = value(scores, truth, cuts, metric)
    for label in range(4):
        for cut in [0.0, 1.0, *np.unique(scores[:, label])]:
            others = cuts.copy()
            others[label] = cut
            assert value(scores, truth, others, metric) <= found + 1e-12


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_one_label_has_its_best_cut(metric):
    scores, truth = chips(num_labels=1, seed=4)
    metric = metric.of_labels(("a",))
    cuts = CutSearch(scores, truth, metric).ascend([np.zeros(1)])
    best = max(value(scores, truth, np.array([cut]), metric) for cut in [0.0, 1.0, *np.unique(scores)])
    assert value(scores, truth, cuts, metric) == pytest.approx(best, abs=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_the_result_is_at_least_as_good_as_every_start_and_what_it_is_said_to_be(metric):
    scores, truth = chips(num_chips=300, seed=2, decimals=6)
    search, random = CutSearch(scores, truth, metric), np.random.default_rng(0)
    starts = [random.random(4) for _ in range(5)]
    cuts = search.ascend(starts)
    assert search.value(cuts) == pytest.approx(value(scores, truth, cuts, metric), abs=1e-12)
    assert search.value(cuts) >= max(search.value(start) for start in starts)


@pytest.mark.parametrize("metric", METRICS, ids=str)
def test_the_uniform_search_is_that_of_the_grid(metric):
    scores, truth = chips(seed=1)
    expected = [value(scores, truth, np.full(4, cut), metric) for cut in GRID]
    np.testing.assert_allclose(CutSearch(scores, truth, metric).uniform(), expected, atol=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("decimals", [1, 6])
def test_the_highest_scores_show_the_best_cuts_of_all(metric, decimals, monkeypatch):
    scores, truth = chips(num_chips=400, seed=5, decimals=decimals)
    starts = [np.full(4, 0.2), np.full(4, 0.7)]
    whole = CutSearch(scores, truth, metric).ascend(starts)
    monkeypatch.setattr(exact_cuts, "FEW", 0)
    monkeypatch.setattr(exact_cuts, "FIRST", 1)
    search = CutSearch(scores, truth, metric)
    np.testing.assert_array_equal(search.ascend(starts), whole)


@pytest.mark.parametrize("average", ["samples", "macro", "micro"])
def test_a_best_cut_far_below_the_highest_scores_is_found(average, monkeypatch):
    monkeypatch.setattr(exact_cuts, "FEW", 0)
    monkeypatch.setattr(exact_cuts, "FIRST", 1)
    scores, truth = np.zeros((2000, 2), dtype=np.float32), np.zeros((2000, 2), dtype=bool)
    scores[:100, 0] = np.linspace(0.9, 0.1, 100)
    truth[[0, *range(60, 79)], 0] = truth[1:60, 1] = True  # a hit, 59 chips that carry the other label, and 19 hits
    scores[:, 1] = truth[:, 1]
    cuts = CutSearch(scores, truth, Metric(average=average, beta=10)).ascend([np.array([0.95, 0.5])])
    assert (scores[:, 0] >= cuts[0]).sum() == 79


def test_of_many_rare_labels_few_scores_are_looked_at(monkeypatch):
    random = np.random.default_rng(0)
    truth = random.random((5000, exact_cuts.FEW + 1)) < 0.002
    scores = np.clip(0.5 * truth + random.beta(1, 20, size=truth.shape), 0, 1).astype(np.float32)
    search = CutSearch(scores, truth, Metric(beta=2))
    cuts = search.ascend([np.full(truth.shape[1], 0.2)])
    assert max(len(ranking.order) for ranking in search.rankings) < 2000
    monkeypatch.setattr(exact_cuts, "FEW", truth.shape[1])
    np.testing.assert_array_equal(cuts, CutSearch(scores, truth, Metric(beta=2)).ascend([np.full(len(cuts), 0.2)]))


def test_a_cut_lies_half_way_between_the_scores_that_it_parts():
    scores, truth = np.array([[0.9], [0.7], [0.3]], dtype=np.float32), np.array([[True], [True], [False]])
    for metric in METRICS:
        assert CutSearch(scores, truth, metric.of_labels(("a",))).ascend([np.array([0.95])]) == pytest.approx(0.5)


def test_neighbouring_floats_are_parted():
    low = np.float32(0.5)
    high = np.nextafter(low, np.float32(1))
    scores, truth = np.array([[high], [low]]), np.array([[True], [False]])
    cuts = CutSearch(scores, truth, Metric(average="micro", beta=1.0)).ascend([np.zeros(1)])
    assert (scores >= cuts.astype(np.float32)).ravel().tolist() == [True, False]


@pytest.mark.parametrize("metric", METRICS, ids=str)
@pytest.mark.parametrize("constant", [0.0, 0.4, 1.0])
def test_constant_scores_and_labels_without_positives_give_cuts_that_can_be_used(metric, constant):
    scores, truth = chips()
    scores[:, 1], truth[:, 2] = constant, False
    cuts = CutSearch(scores, truth, metric).ascend([np.full(4, 0.2), np.full(4, 0.9)])
    assert ((cuts >= 0) & (cuts <= 1)).all()
    if metric.average != "macro" or metric.empty:  # to which a label that no chip carries is 0 at every cut
        assert not (scores[:, 2] >= np.float32(cuts[2])).any()
