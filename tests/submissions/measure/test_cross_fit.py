"""The one evaluation."""

from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from competition.metrics import f_beta, f_beta_per_chip
from competition.spec import Metric
from submissions.decide.thresholds import FixedCut, PerLabelCuts, UniformCut
from submissions.measure.bootstrap import bootstrap
from submissions.measure.cross_fit import Combined, combine, evaluate
from submissions.measure.evaluation import Evaluation, simplest_within_error
from tests.submissions.samples import draw_scores, draw_truth, fold_numbers, planet

AVERAGES = ("samples", "macro", "micro")
F2 = Metric(average="samples", beta=2)


class Memory:
    """Decides a label for chips it was fitted on, and for no others."""

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        self.seen = set(scores[..., 0].ravel().tolist())
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.bool_]:
        seen = [score in self.seen for score in scores.reshape(-1, *scores.shape[-2:])[0, :, 0].tolist()]
        return np.repeat(np.array(seen)[:, None], scores.shape[-1], axis=1)


def noise(num_chips: int, num_labels: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return scores and truth that know nothing of each other."""
    random = np.random.default_rng(seed)
    return random.random((num_chips, num_labels), dtype=np.float32), random.random((num_chips, num_labels)) < 0.3


def plain(scores: NDArray[np.float32], k: int = 3) -> Combined:
    return Combined.unlearnt(scores, fold_numbers(len(scores), k))


class Echo:
    """A combiner whose scores say how many of the chips it is asked of it was fitted on, and which chip is asked."""

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        self.seen = set(scores[0, :, 0].tolist())
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        known = np.array([score in self.seen for score in scores[0, :, 0].tolist()], dtype=np.float32)
        return np.repeat(known[:, None], scores.shape[-1], axis=1)


def test_no_chip_is_decided_by_a_rule_that_saw_it() -> None:
    scores, truth = noise(60, 4)
    assert Memory().fit(scores, truth).predict(scores).all()
    made = evaluate("memory", Memory, plain(scores), truth, fold_numbers(60), F2)
    assert not made.decisions.any()
    assert made.in_sample > 0


def test_every_chip_is_decided_by_a_rule_fitted_on_all_other_folds() -> None:
    fitted_on = []

    class Spy(FixedCut):
        def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
            fitted_on.append(set(scores[:, 0].tolist()))
            return super().fit(scores, truth)

    scores, truth = noise(31, 4)
    folds = np.array([7, 2, 9])[np.arange(31) % 3]
    made = evaluate("spy", lambda: Spy(0.5), Combined.unlearnt(scores, folds), truth, folds, F2)
    assert fitted_on[:3] == [set(scores[folds != fold, 0].tolist()) for fold in (2, 7, 9)]
    np.testing.assert_array_equal(made.decisions, scores >= 0.5)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_no_combined_score_is_of_a_chip_that_was_learnt_from(k: int) -> None:
    scores, truth = noise(60, 4)
    folds = fold_numbers(60, k)
    made = combine(Echo, scores[None], truth, folds)
    assert not made.scores.any()
    assert made.in_sample.all()
    for fold in range(k):
        others = made.nested[fold][folds != fold]
        assert not others.any() if k > 2 else others.all()  # of two folds, one is left to fit a rule on


def test_a_rule_for_a_fold_never_meets_scores_that_this_folds_truth_made() -> None:
    learnt: dict[int, set[float]] = {}

    class Spy(Echo):
        def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
            self.number = len(learnt) + 1
            learnt[self.number] = set(scores[0, :, 0].tolist())
            return self

        def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
            return np.full(scores.shape[1:], self.number / 100, dtype=np.float32)

    scores, truth = noise(40, 3)
    folds = fold_numbers(40, 4)
    made = combine(Spy, scores[None], truth, folds)
    assert len(learnt) == 4 * 3 / 2 + 4 + 1
    for fold in range(4):
        held = set(scores[folds == fold, 0].tolist())
        for chip in np.flatnonzero(folds != fold):
            maker = learnt[round(float(made.nested[fold][chip, 0]) * 100)]
            assert not maker & held
            assert float(scores[chip, 0]) not in maker


@pytest.mark.parametrize("average", ["samples", "macro"])
def test_cuts_tuned_on_noise_look_better_than_chance_in_sample_only(average: str) -> None:
    metric = Metric(average=average, beta=0.5)
    looks, holds = [], []
    for seed in range(4):
        scores, truth = noise(60, 4, seed)
        chance = f_beta(truth, np.ones_like(truth), metric)  # what deciding every label gives
        make = partial(PerLabelCuts, metric)
        made = evaluate("tuned", make, plain(scores), truth, fold_numbers(60), metric)
        looks.append(made.in_sample - chance)
        holds.append(made.cross_fitted - chance)
        assert made.optimism > 0
    assert np.mean(looks) > 0.02
    assert np.mean(holds) < 0


@pytest.mark.parametrize("average", AVERAGES)
def test_the_fast_bootstrap_is_the_plain_one(average: str) -> None:
    metric = Metric(average=average, beta=2)
    truth = draw_truth(planet(), 150)
    decisions = draw_scores(truth, 1) >= 0.3
    random = np.random.default_rng(0)
    draws = [random.integers(150, size=150) for _ in range(800)]
    plain = np.array([f_beta(truth[rows], decisions[rows], metric) for rows in draws])
    fast = bootstrap(truth, [decisions], metric, resamples=2000)[:, 0]
    assert fast.shape == (2000,)
    assert fast.std() == pytest.approx(plain.std(), rel=0.12)
    assert fast.mean() == pytest.approx(plain.mean(), abs=plain.std() / 5)


def test_the_interval_holds_the_true_value_about_nineteen_times_of_twenty() -> None:
    truth = draw_truth(planet(), 60_000, 5)
    decisions = draw_scores(truth, 6) >= 0.3
    value = f_beta(truth, decisions, F2)
    held = 0
    for part in range(200):
        rows = slice(part * 300, (part + 1) * 300)
        low, high = np.quantile(bootstrap(truth[rows], [decisions[rows]], F2, resamples=300, seed=part), [0.025, 0.975])
        held += low <= value <= high
    assert 0.89 <= held / 200 <= 0.985


def fixed(cut: float, scores: NDArray[np.float32], truth: NDArray[np.bool_], metric: Metric = F2) -> Evaluation:
    return evaluate(f"fixed {cut}", lambda: FixedCut(cut), plain(scores), truth, fold_numbers(len(truth)), metric)


@pytest.mark.parametrize("average", AVERAGES)
def test_a_paired_difference_is_far_more_certain_than_two_separate_values(average: str) -> None:
    metric = Metric(average=average, beta=2)
    truth = draw_truth(planet(), 500)
    scores = draw_scores(truth, 1)
    ours, theirs = fixed(0.3, scores, truth, metric), fixed(0.32, scores, truth, metric)
    difference, error = ours.over(theirs)
    assert difference == pytest.approx(ours.cross_fitted - theirs.cross_fitted)
    apart = [bootstrap(truth, [each.decisions], metric, seed=seed)[:, 0] for seed, each in enumerate((ours, theirs))]
    assert 0 < error < (apart[0] - apart[1]).std() / 2
    assert ours.over(ours) == (0, 0)


def test_the_paired_error_is_that_of_the_chips_differences() -> None:
    truth = draw_truth(planet(), 800)
    scores = draw_scores(truth, 1)
    ours, theirs = fixed(0.3, scores, truth), fixed(0.4, scores, truth)
    per_chip = f_beta_per_chip(truth, ours.decisions, 2) - f_beta_per_chip(truth, theirs.decisions, 2)
    assert ours.over(theirs).error == pytest.approx(per_chip.std() / np.sqrt(800), rel=0.1)


def test_an_evaluation_has_all_its_figures() -> None:
    truth = draw_truth(planet(), 240)
    scores, folds = draw_scores(truth), fold_numbers(240)
    made = evaluate("uniform", lambda: UniformCut(F2), plain(scores), truth, folds, F2)
    assert made.cross_fitted == f_beta(truth, made.decisions, F2)
    assert made.in_sample == f_beta(truth, scores >= made.fitted.cuts.astype(np.float32), F2)
    assert made.interval[0] < made.cross_fitted < made.interval[1]
    assert made.labels.support.tolist() == truth.sum(axis=0).tolist()
    reference = fixed(0.2, scores, truth)
    figures = made.figures(reference)
    assert figures["optimism"] == made.in_sample - made.cross_fitted
    assert (figures["difference"], figures["standard_error"]) == made.over(reference)


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
    made = []
    for value in values:
        noise = random.normal(size=1000)
        noise = (noise - noise.mean()) / noise.std()
        made.append(replace(base, cross_fitted=value, resampled=value + noise * spread / np.sqrt(2)))
    assert simplest_within_error(made) is made[expected]


def test_what_does_not_fit_is_refused() -> None:
    scores, truth = noise(10, 3)
    with pytest.raises(ValueError, match="at least two folds, received 1"):
        combine(Echo, scores[None], truth, np.zeros(10, dtype=int))
    with pytest.raises(ValueError, match="Shapes do not fit"):
        combine(Echo, scores[None], truth[:9], fold_numbers(10))
    with pytest.raises(ValueError, match="Shapes do not fit"):
        evaluate("fixed", lambda: FixedCut(0.5), plain(scores), truth, fold_numbers(9), F2)
