"""The vote of the starting paper."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from folds.store.scores import scored_labels
from submissions.decide.decisions import at_or_above

if TYPE_CHECKING:
    from submissions.decide.rules import MakeCutRule
    from submissions.members.members import Member

MAJORITY = 0.5


class Vote:
    """The majority vote of the members that score a label; the share of votes is the score, so that the cut is 0.5.

    Source: the vote of the starting paper, over models and, for chips to predict, over models and folds; and the union
    that it wished for.

    An exact tie is decided by the voters' mean score against their mean cut. So that the cut 0.5 gives just that, and
    chips can be ordered within one number of votes, the score is the share of votes drawn a little towards 0.5, plus
    less than half a vote for how far the mean score is from the mean cut.

    Args:
        make_rule: returns a new rule for the cuts of one member, for the labels that it scores.
        union: bool array (num_labels,): labels that are decided where any member would, by the majority of its folds.

    Attributes:
        cuts: float array (num_members, num_labels), once fitted; NaN where a member does not score a label.
    """

    cuts: NDArray[np.float64]

    def __init__(self, make_rule: MakeCutRule, union: ArrayLike = False) -> None:
        self.make_rule = make_rule
        self.union = union

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Find the cuts of each member on scores (num_members, num_chips, num_labels)."""
        self.cuts = np.full((len(scores), truth.shape[1]), np.nan)
        for cuts, member in zip(self.cuts, scores, strict=True):
            scored = scored_labels(member)
            cuts[scored] = self.make_rule(scored).fit(member[:, scored], truth[:, scored]).cuts
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

        Raises:
            ValueError: if no member scores a label.
        """
        scores = np.empty(voters[0][0].shape, dtype=np.float32)
        for label, union in enumerate(np.broadcast_to(self.union, self.cuts.shape[1])):
            ballots = [
                _Ballot([fold[:, label] for fold in folds], cuts[label])
                for folds, cuts in zip(voters, self.cuts, strict=True)
                if not np.isnan(cuts[label])
            ]
            if not ballots:
                raise ValueError("A label has no member that scores it.")
            together = [_count([ballot]) for ballot in ballots] if union else [_count(ballots)]
            scores[:, label] = np.max(together, axis=0)
        return scores


class _Ballot(NamedTuple):
    """What one member says of one label: scores (num_chips,) of each of its folds, and their cut."""

    folds: list[NDArray[Any]]
    cut: float


def _count(ballots: Sequence[_Ballot]) -> NDArray[np.float32]:
    """Return the vote (num_chips,) of members on one label."""
    # Votes of one member: a whole number for each of its folds, so that ties are exact.
    per_member = lcm(*(len(ballot.folds) for ballot in ballots))
    votes = np.zeros(len(ballots[0].folds[0]), dtype=np.int64)
    mean = np.zeros(len(votes))
    for folds, cut in ballots:
        for scores in folds:
            votes += per_member // len(folds) * at_or_above(scores, cut)
            mean += scores.astype(np.float64) / (len(folds) * len(ballots))
    return _vote_score(votes, per_member * len(ballots), mean, float(np.mean([ballot.cut for ballot in ballots])))


def _vote_score(votes: NDArray[np.int64], total: int, mean: NDArray[np.float64], cut: float) -> NDArray[np.float32]:
    """Return the score that stands for votes (num_chips,) of a total, the voters' mean score (num_chips,) and cut."""
    above = at_or_above(mean, cut)
    room = np.where(above, 1 - cut, cut)  # to the end of the scale that the mean lies towards
    margin = np.divide(mean - cut, room, out=np.zeros_like(mean), where=room > 0)  # -1 to 1
    score = (MAJORITY + (votes - total / 2 + 0.49 * margin) / (total + 1)).astype(np.float32)
    yes = np.where(2 * votes == total, above, 2 * votes > total)
    just_below = np.nextafter(np.float32(MAJORITY), np.float32(0))
    # Rounding may have put a tie on the wrong side.
    return np.where(yes, np.maximum(score, np.float32(MAJORITY)), np.minimum(score, just_below))
