"""Cross-fitting: nothing is measured on a chip that it has seen."""

from functools import partial
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray

from competition.metrics.judge import measure
from competition.spec.metric import Metric
from submissions.combine.weights import LogLossWeights
from submissions.decide.cut_rules import FixedRule, PerLabelRule
from submissions.measure import cross_fit
from submissions.measure.cross_fit import CrossFit
from tests.submissions.samples import fold_numbers

F2 = Metric(average="samples", beta=2)


class Memory:
    """Decides a label for chips it was fitted on, and for no others."""

    learns = True

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
    chips = CrossFit(truth, fold_numbers(60), F2)
    evaluation = chips.evaluate("memory", Memory, chips.as_they_are(scores))
    assert not evaluation.answers.any()
    assert evaluation.in_sample > 0


def test_every_chip_is_decided_by_a_rule_fitted_on_all_other_folds() -> None:
    fitted_on = []

    class Spy(FixedRule):
        def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
            fitted_on.append(set(scores[:, 0].tolist()))
            return super().fit(scores, truth)

    scores, truth = noise(31, 4)
    folds = np.array([7, 2, 9])[np.arange(31) % 3]
    chips = CrossFit(truth, folds, F2)
    evaluation = chips.evaluate("spy", lambda: Spy(0.5), chips.as_they_are(scores))
    assert fitted_on[:3] == [set(scores[folds != fold, 0].tolist()) for fold in (2, 7, 9)]
    np.testing.assert_array_equal(evaluation.answers, scores >= 0.5)


@pytest.mark.parametrize("k", [2, 3, 5])
def test_no_combined_score_is_of_a_chip_that_was_learnt_from(k: int) -> None:
    scores, truth = noise(60, 4)
    folds = fold_numbers(60, k)
    combined = CrossFit(truth, folds, F2).combine(Echo, scores[None])
    assert not combined.scores.any()
    assert combined.in_sample.all()
    for fold in range(k):
        others = combined.nested[fold][folds != fold]
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
    combined = CrossFit(truth, folds, F2).combine(Spy, scores[None])
    assert len(learnt) == 4 + 1
    assert sorted(combined.nested) == [0, 1, 2, 3]
    assert all(combined.nested[fold].shape == truth.shape for fold in range(4))
    assert len(learnt) == 4 + 1 + 4 * 3 / 2
    for fold in range(4):
        held = set(scores[folds == fold, 0].tolist())
        for chip in np.flatnonzero(folds != fold):
            maker = learnt[round(float(combined.nested[fold][chip, 0]) * 100)]
            assert not maker & held
            assert float(scores[chip, 0]) not in maker


@pytest.mark.parametrize(("learns", "num_fits"), [(False, 4 + 1), (True, 4 + 1 + 6)])
def test_nested_scores_are_made_for_rules_that_learn(learns: bool, num_fits: int) -> None:
    fits = []

    class Counted(LogLossWeights):
        def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
            fits.append(len(truth))
            return super().fit(scores, truth)

    scores, truth = noise(40, 3)
    chips = CrossFit(truth, fold_numbers(40, 4), F2)
    combined = chips.combine(Counted, scores[None])
    chips.evaluate("rule", partial(PerLabelRule, F2) if learns else partial(FixedRule, 0.5), combined)
    assert len(fits) == num_fits


@pytest.mark.parametrize("k", [2, 4])
def test_nested_scores_too_large_to_keep_are_made_again_alike(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scores, truth = noise(40, 3)
    combine = CrossFit(truth, fold_numbers(40, k), F2).combine
    kept, again = combine(LogLossWeights, scores[None]), combine(LogLossWeights, scores[None])
    expected = {fold: kept.nested[fold] for fold in range(k)}
    monkeypatch.setattr(cross_fit, "LARGE", 0)
    for fold in (*range(k), 0):
        np.testing.assert_array_equal(again.nested[fold], expected[fold])


@pytest.mark.parametrize("average", ["samples", "macro"])
def test_cuts_tuned_on_noise_look_better_than_chance_in_sample_only(average: str) -> None:
    metric = Metric(average=average, beta=0.5)
    looks, holds = [], []
    for seed in range(4):
        scores, truth = noise(60, 4, seed)
        chance = measure(truth, np.ones_like(truth), metric)  # what deciding every label gives
        chips = CrossFit(truth, fold_numbers(60), metric)
        evaluation = chips.evaluate("tuned", partial(PerLabelRule, metric), chips.as_they_are(scores))
        looks.append(evaluation.in_sample - chance)
        holds.append(evaluation.cross_fitted - chance)
        assert evaluation.optimism > 0
    assert np.mean(looks) > 0.02
    assert np.mean(holds) < 0


def test_what_does_not_fit_is_refused() -> None:
    scores, truth = noise(10, 3)
    with pytest.raises(ValueError, match="at least two folds, received 1"):
        CrossFit(truth, np.zeros(10, dtype=int), F2)
    with pytest.raises(ValueError, match="Shapes do not fit"):
        CrossFit(truth, fold_numbers(9), F2)
    chips = CrossFit(truth, fold_numbers(10), F2)
    with pytest.raises(ValueError, match="Shapes do not fit"):
        chips.combine(Echo, scores[None, :9])
    with pytest.raises(ValueError, match="Shapes do not fit"):
        chips.evaluate("fixed", lambda: FixedRule(0.5), chips.as_they_are(scores[:, :2]))
