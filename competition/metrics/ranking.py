"""How well scores rank the chips, label by label, whatever the cuts; and how much that depends on each chip.

Equal scores are not ranked: they count as scikit-learn counts them.

Ours, not scikit-learn's, because only values are sorted here where all chips count the same, not their places, which is
several times faster (`tests/benchmarks/bench_metrics.py`); and because scikit-learn does not give the influence.

The influence of a chip is the derivative of a metric to its weight, times the sum of all weights. Its mean, by these
weights, over chips drawn with replacement is, to first order, by how much the metric of the drawn chips differs. For
the area under the ROC curve, of chips that count the same, these are DeLong's components (DeLong, DeLong and
Clarke-Pearson 1988).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.metrics.f_beta import matched_scores

CELLS_AT_ONCE = 2**21

Weights = NDArray[np.float64] | None  # of chips, at least 0; None: all count the same
Column = Callable[[NDArray[np.bool_], NDArray[np.floating], Weights], float]


def average_precision(truth: ArrayLike, scores: ArrayLike, weights: Weights = None) -> NDArray[np.float64]:
    """Return the average precision of every label, NaN where no chip that counts carries it.

    Args:
        truth: bool array (num_chips, num_labels).
        scores: float array (num_chips, num_labels), without NaN.
        weights: float array (num_chips,), at least 0; None: all chips count the same.

    Returns:
        Float array (num_labels,) in [0, 1], or NaN.

    Raises:
        ValueError: if the shapes differ or a score is NaN.
    """
    return _by_label(precision_of, *matched_scores(truth, scores), weights)


def roc_auc(truth: ArrayLike, scores: ArrayLike, weights: Weights = None) -> NDArray[np.float64]:
    """Return the area under the ROC curve of every label, NaN where all or none of the chips that count carry it.

    Args:
        truth: bool array (num_chips, num_labels).
        scores: float array (num_chips, num_labels), without NaN.
        weights: float array (num_chips,), at least 0; None: all chips count the same.

    Returns:
        Float array (num_labels,) in [0, 1], or NaN.

    Raises:
        ValueError: if the shapes differ or a score is NaN.
    """
    return _by_label(_area, *matched_scores(truth, scores), weights)


def macro(values: NDArray[np.float64]) -> float:
    """Return the mean over the labels for which the metric exists; NaN if it exists for none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _by_label(
    metric: Column, truth: NDArray[np.bool_], scores: NDArray[np.floating], weights: Weights
) -> NDArray[np.float64]:
    return np.array([metric(*column, weights) for column in zip(truth.T, scores.T, strict=True)])


def precision_of(carried: NDArray[np.bool_], scores: NDArray[np.floating], weights: Weights = None) -> float:
    """Return the average precision of scores (num,) against truth (num,), NaN where no positive counts."""
    curve = _curve(carried, scores, weights)
    return float(np.average(curve.hits / curve.reached, weights=curve.counts)) if len(curve.scores) else float("nan")


def precision_influence(
    carried: NDArray[np.bool_], scores: NDArray[np.floating], weights: Weights = None
) -> NDArray[np.float64]:
    """Return how much the average precision of pooled cells depends on each row of them; the weighed mean is 0.

    Average precision is the mean of P(s) = T(s) / N(s) over the positives' scores s, where T(s) weighs the positives
    that score s or more, and N(s) all cells that do. A cell of score t moves the mean by P(t), if it is positive, and
    each P(s) with s <= t by [positive] / N(s) - T(s) / N(s)^2.

    Args:
        carried: bool array (num_rows, num_columns).
        scores: float array (num_rows, num_columns).
        weights: float array (num_rows,), at least 0; None: all count the same.

    Returns:
        Float array (num_rows,).
    """
    cells = None if weights is None else np.repeat(weights, scores.shape[1])
    curve = _curve(carried.ravel(), scores.ravel(), cells)
    influence = np.zeros(len(scores))
    if not len(curve.scores):
        return influence
    precision = curve.hits / curve.reached
    moved = (curve.counts / curve.reached, curve.counts * precision / curve.reached)
    of_positive, of_all = (np.concatenate([[0.0], np.cumsum(part)]) for part in moved)
    mean = np.average(precision, weights=curve.counts)
    step = max(1, CELLS_AT_ONCE // scores.shape[1])
    for part in (slice(start, start + step) for start in range(0, len(scores), step)):
        below = np.searchsorted(curve.scores, scores[part], side="right")  # positives that score as much or less
        gained = precision[np.maximum(below, 1) - 1] - mean + of_positive[below]
        influence[part] = (carried[part] * gained - of_all[below]).sum(axis=1)
    return influence * ((len(scores) if weights is None else weights.sum()) / curve.counts.sum())


class _Ranked(NamedTuple):
    """Chips by their scores.

    Attributes:
        scores: of the chips, rising.
        counts: their weights.
        from_here: the weight of all chips from each place on, and 0 after the last.
    """

    scores: NDArray[np.floating]
    counts: NDArray[Any]
    from_here: NDArray[Any]

    @classmethod
    def of(cls, scores: NDArray[np.floating], weights: Weights) -> _Ranked:
        """Return chips in their order; where all count the same, each counts as 1, in integers."""
        if weights is None:
            return cls(np.sort(scores), np.ones(len(scores), dtype=np.int64), np.arange(len(scores), -1, -1))
        order = np.argsort(scores, kind="stable")
        counts = weights[order]
        return cls(scores[order], counts, np.append(np.cumsum(counts[::-1])[::-1], 0.0))

    def reaching(self, scores: NDArray[np.floating]) -> NDArray[Any]:
        """Return for each of some scores the weight of the chips that score that or more."""
        return self.from_here[np.searchsorted(self.scores, scores, side="left")]

    def twice_below(self, scores: NDArray[np.floating]) -> NDArray[Any]:
        """Return for each of some scores twice the weight of the chips that it is above, those that equal it half."""
        above = self.from_here[np.searchsorted(self.scores, scores, side="right")]
        return np.asarray(2 * self.from_here[0] - self.reaching(scores) - above)


class _Curve(NamedTuple):
    """What an average precision is made of, of each positive that counts, by rising scores.

    Attributes:
        scores: of the positives.
        counts: their weights.
        hits: the weight of the positives that score as much or more.
        reached: the weight of all chips that do.
    """

    scores: NDArray[np.floating]
    counts: NDArray[Any]
    hits: NDArray[Any]
    reached: NDArray[Any]


def _curve(carried: NDArray[np.bool_], scores: NDArray[np.floating], weights: Weights) -> _Curve:
    if weights is not None:
        carried = carried & (weights > 0)
    own = _Ranked.of(scores[carried], _some(weights, carried))
    reached = _Ranked.of(scores, weights).reaching(own.scores)
    return _Curve(own.scores, own.counts, own.reaching(own.scores), reached)


def _sides(
    carried: NDArray[np.bool_], scores: NDArray[np.floating], weights: Weights
) -> tuple[_Ranked, _Ranked, float]:
    """Return the positives, the negatives, and twice the weight of all pairs of them: 0 where there are none."""
    own, others = (_Ranked.of(scores[side], _some(weights, side)) for side in (carried, ~carried))
    return own, others, 2 * own.from_here[0] * others.from_here[0]


def _some(weights: Weights, chosen: NDArray[np.bool_]) -> Weights:
    return None if weights is None else weights[chosen]


def _area(carried: NDArray[np.bool_], scores: NDArray[np.floating], weights: Weights) -> float:
    own, others, pairs = _sides(carried, scores, weights)
    return float(own.counts @ others.twice_below(own.scores) / pairs) if pairs else float("nan")


def area_influence(
    carried: NDArray[np.bool_], scores: NDArray[np.floating], weights: Weights = None
) -> NDArray[np.float64]:
    """Return how much the area under the ROC curve depends on each of the scores (num,); the weighed mean is 0.

    A positive moves the area by the share of the negatives below it, a negative by that of the positives above it, each
    less the area itself.
    """
    influence = np.zeros(len(scores))
    own, others, pairs = _sides(carried, scores, weights)
    if not pairs:
        return influence
    total = own.from_here[0] + others.from_here[0]
    area = own.counts @ others.twice_below(own.scores) / pairs
    below = others.twice_below(scores[carried]) / (2 * others.from_here[0])
    above = 1 - own.twice_below(scores[~carried]) / (2 * own.from_here[0])
    influence[carried] = (below - area) * (total / own.from_here[0])
    influence[~carried] = (above - area) * (total / others.from_here[0])
    return influence
