"""Combiners: what each makes of members, and that none learns what is not there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from competition.metrics import f_beta
from competition.spec import Metric
from submissions.combine.greedy import GreedySelection, MeanTrial, select
from submissions.combine.means import Mean, RankMean, weighted_mean
from submissions.combine.stack_columns import EXTRAS, Columns
from submissions.combine.stacks import Boosting, Logistic, Ridge
from submissions.combine.weights import LogLossWeights, TunedWeights
from submissions.decide.log_odds import sigmoid

F2 = Metric(average="samples", beta=2.0)
NAMES = ("good", "fair", "noise")
GROUPS = [[0, 1]]

COMBINERS: dict[str, Callable[[], Any]] = {
    "mean": Mean,
    "geometric": lambda: Mean("geometric"),
    "logit": lambda: Mean("logit"),
    "rank": RankMean,
    "greedy": lambda: GreedySelection(F2),
    "log loss": LogLossWeights,
    "log loss by label": lambda: LogLossWeights(per_label=True),
    "tuned": lambda: TunedWeights(F2, NAMES, trials=20),
    "ridge": lambda: Ridge(Columns()),
    "own": lambda: Logistic(Columns(), own=True),
    "all": lambda: Logistic(Columns(EXTRAS, GROUPS), own=False),
    "boosting": lambda: Boosting(Columns()),
}
LEARNING = [name for name in COMBINERS if name not in ("mean", "geometric", "logit", "rank")]


def members(num_chips: int = 1200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of a good member, a fair one and one that says nothing, and the truth."""
    random = np.random.default_rng(seed)
    truth = random.random((num_chips, 4)) < [0.8, 0.4, 0.2, 0.05]
    prior = np.log(np.array([0.8, 0.4, 0.2, 0.05]) / (1 - np.array([0.8, 0.4, 0.2, 0.05])))
    known = np.where(truth, 1.0, -1.0)
    logits = [prior + strength * known + random.normal(size=truth.shape) for strength in (2.0, 1.0, 0.0)]
    return sigmoid(np.stack(logits)).astype(np.float32), truth


def log_loss(scores: np.ndarray, truth: np.ndarray) -> float:
    return float(-np.log(np.where(truth, scores, 1 - scores).clip(1e-6)).mean())


@pytest.mark.parametrize("name", COMBINERS)
def test_scores_come_back_in_their_range_and_each_chip_by_itself(name):
    scores, truth = members()
    combiner = COMBINERS[name]().fit(scores, truth)
    made = combiner.predict(scores)
    assert made.shape == truth.shape
    assert made.dtype == np.float32
    assert ((made >= 0) & (made <= 1)).all()
    np.testing.assert_allclose(combiner.predict(scores[:, 5:9]), made[5:9], atol=1e-6)


@pytest.mark.parametrize("name", LEARNING)
def test_what_is_learnt_beats_the_mean_on_other_chips(name):
    scores, truth = members()
    others, their_truth = members(seed=1)
    made = COMBINERS[name]().fit(scores, truth).predict(others)
    assert log_loss(made, their_truth) < log_loss(Mean().predict(others), their_truth) - 0.01


@pytest.mark.parametrize("name", COMBINERS)
def test_a_label_without_positives_constant_scores_and_a_member_of_some_labels_are_taken(name):
    scores, truth = members()
    truth[:, 3], scores[1, :, 2], scores[2, :, :2] = False, 0.3, np.nan
    made = COMBINERS[name]().fit(scores, truth).predict(scores)
    assert np.isfinite(made).all()
    assert ((made >= 0) & (made <= 1)).all()


@pytest.mark.parametrize("name", COMBINERS)
def test_one_member_alone_keeps_the_order_of_the_chips(name):
    if name in ("ridge", "all", "boosting"):  # these look at the other labels too
        return
    scores, truth = members()
    alone = TunedWeights(F2, NAMES[:1], trials=5) if name == "tuned" else COMBINERS[name]()
    made = alone.fit(scores[:1], truth).predict(scores[:1])
    for label in range(4):
        order = np.argsort(scores[0, :, label])
        assert (np.diff(made[order, label]) >= -1e-6).all()


# Means


def test_a_weighted_mean_is_over_those_that_score_a_label():
    scores = np.array([[[0.2, 0.4]], [[0.6, np.nan]]])
    np.testing.assert_allclose(weighted_mean(scores, np.array([1.0, 3.0])), [[0.5, 0.4]])
    np.testing.assert_allclose(weighted_mean(scores, np.array([0.0, 1.0])), [[0.6, 0.4]])  # the only one there is
    with pytest.raises(ValueError, match="no member"):
        weighted_mean(scores[1:], np.ones(1))


def test_the_mean_of_ranks_does_not_see_how_a_member_is_scaled():
    scores, truth = members()
    bent = scores.copy()
    bent[1] = bent[1] ** 3
    order = [np.argsort(RankMean().fit(each, truth).predict(each)[:, 0]) for each in (scores, bent)]
    assert np.mean(np.abs(np.argsort(order[0]) - np.argsort(order[1]))) < 10  # of 1,200 places


# Greedy selection


def test_a_trial_is_the_metric_of_the_mean():
    scores, truth = members()
    scores[2, :, 1] = np.nan
    for average in ("samples", "macro", "micro"):
        metric = Metric(average=average, beta=2.0)
        trial = MeanTrial(scores, truth, metric)
        trial.add(0)
        trial.add(0)
        mean = weighted_mean(scores, np.array([2, 0, 1]))
        assert trial.with_one(2) == pytest.approx(f_beta(truth, mean >= metric.prior_cut, metric), abs=2e-3)
        weights = np.array([0.5, 0.2, 0.3])
        expected = f_beta(truth, weighted_mean(scores, weights) >= metric.prior_cut, metric)
        assert trial.weighted(weights) == pytest.approx(expected, abs=2e-3)


def test_greedy_selection_is_never_worse_than_its_best_member_and_ties_go_to_members_chosen():
    scores, truth = members()
    twins = np.concatenate([scores, scores[:1]])  # the good one again
    trial = MeanTrial(twins, truth, F2)
    singles = np.array([trial.with_one(member) for member in range(4)])
    counts = select(trial, range(4), singles)
    mean = weighted_mean(twins, counts)
    assert f_beta(truth, mean >= F2.prior_cut, F2) >= singles.max() - 1e-9
    assert counts[3] == 0


def test_noise_has_little_weight():
    scores, truth = members(4000)
    for combiner in (LogLossWeights(), LogLossWeights(per_label=True)):
        weights = combiner.fit(scores, truth).weights
        assert weights.sum(axis=0) == pytest.approx(1)
        assert weights[0].mean() > 0.5
        assert weights[2].mean() < 0.1
