"""What every way of combining members holds, and the ways by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from competition.common.errors import UserError
from submissions.combine.greedy import GreedySelection
from submissions.combine.means import Mean, RankMean
from submissions.combine.methods import METHODS, Setting, make_combiner
from submissions.combine.stack_columns import EXTRAS, Columns
from submissions.combine.stacks import Boosting, Logistic, Ridge
from submissions.combine.weights import LogLossWeights, TunedWeights
from submissions.decide.cut_rules import FixedRule
from submissions.decide.rules import cut_rules
from submissions.decide.studies import Tuning
from tests.submissions.combine.members import F2, NAMES, draw_members
from tests.submissions.samples import draw_scores, draw_truth, planet

GROUPS = [[0, 1]]
COMBINERS: dict[str, Callable[[], Any]] = {
    "mean": Mean,
    "geometric": lambda: Mean("geometric"),
    "logit": lambda: Mean("logit"),
    "rank": RankMean,
    "greedy": lambda: GreedySelection(F2),
    "log loss": LogLossWeights,
    "log loss by label": lambda: LogLossWeights(per_label=True),
    "tuned": lambda: TunedWeights(F2, NAMES, Tuning(trials=20)),
    "ridge": lambda: Ridge(Columns()),
    "own": lambda: Logistic(Columns(), own=True),
    "all": lambda: Logistic(Columns(EXTRAS, GROUPS), own=False),
    "boosting": lambda: Boosting(Columns()),
}
LEARNING = [name for name in COMBINERS if name not in ("mean", "geometric", "logit", "rank")]


def log_loss(scores: np.ndarray, truth: np.ndarray) -> float:
    return float(-np.log(np.where(truth, scores, 1 - scores).clip(1e-6)).mean())


@pytest.mark.parametrize("name", COMBINERS)
def test_scores_come_back_in_their_range_and_each_chip_by_itself(name):
    scores, truth = draw_members()
    combiner = COMBINERS[name]().fit(scores, truth)
    combined = combiner.predict(scores)
    assert combined.shape == truth.shape
    assert combined.dtype == np.float32
    assert ((combined >= 0) & (combined <= 1)).all()
    np.testing.assert_allclose(combiner.predict(scores[:, 5:9]), combined[5:9], atol=1e-6)


@pytest.mark.parametrize("name", LEARNING)
def test_what_is_learnt_beats_the_mean_on_other_chips(name):
    scores, truth = draw_members()
    others, their_truth = draw_members(seed=1)
    combined = COMBINERS[name]().fit(scores, truth).predict(others)
    assert log_loss(combined, their_truth) < log_loss(Mean().predict(others), their_truth) - 0.01


@pytest.mark.parametrize("name", COMBINERS)
def test_a_label_without_positives_constant_scores_and_a_member_of_some_labels_are_taken(name):
    scores, truth = draw_members()
    truth[:, 3], scores[1, :, 2], scores[2, :, :2] = False, 0.3, np.nan
    combined = COMBINERS[name]().fit(scores, truth).predict(scores)
    assert np.isfinite(combined).all()
    assert ((combined >= 0) & (combined <= 1)).all()


@pytest.mark.parametrize("name", COMBINERS)
def test_one_member_alone_keeps_the_order_of_the_chips(name):
    if name in ("ridge", "all", "boosting"):  # these look at the other labels too
        return
    scores, truth = draw_members()
    alone = TunedWeights(F2, NAMES[:1], Tuning(trials=5)) if name == "tuned" else COMBINERS[name]()
    combined = alone.fit(scores[:1], truth).predict(scores[:1])
    for label in range(4):
        order = np.argsort(scores[0, :, label])
        assert (np.diff(combined[order, label]) >= -1e-6).all()


def test_an_unknown_method_lists_the_known_ones() -> None:
    setting = Setting(planet(), ("a",), np.zeros(17, dtype=bool))
    with pytest.raises(UserError, match=r"Unknown method of blending 'stack'. Known: geometric, greedy"):
        make_combiner("stack", setting, lambda _: FixedRule(0.2))


@pytest.mark.parametrize("method", METHODS)
def test_a_union_takes_the_largest_score_whatever_the_method(method: str) -> None:
    truth = draw_truth(planet(), 300)
    scores = np.stack([draw_scores(truth, seed) for seed in range(3)])
    union = np.arange(17) == 5
    setting = Setting(planet(), ("a", "b", "c"), union, tuning=Tuning(trials=3))
    combined = make_combiner(method, setting, cut_rules(planet())["fixed"]).fit(scores, truth).predict(scores)
    if method == "vote":
        np.testing.assert_array_equal(combined[:, 5] >= 0.5, (scores[:, :, 5] >= np.float32(0.2)).any(axis=0))
    else:
        np.testing.assert_array_equal(combined[:, 5], scores[:, :, 5].max(axis=0))
