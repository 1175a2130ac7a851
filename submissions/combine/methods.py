"""The ways of combining members, by name: means, the vote, weighted means and stacks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import unknown_name
from competition.spec.competition import Competition
from submissions.combine.greedy import GreedySelection
from submissions.combine.means import Mean, RankMean, Union
from submissions.combine.stack_columns import Columns
from submissions.combine.stacks import Boosting, Logistic, Ridge
from submissions.combine.vote import Vote
from submissions.combine.weights import LogLossWeights, TunedWeights
from submissions.decide.rules import MakeCutRule
from submissions.decide.studies import IN_MEMORY, Tuning
from submissions.measure.cross_fit import Combiner
from submissions.members.members import Member
from submissions.names import MEAN, PLATT, VOTE


@dataclass(frozen=True, eq=False)
class Setting:
    """What combiners and rules are made with.

    Attributes:
        competition: gives labels, groups and metric.
        members: their names.
        union: bool array (num_labels,): labels decided where any member that scores them would.
        extras: further columns of stacks, see `Columns`.
        calibration: of the scores that a decoder takes, see `Calibration`.
        tuning: how Optuna tunes weights and cuts.
    """

    competition: Competition
    members: tuple[str, ...]
    union: NDArray[np.bool_]
    extras: tuple[str, ...] = ()
    calibration: str = PLATT
    tuning: Tuning = IN_MEMORY

    @property
    def in_memory(self) -> Setting:
        """The same, with no study kept."""
        return replace(self, tuning=self.tuning.in_memory)

    def columns(self) -> Columns:
        """Return new columns for a stack."""
        return Columns(self.extras, self.competition.exclusive_columns)


class Method(NamedTuple):
    """A way of combining members.

    Attributes:
        about: one line on it.
        make: returns a new, unfitted combiner; the vote needs what makes rules for the cuts of its members.
        numbers: how many numbers it fits, by the number of members and of labels: what makes it simple or not.
    """

    about: str
    make: Callable[[Setting, MakeCutRule], Combiner]
    numbers: Callable[[int, int], float] = lambda members, labels: 0


METHODS: dict[str, Method] = {
    MEAN: Method("arithmetic mean", lambda setting, _: Mean()),
    "geometric": Method("mean of logarithms", lambda setting, _: Mean("geometric")),
    "logit": Method("mean of log odds", lambda setting, _: Mean("logit")),
    "rank": Method("mean of ranks", lambda setting, _: RankMean()),
    VOTE: Method("majority of the members by their own cuts", lambda setting, make: Vote(make, setting.union)),
    "greedy": Method(
        "greedy selection with replacement",
        lambda setting, _: GreedySelection(setting.competition.metric),
        lambda members, labels: members,
    ),
    "log-loss": Method(
        "weights of the least log loss", lambda setting, _: LogLossWeights(), lambda members, labels: members
    ),
    "optuna": Method(
        "weights by Optuna",
        lambda setting, _: TunedWeights(setting.competition.metric, setting.members, setting.tuning),
        lambda members, labels: members,
    ),
    "log-loss-by-label": Method(
        "weights of the least log loss, by label",
        lambda setting, _: LogLossWeights(per_label=True),
        lambda members, labels: members * labels,
    ),
    "logistic": Method(
        "logistic regression on a label's own scores",
        lambda setting, _: Logistic(setting.columns(), own=True),
        lambda members, labels: (members + 1) * labels,
    ),
    "ridge": Method(
        "ridge regression on all labels' scores",
        lambda setting, _: Ridge(setting.columns()),
        lambda members, labels: (members * labels + 1) * labels,
    ),
    "logistic-all": Method(
        "logistic regression on all labels' scores",
        lambda setting, _: Logistic(setting.columns(), own=False),
        lambda members, labels: (members * labels + 1) * labels,
    ),
    "lightgbm": Method(
        "boosted trees on all labels' scores",
        lambda setting, _: Boosting(setting.columns()),
        lambda members, labels: math.inf,
    ),
}


def make_combiner(method: str, setting: Setting, make_rule: MakeCutRule) -> Combiner:
    """Return a new combiner.

    Args:
        method: one of `METHODS`.
        setting: what it is made with.
        make_rule: makes the rule for the cuts of each member of a vote.

    Raises:
        UserError: if there is no such method.
    """
    if method not in METHODS:
        raise unknown_name("method of blending", method, list(METHODS))
    combiner = METHODS[method].make(setting, make_rule)
    return Union(combiner, setting.union) if setting.union.any() and method != VOTE else combiner


def score_test(combiner: Combiner, members: Sequence[Member], names: Sequence[str]) -> NDArray[np.float32]:
    """Return a combiner's scores (len(names), num_labels) of chips to predict; a vote counts every fold's network."""
    if isinstance(combiner, Vote):
        return combiner.predict_test(members, names)
    return combiner.predict(np.stack([member.test.aligned(names) for member in members]))
