"""What means of members are worth, tried one after the other: by their decisions at the prior cut, or by their scores.

Where a trial has to sort the scores, means of very many chips are tried on some of them, drawn at random: which members
are chosen hardly depends on it, and what is chosen is measured on all chips.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from competition.metrics.judge import measure
from competition.spec.metric import DECISIONS, Metric
from submissions.measure.fast_metric import DecidedMetric

MOST_RANKED = 2**18  # scores of a mean that is tried by sorting them: 15,000 chips of 17 labels take .02 s


class Trial(Protocol):
    """The metric of the mean of the members added so far and one more; more is always better."""

    def clear(self) -> None:
        """Take all members out of the mean."""
        ...

    def add(self, member: int) -> None:
        """Put a member into the mean once more."""
        ...

    def with_one(self, member: int) -> float:
        """Return the metric of the mean with a member put in once more; the mean stays."""
        ...

    def weighted(self, weights: NDArray[np.floating]) -> float:
        """Return the metric of the mean of all members with weights (num_members,); the mean stays."""
        ...


def make_trial(scores: NDArray[Any], truth: NDArray[np.bool_], metric: Metric) -> Trial:
    """Return a trial of means of some members.

    Args:
        scores: float array (num_members, num_chips, num_labels), NaN where a member scores no label.
        truth: bool array (num_chips, num_labels).
        metric: the metric.
    """
    decides = metric.judges == DECISIONS
    most = max(1, MOST_RANKED // truth.shape[1])
    if not decides and metric.name != "log_loss" and len(truth) > most:
        drawn = np.sort(np.random.default_rng(0).permutation(len(truth))[:most])
        scores, truth = scores[:, drawn], truth[drawn]
    return MeanTrial(scores, truth, metric) if decides else ScoreTrial(scores, truth, metric)


class MeanTrial:
    """A trial where decisions are judged, those at the prior cut.

    What the members added so far leave to reach the cut stands, so that a trial is one comparison.

    Args:
        scores: float array (num_members, num_chips, num_labels), NaN where a member scores no label.
        truth: bool array (num_chips, num_labels).
        metric: the metric.
    """

    def __init__(self, scores: NDArray[Any], truth: NDArray[np.bool_], metric: Metric) -> None:
        self.prior_cut, self.metric = metric.prior_cut, DecidedMetric(truth, metric)
        by_label = np.ascontiguousarray(scores.swapaxes(1, 2), dtype=np.float32)
        self.has = ~np.isnan(by_label[:, :, 0])
        self.scores = np.nan_to_num(by_label, copy=False, nan=0.0)
        self.decided = np.empty(by_label.shape[1:], dtype=bool)
        self.clear()

    def clear(self) -> None:
        """Take all members out of the mean."""
        self.sum = np.zeros_like(self.scores[0])
        self.times = np.zeros(len(self.sum))
        self.lacking = self._cuts(self.times + 1)

    def add(self, member: int) -> None:
        """Put a member into the mean once more."""
        self.sum += self.scores[member]
        self.times += self.has[member]
        self.lacking = self._cuts(self.times + 1) - self.sum

    def with_one(self, member: int) -> float:
        """Return the metric of the mean with a member put in once more; the mean stays."""
        np.greater_equal(self.scores[member], self.lacking, out=self.decided)
        for label in np.flatnonzero(~self.has[member]):
            self.decided[label] = self.sum[label] >= self._cuts(self.times)[label]
        return self.metric(self.decided)

    def weighted(self, weights: NDArray[np.floating]) -> float:
        """Return the metric of the mean of all members with weights (num_members,); the mean stays."""
        mixed = np.einsum("m,mlc->lc", weights.astype(np.float32), self.scores, optimize=True)
        return self.metric(np.greater_equal(mixed, self._cuts(weights @ self.has), out=self.decided))

    def _cuts(self, times: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return what a sum over members that score each label `times` (num_labels,) must reach: (num_labels, 1)."""
        return np.where(times > 0, self.prior_cut * times, np.inf).astype(np.float32)[:, None]


class ScoreTrial:
    """A trial where scores are judged.

    Args:
        scores: float array (num_members, num_chips, num_labels), NaN where a member scores no label.
        truth: bool array (num_chips, num_labels).
        metric: the metric.
    """

    def __init__(self, scores: NDArray[Any], truth: NDArray[np.bool_], metric: Metric) -> None:
        self.metric, self.truth = metric, truth
        self.has = ~np.isnan(scores[:, 0])
        self.scores = np.nan_to_num(scores, nan=0.0).astype(np.float32, copy=False)
        self.clear()

    def clear(self) -> None:
        """Take all members out of the mean."""
        self.sum = np.zeros_like(self.scores[0])
        self.times = np.zeros(self.sum.shape[1])

    def add(self, member: int) -> None:
        """Put a member into the mean once more."""
        self.sum += self.scores[member]
        self.times += self.has[member]

    def with_one(self, member: int) -> float:
        """Return the metric of the mean with a member put in once more; the mean stays."""
        return self._measure(self.sum + self.scores[member], self.times + self.has[member])

    def weighted(self, weights: NDArray[np.floating]) -> float:
        """Return the metric of the mean of all members with weights (num_members,); the mean stays."""
        mixed = np.einsum("m,mcl->cl", weights.astype(np.float32), self.scores, optimize=True)
        return self._measure(mixed, weights @ self.has)

    def _measure(self, total: NDArray[np.float32], times: NDArray[np.floating]) -> float:
        return self.metric.sign * measure(self.truth, total / np.where(times > 0, times, 1), self.metric)
