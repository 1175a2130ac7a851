"""The one evaluation."""

from functools import partial
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from competition.metrics import f_beta
from competition.spec import Metric
from submissions.evaluate import bootstrap, cross_fit, evaluate, paired_difference
from submissions.thresholds import FixedCut, PerLabelCuts, UniformCut
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


@pytest.mark.parametrize("members", [(), (3,)])
def test_no_chip_is_decided_by_a_rule_that_saw_it(members: tuple[int, ...]) -> None:
    scores, truth = noise(60, 4)
    scores = np.broadcast_to(scores, (*members, 60, 4))
    assert Memory().fit(scores, truth).predict(scores).all()
    assert not cross_fit(Memory, scores, truth, fold_numbers(60)).any()


def test_every_chip_is_decided_by_a_rule_fitted_on_all_other_folds() -> None:
    fitted_on = []

    class Spy(FixedCut):
        def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
            fitted_on.append(set(scores[:, 0].tolist()))
            return super().fit(scores, truth)

    scores, truth = noise(31, 4)
    folds = np.array([7, 2, 9])[np.arange(31) % 3]
    decisions = cross_fit(lambda: Spy(0.5), scores, truth, folds)
    assert fitted_on == [set(scores[folds != fold, 0].tolist()) for fold in (2, 7, 9)]
    np.testing.assert_array_equal(decisions, scores >= 0.5)


@pytest.mark.parametrize("average", ["samples", "macro"])
def test_cuts_tuned_on_noise_look_better_than_chance_in_sample_only(average: str) -> None:
    metric = Metric(average=average, beta=0.5)
    looks, holds = [], []
    for seed in range(4):
        scores, truth = noise(60, 4, seed)
        chance = f_beta(truth, np.ones_like(truth), metric)  # what deciding every label gives
        make = partial(PerLabelCuts, metric)
        made = evaluate("tuned", make, scores, truth, fold_numbers(60), metric)
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


@pytest.mark.parametrize("average", AVERAGES)
def test_a_paired_difference_is_far_more_certain_than_two_separate_values(average: str) -> None:
    metric = Metric(average=average, beta=2)
    truth = draw_truth(planet(), 500)
    scores = draw_scores(truth, 1)
    ours, theirs = scores >= 0.3, scores >= 0.32
    difference, error = paired_difference(truth, ours, theirs, metric)
    assert difference == pytest.approx(f_beta(truth, ours, metric) - f_beta(truth, theirs, metric))
    apart = [bootstrap(truth, [each], metric, seed=seed)[:, 0] for seed, each in enumerate((ours, theirs))]
    assert 0 < error < (apart[0] - apart[1]).std() / 2
    assert paired_difference(truth, ours, ours, metric) == (0, 0)


def test_the_paired_error_is_that_of_the_chips_differences() -> None:
    from competition.metrics import f_beta_per_chip

    truth = draw_truth(planet(), 800)
    scores = draw_scores(truth, 1)
    ours, theirs = scores >= 0.3, scores >= 0.4
    per_chip = f_beta_per_chip(truth, ours, 2) - f_beta_per_chip(truth, theirs, 2)
    _, error = paired_difference(truth, ours, theirs, F2)
    assert error == pytest.approx(per_chip.std() / np.sqrt(800), rel=0.1)


def test_an_evaluation_has_all_its_figures() -> None:
    truth = draw_truth(planet(), 240)
    scores, folds = draw_scores(truth), fold_numbers(240)
    reference = scores >= 0.2
    made = evaluate("uniform", lambda: UniformCut(F2), scores, truth, folds, F2, reference=reference)
    assert made.cross_fitted == f_beta(truth, made.decisions, F2)
    assert made.in_sample == f_beta(truth, scores >= made.fitted.cuts.astype(np.float32), F2)
    assert made.interval[0] < made.cross_fitted < made.interval[1]
    assert made.difference == pytest.approx(made.cross_fitted - f_beta(truth, reference, F2))
    assert made.labels.support.tolist() == truth.sum(axis=0).tolist()
    assert made.figures()["optimism"] == made.in_sample - made.cross_fitted
    alone = evaluate("uniform", lambda: UniformCut(F2), scores, truth, folds, F2)
    assert (alone.difference, alone.standard_error) == (None, None)
    assert alone.interval == made.interval
    assert (made.difference, made.standard_error) == paired_difference(truth, made.decisions, reference, F2)


def test_what_does_not_fit_is_refused() -> None:
    scores, truth = noise(10, 3)
    with pytest.raises(ValueError, match="at least two folds, received 1"):
        cross_fit(lambda: FixedCut(0.5), scores, truth, np.zeros(10, dtype=int))
    with pytest.raises(ValueError, match="Shapes do not fit"):
        cross_fit(lambda: FixedCut(0.5), scores, truth[:9], fold_numbers(10))
    with pytest.raises(ValueError, match="Shapes do not fit"):
        cross_fit(lambda: FixedCut(0.5), scores, truth, fold_numbers(9))
