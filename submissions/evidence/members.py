"""What each member brings to the mean of all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from submissions.decide.rules import make_rule, rules_for
from submissions.evidence.evidence import Evidence
from submissions.measure.evaluation import Evaluation
from submissions.names import CALIBRATED

UNIFORM = "uniform"


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
    total = np.zeros(scores.shape[1:])
    for number in whole:
        total += scores[number]
    known = rules_for(competition)
    rule = next((name for name in (UNIFORM, CALIBRATED) if name in known), known[0])

    def worth(summed: NDArray[np.floating], count: int) -> Evaluation:
        mean = fit.as_they_are((summed / count).astype(np.float32))
        return fit.evaluate(rule, lambda: make_rule(rule, competition), mean)

    every, found = worth(total, len(whole)), list[Worth]()
    for number in whole:
        difference, error = every.over(worth(total - scores[number], len(whole) - 1))
        found.append(Worth(source.members[number].name, competition.metric.sign * difference, error))
    return sorted(found, key=lambda worth: worth.lost)
