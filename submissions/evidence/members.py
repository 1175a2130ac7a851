"""What each member brings to the mean of all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.metrics.bootstrap import bootstrap
from competition.metrics.judge import measure
from submissions.decide.decisions import decide
from submissions.evidence.evidence import Evidence


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
    """Return what the mean of the members loses without each of them, the least first; none for a single member."""
    source, metric = evidence.source, evidence.workspace.competition.metric
    whole = source.whole
    if len(whole) < 2:
        return []
    total = source.chips.scores[whole].sum(axis=0, dtype=np.float64)

    def answers(scores: NDArray[np.floating]) -> NDArray[np.generic]:
        if not evidence.decides:
            return scores
        return decide(scores, metric.prior_cut, evidence.workspace.competition, exclusive=False)

    every = answers(total / len(whole))
    without = [answers((total - source.chips.scores[number]) / (len(whole) - 1)) for number in whole]
    resampled = bootstrap(evidence.truth, [every, *without], metric)
    value, found = measure(evidence.truth, every, metric), list[Worth]()
    for place, number in enumerate(whole):
        lost = metric.sign * (value - measure(evidence.truth, without[place], metric))
        error = float(np.std(resampled[:, 0] - resampled[:, place + 1], ddof=1))
        found.append(Worth(source.members[number].name, lost, error))
    return sorted(found, key=lambda worth: worth.lost)
