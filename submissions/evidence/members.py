"""What each member brings to the mean of all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from submissions.decide.rules import make_rule, rules_for
from submissions.evidence.evidence import UNIFORM, Evidence
from submissions.measure.evaluation import Evaluation
from submissions.names import CALIBRATED

CELLS_AT_ONCE = 2**20


class Worth(NamedTuple):
    """What a member brings to the mean of all.

    Attributes:
        name: of the member.
        lost: of the metric, without it.
        error: standard error of that.
    """

    name: str
    lost: float
    error: float

    @property
    def can_go(self) -> bool:
        """Whether nothing is lost without it, within one standard error."""
        return self.lost <= self.error


def worths(evidence: Evidence) -> list[Worth]:
    """Return what the mean of the members loses without each of them, the least first; none for a single member.

    Judged by a rule that minds no scale of the scores, cross-fitted: one uniform cut, or calibrated scores.
    """
    source, competition = evidence.source, evidence.workspace.competition
    whole, scores, fit = source.whole, source.chips.scores, source.cross_fit
    if len(whole) < 2:
        return []
    known = rules_for(competition)
    rule = next((name for name in (UNIFORM, CALIBRATED) if name in known), known[0])

    def worth(numbers: list[int]) -> Evaluation:
        mean = fit.as_they_are(_mean_of(scores, numbers))
        return fit.evaluate(rule, lambda: make_rule(rule, competition), mean)

    every, found = worth(whole), list[Worth]()
    for number in whole:
        difference, error = every.over(worth([other for other in whole if other != number]))
        found.append(Worth(source.members[number].name, competition.metric.sign * difference, error))
    return sorted(found, key=lambda worth: worth.lost)


def _mean_of(scores: NDArray[np.float32], numbers: list[int]) -> NDArray[np.float32]:
    """Return the mean (num_chips, num_labels) of some members' scores, a few chips at a time: they can be large."""
    mean = np.empty(scores.shape[1:], dtype=np.float32)
    step = max(1, CELLS_AT_ONCE // scores.shape[2])
    for start in range(0, len(mean), step):
        chips = slice(start, start + step)
        mean[chips] = scores[numbers, chips].mean(axis=0, dtype=np.float64)
    return mean
