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
    scores = source.chips.scores
    total = np.zeros(scores.shape[1:])
    for number in whole:
        total += scores[number]

    def answers(summed: NDArray[np.floating], count: int) -> NDArray[np.generic]:
        mean = (summed / count).astype(np.float32)
        if not evidence.decides:
            return mean
        return decide(mean, metric.prior_cut, evidence.workspace.competition, exclusive=False)

    every, found = answers(total, len(whole)), list[Worth]()
    value, resampled = measure(evidence.truth, every, metric), bootstrap(evidence.truth, [every], metric)[:, 0]
    for number in whole:
        without = answers(total - scores[number], len(whole) - 1)
        lost = metric.sign * (value - measure(evidence.truth, without, metric))
        error = float(np.std(resampled - bootstrap(evidence.truth, [without], metric)[:, 0], ddof=1))
        found.append(Worth(source.members[number].name, lost, error))
    return sorted(found, key=lambda worth: worth.lost)
