"""How well scores rank the chips, label by label, whatever the cuts; and how much that depends on each chip.

Equal scores are not ranked: they count as scikit-learn counts them.

Ours, not scikit-learn's, because only values are sorted here, not their places, which is several times faster
(`tests/benchmarks/bench_metrics.py`); and because scikit-learn does not give the influence.

The influence of a chip is the derivative of a metric to its weight, times the number of chips. Its mean over chips
drawn with replacement is, to first order, by how much the metric of the drawn chips differs: for the area under the ROC
curve these are DeLong's components (DeLong, DeLong and Clarke-Pearson 1988).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.metrics.f_beta import matched_scores

CELLS_AT_ONCE = 2**21

Column = Callable[[NDArray[np.bool_], NDArray[np.floating]], float]


def average_precision(truth: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Return the average precision of every label, NaN where no chip carries it.

    Args:
        truth: bool array (num_chips, num_labels).
        scores: float array (num_chips, num_labels), without NaN.

    Returns:
        Float array (num_labels,) in [0, 1], or NaN.

    Raises:
        ValueError: if the shapes differ or a score is NaN.
    """
    return _by_label(precision_of, *matched_scores(truth, scores))


def roc_auc(truth: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """Return the area under the ROC curve of every label, NaN where all or none of the chips carry it.

    Args:
        truth: bool array (num_chips, num_labels).
        scores: float array (num_chips, num_labels), without NaN.

    Returns:
        Float array (num_labels,) in [0, 1], or NaN.

    Raises:
        ValueError: if the shapes differ or a score is NaN.
    """
    return _by_label(_area, *matched_scores(truth, scores))


def macro(values: NDArray[np.float64]) -> float:
    """Return the mean over the labels for which the metric exists; NaN if it exists for none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _by_label(metric: Column, truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.array([metric(*column) for column in zip(truth.T, scores.T, strict=True)])


def precision_of(carried: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Return the average precision of scores (num,) against truth (num,), NaN where that has no positives."""
    own, hits, reached = _curve(carried, scores)
    return float(np.mean(hits / reached)) if len(own) else float("nan")


def precision_influence(carried: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much the average precision of pooled cells depends on each row of them; the mean is 0.

    With weights of the rows, average precision is the mean of P(s) = T(s) / N(s) over the positives' scores s, where
    T(s) weighs the positives that score s or more, and N(s) all cells that do. A cell of score t moves the mean by
    P(t), if it is positive, and each P(s) with s <= t by [positive] / N(s) - T(s) / N(s)^2.

    Args:
        carried: bool array (num_rows, num_columns).
        scores: float array (num_rows, num_columns).

    Returns:
        Float array (num_rows,).
    """
    own, hits, reached = _curve(carried.ravel(), scores.ravel())
    influence = np.zeros(len(scores))
    if not len(own):
        return influence
    of_positive, of_all = (np.concatenate([[0.0], np.cumsum(part)]) for part in (1 / reached, hits / reached**2))
    precision = hits / reached
    step = max(1, CELLS_AT_ONCE // scores.shape[1])
    for part in (slice(start, start + step) for start in range(0, len(scores), step)):
        below = np.searchsorted(own, scores[part], side="right")  # positives that score as much or less
        gained = precision[np.maximum(below, 1) - 1] - precision.mean() + of_positive[below]
        influence[part] = (carried[part] * gained - of_all[below]).sum(axis=1)
    return influence * (len(scores) / len(own))


def _curve(
    carried: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[NDArray[np.floating], NDArray[np.int64], NDArray[np.int64]]:
    """Return the positives' scores, rising, and of each how many positives, and how many chips, score that or more."""
    own = np.sort(scores[carried])
    hits = len(own) - np.searchsorted(own, own, side="left")
    return own, hits, len(scores) - np.searchsorted(np.sort(scores), own, side="left")


def _area(carried: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    own, others = np.sort(scores[carried]), np.sort(scores[~carried])
    pairs = 2 * len(own) * len(others)
    return int(_twice_below(others, own).sum()) / pairs if pairs else float("nan")


def area_influence(carried: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how much the area under the ROC curve depends on each of the scores (num,); the mean is 0.

    A positive moves the area by the share of the negatives below it, a negative by that of the positives above it, each
    less the area itself.
    """
    influence = np.zeros(len(scores))
    if carried.all() or not carried.any():
        return influence
    own, others = np.sort(scores[carried]), np.sort(scores[~carried])
    below = _twice_below(others, scores[carried]) / (2 * len(others))
    above = 1 - _twice_below(own, scores[~carried]) / (2 * len(own))
    influence[carried] = (below - below.mean()) * (len(scores) / len(own))
    influence[~carried] = (above - above.mean()) * (len(scores) / len(others))
    return influence


def _twice_below(ranked: NDArray[np.floating], scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return for each score twice how many of rising others it is above, those that equal it counting half."""
    return np.searchsorted(ranked, scores, side="left") + np.searchsorted(ranked, scores, side="right")
