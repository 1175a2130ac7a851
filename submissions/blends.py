"""Blends: several members' scores made into one, and the vote of the paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import lcm
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from competition.errors import unknown_name
from competition.spec import Competition
from submissions.decoding import at_or_above, decide
from submissions.evaluate import Combiner
from submissions.members import Member
from submissions.thresholds import CutRule, FixedCut

MAJORITY = 0.5


class MemberCombiner(Combiner, Protocol):
    """A combiner that can also be used on the chips to predict, of which a model has scores from every fold."""

    def predict_test(self, members: Sequence[Member], names: Sequence[str]) -> NDArray[np.float32]:
        """Return the scores (len(names), num_labels) of chips to predict."""
        ...


class Mean:
    """The arithmetic mean of the members' scores. Nothing is fitted."""

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Return itself."""
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the mean (num_chips, num_labels) of scores (num_members, num_chips, num_labels)."""
        return scores.mean(axis=0, dtype=np.float64).astype(np.float32)

    def predict_test(self, members: Sequence[Member], names: Sequence[str]) -> NDArray[np.float32]:
        """Return the scores (len(names), num_labels) of chips to predict."""
        return self.predict(np.stack([member.test.aligned(names) for member in members]))


class Vote:
    """The majority vote of the members' decisions; the share of votes is the score, so that the cut is 0.5.

    Source: the vote of the starting paper, over models and, for chips to predict, over models and folds.

    An exact tie is decided by the voters' mean score against their mean cut. So that the cut 0.5 gives just that, and
    chips can be ordered within one number of votes, the score is the share of votes drawn a little towards 0.5, plus
    less than half a vote for how far the mean score is from the mean cut.

    Args:
        make_rule: returns a new rule for the cuts of one member.

    Attributes:
        cuts: float array (num_members, num_labels), once fitted.
    """

    cuts: NDArray[np.float64]

    def __init__(self, make_rule: Callable[[], CutRule]) -> None:
        self.make_rule = make_rule

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Find the cuts of each member on scores (num_members, num_chips, num_labels)."""
        self.cuts = np.stack([self.make_rule().fit(member, truth).cuts for member in scores])
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the vote (num_chips, num_labels) of members that have scored each chip once."""
        return self.count([[member] for member in scores])

    def predict_test(self, members: Sequence[Member], names: Sequence[str]) -> NDArray[np.float32]:
        """Return the vote (len(names), num_labels) over members and their folds."""
        return self.count([[fold.aligned(names) for fold in member.test_by_fold.values()] for member in members])

    def count(self, voters: Sequence[Sequence[NDArray[Any]]]) -> NDArray[np.float32]:
        """Return the vote (num_chips, num_labels); the members have equal weight, whatever their number of folds.

        Args:
            voters: for each member, scores (num_chips, num_labels) of each of its folds.
        """
        each = lcm(*(len(folds) for folds in voters))  # votes of a member: whole numbers, so that ties are exact
        votes = np.zeros(voters[0][0].shape, dtype=np.int64)
        mean = np.zeros(votes.shape)
        for folds, cuts in zip(voters, self.cuts, strict=True):
            for scores in folds:
                votes += each // len(folds) * at_or_above(scores, cuts)
                mean += scores.astype(np.float64) / (len(folds) * len(voters))
        return _vote_score(votes, each * len(voters), mean, self.cuts.mean(axis=0))


def _vote_score(
    votes: NDArray[np.int64], total: int, mean: NDArray[np.float64], cut: NDArray[np.float64]
) -> NDArray[np.float32]:
    above = at_or_above(mean, cut)
    room = np.where(above, 1 - cut, cut)  # to the end of the scale that the mean lies towards
    margin = np.divide(mean - cut, room, out=np.zeros_like(mean), where=room > 0)  # -1 to 1
    score = (MAJORITY + (votes - total / 2 + 0.49 * margin) / (total + 1)).astype(np.float32)
    yes = np.where(2 * votes == total, above, 2 * votes > total)
    just_below = np.nextafter(np.float32(MAJORITY), np.float32(0))
    # Rounding may have put a tie on the wrong side.
    return np.where(yes, np.maximum(score, np.float32(MAJORITY)), np.minimum(score, just_below))


class BlendRule:
    """A combiner, a rule for cuts on what it makes, and the decisions: a decision rule of members' scores.

    Args:
        combiner: makes one matrix of scores.
        rule: finds the cuts on it.
        competition: gives the rules that decisions obey.
        exclusive: give every chip exactly one label of each exclusive group.
    """

    def __init__(self, combiner: MemberCombiner, rule: CutRule, competition: Competition, exclusive: bool) -> None:
        self.combiner = combiner
        self.rule = rule
        self.competition = competition
        self.exclusive = exclusive

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Fit to scores (num_members, num_chips, num_labels) and truth (num_chips, num_labels)."""
        self.rule.fit(self.combiner.fit(scores, truth).predict(scores), truth)
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.bool_]:
        """Return decisions (num_chips, num_labels)."""
        return decide(self.combiner.predict(scores), self.rule.cuts, self.competition, exclusive=self.exclusive)


def _mean_rule(make_rule: Callable[[], CutRule], competition: Competition, exclusive: bool) -> BlendRule:
    return BlendRule(Mean(), make_rule(), competition, exclusive)


def _vote_rule(make_rule: Callable[[], CutRule], competition: Competition, exclusive: bool) -> BlendRule:
    return BlendRule(Vote(make_rule), FixedCut(MAJORITY), competition, exclusive)


METHODS: dict[str, Callable[[Callable[[], CutRule], Competition, bool], BlendRule]] = {
    "mean": _mean_rule,
    "vote": _vote_rule,
}


def blend_rule(
    method: str, make_rule: Callable[[], CutRule], competition: Competition, exclusive: bool
) -> Callable[[], BlendRule]:
    """Return what makes new rules of a method.

    Args:
        method: "mean", with cuts on the mean, or "vote", with cuts on every member.
        make_rule: returns a new rule for cuts.
        competition: gives the rules that decisions obey.
        exclusive: give every chip exactly one label of each exclusive group.

    Raises:
        UserError: if there is no such method.
    """
    if method not in METHODS:
        raise unknown_name("method of blending", method, list(METHODS))
    return partial(METHODS[method], make_rule, competition, exclusive)
