"""The cuts with the highest metric of decisions, found exactly, one label at a time.

Ours on purpose: libraries search a grid or a sample of cuts, label by label, and know no mean over chips, in which each
label's best cut depends on the others'. On real scores this takes .03 s and ends .0003 to .0020 above such searches
(`tests/benchmarks/bench_cuts.py`).

While the other labels' decisions stand, a label's best cut needs no search: with the chips in the order of its scores,
what each would gain by being decided adds up to the metric at every cut there is. Going from label to label until none
can be raised (coordinate ascent) ends in a maximum that no single cut can leave, usually after three or four rounds;
several starts guard against poor ones. Of many labels each is rare, and its best cut among its highest scores: to
decide a chip that does not carry it never gains, so what the carrying ones further down could gain says where to stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.metrics.counts import mean_of, of_counts
from competition.spec.metric import Metric
from submissions.measure.fast_metric import SAME, ChipWorth, DecidedMetric

ROUNDS = 100
GRID = (np.arange(101) / 100).astype(np.float32)  # the cuts .00, .01, ..., 1.00 of the paper's search
FEW = 64  # labels that are ranked whole; of more, only the highest scores, these many at first
FIRST = 256
CHIPS_AT_ONCE = 2**15  # whose counts at every cut of the grid take 26 MB
Ints = NDArray[np.intp]


class CutSearch:
    """Finds cuts for the scores and the truth of some chips.

    Args:
        scores: float array (num_chips, num_labels) in [0, 1]; taken as float32, in which scores are stored.
        truth: bool array (num_chips, num_labels).
        metric: what to raise, a metric of decisions.

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
        self.metric_of = DecidedMetric(truth, metric)
        self.truth = self.metric_of.truth
        self.num_labels, self.num_chips = self.scores.shape
        self.carriers = [np.flatnonzero(carried) for carried in self.truth]
        self.rankings: list[_Ranking | None] = [None] * self.num_labels

    def value(self, cuts: NDArray[np.floating]) -> float:
        """Return the metric at cuts (num_labels,)."""
        return self.metric_of(self._decided(cuts))

    def uniform(self) -> NDArray[np.float64]:
        """Return the metric at each cut of `GRID`, the same for all labels: (101,)."""
        if self.metric_of.counted_by == "samples":
            starts = range(0, self.num_chips, CHIPS_AT_ONCE)
            blocks = [slice(start, min(start + CHIPS_AT_ONCE, self.num_chips)) for start in starts]
            return np.asarray(sum(self._worth_at_grid(chips) for chips in blocks) / self.num_chips)
        rows = [_at_grid(scores, truth) for scores, truth in zip(self.scores, self.truth, strict=True)]
        hits, decided = (np.stack([row[which] for row in rows], axis=1) for which in range(2))  # (101, num_labels)
        if self.metric_of.counted_by == "micro":
            hits, decided = (counts.sum(axis=1, keepdims=True) for counts in (hits, decided))
        worth = of_counts(hits, decided, self.metric_of.carried, self.metric, self.num_chips)
        return mean_of(worth, self.metric)

    def ascend(self, starts: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
        """Return the best cuts (num_labels,) that coordinate ascent reaches from any of the starts.

        Cuts lie half-way between the two scores that they part. Ties go to the earlier start.
        """
        ends = [self._ascend_from(np.array(start, dtype=np.float64)) for start in starts]
        return max(ends, key=lambda end: round(end[0], 12))[1]

    def _ascend_from(self, cuts: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        """Return the metric at the end of the ascent from cuts (num_labels,), and the cuts there."""
        standing = STANDINGS[self.metric_of.counted_by](self.metric_of, self._decided(cuts))
        for _ in range(ROUNDS):
            raised = [self._raise(label, standing, cuts) for label in range(self.num_labels)]
            if not any(raised):
                break
        return self.metric_of(standing.decided), cuts

    def _raise(self, label: int, standing: _Standing, cuts: NDArray[np.float64]) -> bool:
        """Move one label's cut to where the metric is highest; return whether that changed anything."""
        now = int(np.count_nonzero(standing.decided[label]))
        length = self.num_chips if self.num_labels <= FEW else max(FIRST, 2 * now, 2 * len(self.carriers[label]))
        while True:
            ranking = self._ranking(label, length)
            values, most = standing.values(label, ranking.order, ranking.further)
            best = int(ranking.cuts[values[ranking.cuts].argmax()])
            if not len(ranking.further) or most < values[best] - SAME:
                break
            length = 4 * len(ranking.order)
        if values[best] <= values[now] + SAME:
            return False
        standing.set(label, ranking.order[:best])
        cuts[label] = _between(*ranking.scores[best : best + 2])
        return True

    def _ranking(self, label: int, length: int) -> _Ranking:
        """Return the ranking of a label's highest scores: of so many at least, and all their equals."""
        known, scores = self.rankings[label], self.scores[label]
        if known is not None and len(known.order) >= min(length, self.num_chips):
            return known
        if 2 * length >= self.num_chips:
            order = np.argsort(-scores)  # not stable, which is slower: no cut parts equal scores
        else:
            chips = np.flatnonzero(scores >= np.partition(scores, -length)[-length])
            order = chips[np.argsort(-scores[chips])]
        below = np.max(scores, where=scores < scores[order[-1]], initial=np.float32(0))
        ranked = np.concatenate([[np.float32(1)], scores[order], [below]])
        # Between equal scores there is no cut, nor one above 1.
        cuts = np.flatnonzero(np.concatenate([ranked[1:-1] < ranked[:-2], [True]]))
        further = self.carriers[label][scores[self.carriers[label]] < scores[order[-1]]]
        self.rankings[label] = ranking = _Ranking(order, ranked, cuts, further)
        return ranking

    def _decided(self, cuts: NDArray[np.floating]) -> NDArray[np.bool_]:
        return self.scores >= np.asarray(cuts, dtype=np.float32)[:, None]

    def _worth_at_grid(self, chips: slice) -> NDArray[np.float64]:
        """Return what some chips are worth together at each cut of `GRID`: (101,)."""
        scores, truth = self.scores[:, chips], self.truth[:, chips]
        labels, columns = np.nonzero(scores >= GRID[1])  # of many labels, few cells
        places = _places(scores[labels, columns]) * scores.shape[1] + columns
        found = truth[labels, columns]
        hits, decided = np.zeros((2, scores.shape[1]), dtype=np.int32)
        size, worth = len(GRID) * scores.shape[1], np.empty(len(GRID))
        counts = (np.bincount(some, minlength=size).astype(np.int32) for some in (places[found], places))
        new_hits, new = (new.reshape(len(GRID), -1) for new in counts)
        for cut in range(len(GRID) - 1, 0, -1):
            hits += new_hits[cut]
            decided += new[cut]
            worth[cut] = self.metric_of.worth(hits, decided, chips).sum()
        carried = self.metric_of.worth.carried[chips]  # at the cut 0 all labels are decided
        worth[0] = self.metric_of.worth(carried, np.full_like(carried, len(scores)), chips).sum()
        return worth


class _Ranking(NamedTuple):
    """The chips of a label's highest scores.

    Attributes:
        order: the chips, the highest score first.
        scores: 1, their scores, and the highest score below.
        cuts: how many of them there are cuts for.
        further: the other chips that carry the label.
    """

    order: Ints
    scores: NDArray[np.float32]
    cuts: Ints
    further: Ints


def _between(above: np.float32, below: np.float32) -> float:
    """Return the cut half-way between two scores, which only the higher reaches."""
    middle = np.float32((np.float64(above) + np.float64(below)) / 2)
    return float(middle if middle > below else above)


class _Standing:
    """Decisions as they stand, and what the metric would be with those of one label changed.

    Args:
        metric_of: the metric.
        decided: bool array (num_labels, num_chips).
    """

    def __init__(self, metric_of: DecidedMetric, decided: NDArray[np.bool_]) -> None:
        self.truth, self.decided, self.metric = metric_of.truth, decided, metric_of.metric

    def values(self, label: int, order: Ints, further: Ints) -> tuple[NDArray[np.float64], float]:
        """Return the metric if the first 0, 1, ... chips of an order were decided for a label, and what more can give.

        Args:
            label: the label.
            order: chips.
            further: the other chips that carry the label.

        Returns:
            The metric (len(order) + 1,), and a bound of it if others are decided too; both may lack the same constant.
        """
        raise NotImplementedError

    def set(self, label: int, chips: Ints) -> None:
        """Decide a label for these chips and no others."""
        self.decided[label] = False
        self.decided[label, chips] = True


class _ByChip(_Standing):
    def __init__(self, metric_of: DecidedMetric, decided: NDArray[np.bool_]) -> None:
        super().__init__(metric_of, decided)
        self.worth_of: ChipWorth = metric_of.worth
        self.num_hits, self.num_decided = metric_of.count(decided)

    def values(self, label: int, order: Ints, further: Ints) -> tuple[NDArray[np.float64], float]:
        size = len(self.num_hits)
        if len(order) == size:  # along the chips as they lie, which is quicker than along an order
            gains, before = self._gains(label, np.s_[:])
            return np.concatenate([[0.0], np.cumsum(gains[order])]) / size + before.mean(), 0.0
        gains, _ = self._gains(label, np.concatenate([order, further]))
        sums = np.concatenate([[0.0], np.cumsum(gains)]) / size
        return sums[: len(order) + 1], float(sums[-1])

    def set(self, label: int, chips: Ints) -> None:
        before = self.decided[label].copy()
        super().set(label, chips)
        changed = np.flatnonzero(before != self.decided[label])
        change = np.where(before[changed], -1, 1)
        self.num_decided[changed] += change
        self.num_hits[changed] += change * self.truth[label, changed]

    def _gains(self, label: int, chips: Ints | slice) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what each chip gains by having the label decided, and what it is worth without."""
        carries, decided = self.truth[label, chips], self.decided[label, chips]
        hits, count = self.num_hits[chips] - (carries & decided), self.num_decided[chips] - decided
        before = self.worth_of(hits, count, chips)
        return self.worth_of(hits + carries, count + 1, chips) - before, before


class _ByCounts(_Standing):
    def values(self, label: int, order: Ints, further: Ints) -> tuple[NDArray[np.float64], float]:
        hits = np.concatenate([[0], np.cumsum(self.truth[label, order])])
        most = self._value(label, int(hits[-1]) + len(further), len(order) + len(further))  # if all of them came next
        return self._value(label, hits, np.arange(len(hits))), float(most)

    def _value(self, label: int, hits: Any, decided: Any) -> NDArray[np.float64]:
        """Return the metric if a label had so many hits and decisions."""
        raise NotImplementedError


class _ByLabel(_ByCounts):
    def __init__(self, metric_of: DecidedMetric, decided: NDArray[np.bool_]) -> None:
        super().__init__(metric_of, decided)
        self.carried = metric_of.carried

    def _value(self, label: int, hits: Any, decided: Any) -> NDArray[np.float64]:
        # For the best cut neither the others' share matters nor what the label weighs.
        return of_counts(hits, decided, self.carried[label], self.metric, self.truth.shape[1]) / len(self.truth)


class _Pooled(_ByCounts):
    def __init__(self, metric_of: DecidedMetric, decided: NDArray[np.bool_]) -> None:
        super().__init__(metric_of, decided)
        (hits,), (count,) = metric_of.count(decided)
        self.hits, self.count, (self.carried,) = int(hits), int(count), metric_of.carried

    def set(self, label: int, chips: Ints) -> None:
        hits, count = self._of(label)
        super().set(label, chips)
        now_hits, now_count = self._of(label)
        self.hits, self.count = self.hits + now_hits - hits, self.count + now_count - count

    def _value(self, label: int, hits: Any, decided: Any) -> NDArray[np.float64]:
        own_hits, own = self._of(label)
        others = self.hits - own_hits, self.count - own
        return of_counts(others[0] + hits, others[1] + decided, self.carried, self.metric, self.truth.size)

    def _of(self, label: int) -> tuple[int, int]:
        truth, decided = self.truth[label], self.decided[label]
        return int(np.count_nonzero(truth & decided)), int(np.count_nonzero(decided))


STANDINGS: dict[str, type[_Standing]] = {"samples": _ByChip, "macro": _ByLabel, "micro": _Pooled}


def _at_grid(scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the hits and the decisions (101,) of one label at each cut of `GRID`."""
    places = _places(scores)
    hits, decided = (_from_above(np.bincount(some, minlength=len(GRID))) for some in (places[truth], places))
    return hits, decided


def _places(scores: NDArray[np.float32]) -> Ints:
    """Return the number of the highest cut of `GRID` that each score reaches."""
    return np.searchsorted(GRID, scores, side="right") - 1


def _from_above(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each cut (..., 101) the sum of the counts whose place is there or higher."""
    return np.ascontiguousarray(np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1])
