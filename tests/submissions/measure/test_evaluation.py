"""Evaluations: their figures, their differences, and the choice among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from competition.metrics.bootstrap import bootstrap
from competition.metrics.f_beta import f_beta_per_chip
from competition.metrics.judge import measure
from competition.spec.metric import Metric
from submissions.decide.cut_rules import FixedRule, UniformRule
from submissions.measure.cross_fit import CrossFit
from submissions.measure.evaluation import Evaluation, Ranking, simplest_within_error
from tests.submissions.samples import draw_scores, draw_truth, fold_numbers, planet

AVERAGES = ("samples", "macro", "micro")
F2 = Metric(average="samples", beta=2)


def fixed(cut: float, scores: NDArray[np.float32], truth: NDArray[np.bool_], metric: Metric = F2) -> Evaluation:
    chips = CrossFit(truth, fold_numbers(len(truth)), metric)
    return chips.evaluate(f"fixed {cut}", lambda: FixedRule(cut), chips.as_they_are(scores))


@pytest.mark.parametrize("average", AVERAGES)
def test_a_paired_difference_is_far_more_certain_than_two_separate_values(average: str) -> None:
    metric = Metric(average=average, beta=2)
    truth = draw_truth(planet(), 500)
    scores = draw_scores(truth, 1)
    ours, theirs = fixed(0.3, scores, truth, metric), fixed(0.32, scores, truth, metric)
    difference, error = ours.over(theirs)
    assert difference == pytest.approx(ours.cross_fitted - theirs.cross_fitted)
    apart = [
        bootstrap(truth, [evaluation.answers], metric, seed=seed)[:, 0]
        for seed, evaluation in enumerate((ours, theirs))
    ]
    assert 0 < error < (apart[0] - apart[1]).std() / 2
    assert ours.over(ours) == (0, 0)


def test_the_paired_error_is_that_of_the_chips_differences() -> None:
    truth = draw_truth(planet(), 800)
    scores = draw_scores(truth, 1)
    ours, theirs = fixed(0.3, scores, truth), fixed(0.4, scores, truth)
    per_chip = f_beta_per_chip(truth, ours.answers, 2) - f_beta_per_chip(truth, theirs.answers, 2)
    assert ours.over(theirs).error == pytest.approx(per_chip.std() / np.sqrt(800), rel=0.1)


def test_an_evaluation_has_all_its_figures() -> None:
    truth = draw_truth(planet(), 240)
    scores, chips = draw_scores(truth), CrossFit(truth, fold_numbers(240), F2)
    evaluation = chips.evaluate("uniform", lambda: UniformRule(F2), chips.as_they_are(scores))
    assert evaluation.cross_fitted == measure(truth, evaluation.answers, F2)
    assert evaluation.in_sample == measure(truth, scores >= evaluation.fitted.cuts.astype(np.float32), F2)
    assert evaluation.interval[0] < evaluation.cross_fitted < evaluation.interval[1]
    assert evaluation.labels.support.tolist() == truth.sum(axis=0).tolist()
    reference = fixed(0.2, scores, truth)
    figures = evaluation.as_dict(reference)
    assert figures["optimism"] == evaluation.in_sample - evaluation.cross_fitted
    assert (figures["difference"], figures["standard_error"]) == evaluation.over(reference)


@pytest.mark.parametrize(
    ("values", "spread", "expected"),
    [
        ((0.900, 0.9009, 0.899), 0.001, 0),  # better, but not by a standard error
        ((0.900, 0.9020, 0.899), 0.001, 1),
        ((0.900, 0.9020, 0.9025), 0.001, 1),  # the simplest within an error of the best
        ((0.900, 0.9020, 0.9040), 0.001, 2),
        ((0.900, 0.900 + 1e-16, 0.900), 0.0, 0),  # rounding is no gain
    ],
)
def test_the_simplest_within_an_error_of_the_best_is_chosen(
    values: tuple[float, ...], spread: float, expected: int
) -> None:
    truth = draw_truth(planet(), 20)
    base, random = fixed(0.2, draw_scores(truth), truth), np.random.default_rng(0)
    evaluations = []
    for value in values:
        noise = random.normal(size=1000)
        noise = (noise - noise.mean()) / noise.std()
        evaluations.append(replace(base, cross_fitted=value, resampled=value + noise * spread / np.sqrt(2)))
    assert simplest_within_error(evaluations) is evaluations[expected]


def test_a_ranking_is_none_in_json_where_no_label_can_be_ranked() -> None:
    truth = np.array([[True, False], [False, False]])
    ranking = Ranking.of(np.array([[0.9, 0.1], [0.2, 0.3]]), truth, F2)
    assert ranking.as_dict() == {"macro_average_precision": 1.0, "macro_roc_auc": 1.0}
    assert Ranking.of(np.zeros((2, 1)), truth[:, 1:], F2).as_dict() == {
        "macro_average_precision": None,
        "macro_roc_auc": None,
    }
