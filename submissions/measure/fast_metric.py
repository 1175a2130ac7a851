"""The metric of decisions, fast enough for thousands of decisions of the same chips."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from competition.metrics.counts import counted_by, mean_of, of_counts
from competition.spec.metric import Metric

SAME = 1e-12  # metrics this close differ by rounding only
LARGEST_TABLE = 2**20  # values of chips, 8 MB: of 1,103 labels, of which a chip carries 29 at most
ROWS_AT_ONCE = 64  # of labels that are counted together
Counts = NDArray[np.integer]
Chips = NDArray[np.intp] | slice


class ChipWorth:
    """What a chip is worth by its counts, in a metric that is a mean over chips; looked up where a table is small.

    Args:
        metric: the metric.
        carried: int array (num_chips,): labels that each chip carries.
        num_labels: number of labels.
    """

    def __init__(self, metric: Metric, carried: Counts, num_labels: int) -> None:
        self.metric, self.carried, self.num_labels = metric, carried.astype(np.int32), num_labels
        most, self.table = int(carried.max(initial=0)) + 1, None
        self.steps = np.int32(most), np.int32(num_labels + 1)
        if most * most * (num_labels + 1) <= LARGEST_TABLE:
            every_carried, hits, decided = np.indices((most, most, num_labels + 1))
            self.table = of_counts(hits, decided, every_carried, metric, num_labels).ravel()

    def __call__(
        self, hits: Counts, decided: Counts, chips: NDArray[np.intp] | slice = np.s_[:]
    ) -> NDArray[np.float64]:
        """Return what chips are worth with so many hits and decisions, both (num_chips,)."""
        carried = self.carried[chips]
        if self.table is None:
            return of_counts(hits, decided, carried, self.metric, self.num_labels)
        return self.table.take((carried * self.steps[0] + hits) * self.steps[1] + decided)


class DecidedMetric:
    """The metric of decisions on chips whose truth stands. Equals `competition.metrics.judge.measure`.

    Matrices lie with the chips last, because adding up 17 long rows of bytes is ten times faster than adding up 40,000
    short ones; and what a chip is worth is looked up by its counts.

    Args:
        truth: bool array (num_chips, num_labels).
        metric: a metric of decisions.

    Example:
        >>> metric_of = DecidedMetric(np.array([[True, False], [True, True]]), Metric(beta=2))
        >>> metric_of(np.array([[True, True], [False, True]]))  # one row per label
        1.0
    """

    def __init__(self, truth: NDArray[np.bool_], metric: Metric) -> None:
        self.metric, self.counted_by = metric, counted_by(metric)
        self.truth = np.ascontiguousarray(truth.T, dtype=bool)
        self.hits = np.empty_like(self.truth[:ROWS_AT_ONCE])
        _, self.carried = self.count(self.truth)
        if self.counted_by == "samples":
            self.worth = ChipWorth(metric, self.carried, len(self.truth))

    def __call__(self, decided: NDArray[np.bool_]) -> float:
        """Return the metric of decisions (num_labels, num_chips)."""
        hits, count = self.count(decided)
        if self.counted_by == "samples":
            return float(self.worth(hits, count).mean())
        return float(mean_of(of_counts(hits, count, self.carried, self.metric, self.truth.shape[1]), self.metric))

    def count(self, decided: NDArray[np.bool_]) -> tuple[Counts, Counts]:
        """Return hits and decisions by chip (num_chips,), by label (num_labels,), or in all (1,)."""
        blocks = [slice(start, start + ROWS_AT_ONCE) for start in range(0, len(decided), ROWS_AT_ONCE)]
        parts = [self._count_rows(decided[rows], self.truth[rows]) for rows in blocks]
        hits, count = ([part[which] for part in parts] for which in range(2))
        if self.counted_by == "macro":
            return np.concatenate(hits), np.concatenate(count)
        return sum(hits[1:], hits[0]), sum(count[1:], count[0])

    def _count_rows(self, decided: NDArray[np.bool_], truth: NDArray[np.bool_]) -> tuple[Counts, Counts]:
        both = np.logical_and(decided, truth, out=self.hits[: len(decided)]), decided
        if self.counted_by == "samples":
            hits, count = (np.add.reduce(rows.view(np.uint8), axis=0, dtype=np.uint8) for rows in both)
            return hits.astype(np.int32), count.astype(np.int32)
        hits, count = (np.count_nonzero(rows, axis=1) for rows in both)
        if self.counted_by == "macro":
            return hits, count
        return np.atleast_1d(hits.sum()), np.atleast_1d(count.sum())
