"""The cuts with the highest F-beta, found exactly, one label at a time.

Ours on purpose: libraries search a grid or a sample of cuts, label by label, and know no mean over chips, in which each
label's best cut depends on the others'. On real scores this takes .03 s and ends .0003 to .0020 above such searches
(`tests/benchmarks/bench_cuts.py`).

While the other labels' decisions stand, a label's best cut needs no search: with the chips in the order of its scores,
what each would gain by being decided adds up to the metric at every cut there is. Going from label to label until none
can be raised (coordinate ascent) ends in a maximum that no single cut can leave, usually after three or four rounds;
several starts guard against poor ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.metrics.f_beta import f_beta_of_counts
from competition.spec.metric import Metric
from submissions.measure.fast_metric import SAME, DecidedMetric

ROUNDS = 100
GRID = (np.arange(101) / 100).astype(np.float32)  # the cuts .00, .01, ..., 1.00 of the paper's search


class CutSearch:
    """Finds cuts for the scores and the truth of some chips.

    Args:
        scores: float array (num_chips, num_labels) in [0, 1]; taken as float32, in which scores are stored.
        truth: bool array (num_chips, num_labels).
        metric: what to raise.

    Example:
        >>> scores = np.array([[0.1, 0.9], [0.3, 0.5], [0.4, 0.2]])
        >>> truth = np.array([[False, True], [True, False], [True, False]])
        >>> search = CutSearch(scores, truth, Metric(beta=2))
        >>> cuts = search.ascend([np.array([0.2, 0.2])])
        >>> round(search.value(np.array([0.2, 0.2])), 3), search.value(cuts)
        (0.889, 1.0)
    """

    def __init__(self, scores: NDArray[np.floating], truth: NDArray[np.bool_], metric: Metric) -> None:
        self.metric = metric
        # One row per label: everything below goes along labels.
        self.scores = np.ascontiguousarray(scores.T, dtype=np.float32)
        self.truth = np.ascontiguousarray(truth.T)
        self.metric_of = DecidedMetric(truth, metric)
        self.num_labels, self.num_chips = self.scores.shape
        self.orders = np.argsort(-self.scores, axis=1)  # not stable, which is slower: no cut parts equal scores

    def value(self, cuts: NDArray[np.floating]) -> float:
        """Return the metric at cuts (num_labels,)."""
        return self.metric_of(self.scores >= np.asarray(cuts, dtype=np.float32)[:, None])

    def uniform(self) -> NDArray[np.float64]:
        """Return the metric at each cut of `GRID`, the same for all labels: (101,)."""
        place = np.searchsorted(GRID, self.scores, side="right") - 1  # the highest cut that a score reaches
        return _at_grid(place, self.truth, self.metric)

    def ascend(self, starts: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
        """Return the best cuts (num_labels,) that coordinate ascent reaches from any of the starts.

        Cuts lie half-way between the two scores that they part. Ties go to the earlier start.
        """
        ends = [self._ascend_from(np.array(start, dtype=np.float64)) for start in starts]
        return max(ends, key=lambda end: round(end[0], 12))[1]

    def _ascend_from(self, cuts: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the metric at the end of the ascent from cuts (num_labels,), and the cuts there."""
        counts = self._counts(self.scores >= cuts.astype(np.float32)[:, None])
        for _ in range(ROUNDS):
            raised = [self._raise(label, counts, cuts) for label in range(self.num_labels)]
            if not any(raised):
                break
        return self.metric_of(counts.decided), cuts

    def _raise(self, label: int, counts: _Counts, cuts: NDArray[np.float64]) -> bool:
        """Move one label's cut to where the metric is highest; return whether that changed anything."""
        order = self.orders[label]
        ranked = self.scores[label][order]
        values = counts.values(label, order)
        # Between equal scores there is no cut, nor one above 1.
        possible = np.concatenate([[ranked[0] < 1], ranked[1:] < ranked[:-1], [True]])
        values[~possible] = -np.inf
        now = int(np.count_nonzero(counts.decided[label]))
        best = int(values.argmax())
        if values[best] <= values[now] + SAME:
            return False
        decided = np.zeros(self.num_chips, dtype=bool)
        decided[order[:best]] = True
        counts.set(label, decided)
        cuts[label] = _between(ranked, best)
        return True

    def _counts(self, decided: NDArray[np.bool_]) -> _Counts:
        return COUNTS[self.metric.average](self.truth, decided, self.metric.beta)


def _between(ranked: NDArray[np.float32], count: int) -> float:
    """Return the cut that the first `count` of falling scores reach, and no other."""
    above = ranked[count - 1] if count else np.float32(1)
    below = ranked[count] if count < len(ranked) else np.float32(0)
    middle = np.float32((np.float64(above) + np.float64(below)) / 2)
    return float(middle if middle > below else above)


class _Counts:
    """Hits and decisions as they stand.

    Args:
        truth: bool array (num_labels, num_chips).
        decided: bool array (num_labels, num_chips).
        beta: weight of recall.
    """

    def __init__(self, truth: NDArray[np.bool_], decided: NDArray[np.bool_], beta: float) -> None:
        self.truth, self.decided, self.beta = truth, decided, beta

    def values(self, label: int, order: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the metric (num_chips + 1,) if the first 0, 1, ... chips of an order were decided for a label."""
        raise NotImplementedError

    def set(self, label: int, decided: NDArray[np.bool_]) -> None:
        """Decide a label anew for all chips."""
        self.decided[label] = decided


class _Samples(_Counts):
    def __init__(self, truth: NDArray[np.bool_], decided: NDArray[np.bool_], beta: float) -> None:
        super().__init__(truth, decided, beta)
        self.step = len(truth) + 1
        # F-beta by labels carried, hits and labels decided, to be looked up.
        carried, hits, num_decided = np.indices((self.step,) * 3)
        self.table = f_beta_of_counts(hits, num_decided, carried, beta).ravel()
        self.carried = truth.sum(axis=0)
        self.num_hits = (truth & decided).sum(axis=0)
        self.num_decided = decided.sum(axis=0)

    def values(self, label: int, order: NDArray[np.intp]) -> NDArray[np.float64]:
        carries, decided = self.truth[label], self.decided[label]
        without = self._index(self.num_hits - (carries & decided), self.num_decided - decided)
        before = self.table[without]
        gain = self.table[without + 1 + self.step * carries] - before
        return np.concatenate([[0.0], np.cumsum(gain[order])]) / len(before) + before.mean()

    def set(self, label: int, decided: NDArray[np.bool_]) -> None:
        change = decided.astype(np.int64) - self.decided[label]
        self.num_decided += change
        self.num_hits += change * self.truth[label]
        super().set(label, decided)

    def _index(self, hits: NDArray[np.int64], decided: NDArray[np.int64]) -> NDArray[np.int64]:
        return (self.carried * self.step + hits) * self.step + decided


class _Macro(_Counts):
    def values(self, label: int, order: NDArray[np.intp]) -> NDArray[np.float64]:
        carries = self.truth[label][order]
        hits = np.concatenate([[0], np.cumsum(carries)])
        # The others' share does not matter for the best cut.
        return f_beta_of_counts(hits, np.arange(len(hits)), carries.sum(), self.beta) / len(self.truth)


class _Micro(_Counts):
    def values(self, label: int, order: NDArray[np.intp]) -> NDArray[np.float64]:
        carries = self.truth[label][order]
        hits = (self.truth & self.decided).sum() - (self.truth[label] & self.decided[label]).sum()
        decided = self.decided.sum() - self.decided[label].sum()
        reached = hits + np.concatenate([[0], np.cumsum(carries)])
        return f_beta_of_counts(reached, decided + np.arange(len(reached)), self.truth.sum(), self.beta)


COUNTS: dict[str, type[_Counts]] = {"samples": _Samples, "macro": _Macro, "micro": _Micro}


def _at_grid(place: NDArray[np.intp], truth: NDArray[np.bool_], metric: Metric) -> NDArray[np.float64]:
    """Return the metric at each cut of `GRID`.

    Args:
        place: int array (num_labels, num_chips): the index of the highest cut that each score reaches.
        truth: bool array (num_labels, num_chips).
        metric: the metric.
    """
    if metric.average == "samples":
        # The labels enter a chip's decision in the order of their places, each adding to the chip's F-beta.
        order = np.argsort(-place, axis=0, kind="stable")
        reached = np.cumsum(np.take_along_axis(truth, order, axis=0), axis=0)
        num_decided = np.arange(1, len(truth) + 1)[:, None]
        gains = np.diff(f_beta_of_counts(reached, num_decided, truth.sum(axis=0), metric.beta), axis=0, prepend=0)
        return _from_above(np.take_along_axis(place, order, axis=0), gains) / truth.shape[1]
    hits, decided = (
        np.stack([_from_above(row, weights) for row, weights in zip(place, by_label, strict=True)])
        for by_label in (truth, np.ones(truth.shape))
    )
    carried = truth.sum(axis=1, keepdims=True)
    if metric.average == "micro":
        return f_beta_of_counts(hits.sum(axis=0), decided.sum(axis=0), carried.sum(), metric.beta)
    return np.asarray(f_beta_of_counts(hits, decided, carried, metric.beta).mean(axis=0))


def _from_above(place: NDArray[np.intp], weights: NDArray[Any]) -> NDArray[np.float64]:
    """Return for each cut the sum (101,) of the weights whose place is there or higher."""
    sums = np.bincount(place.ravel(), weights=weights.ravel(), minlength=len(GRID))
    return np.asarray(np.cumsum(sums[::-1])[::-1])
