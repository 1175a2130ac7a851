"""How well scores rank the chips, label by label, whatever the cuts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.metrics.f_beta import matched


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
    from sklearn.metrics import average_precision_score

    truth, scores = matched(truth, scores, dtype=np.float64)
    return _by_label(average_precision_score, truth, scores, most=len(truth))


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
    from sklearn.metrics import roc_auc_score

    truth, scores = matched(truth, scores, dtype=np.float64)
    return _by_label(roc_auc_score, truth, scores, most=len(truth) - 1)


def macro(values: NDArray[np.float64]) -> float:
    """Return the mean over the labels for which the metric exists; NaN if it exists for none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")


def _by_label(
    metric: Callable[..., float], truth: NDArray[np.bool_], scores: NDArray[np.float64], most: int
) -> NDArray[np.float64]:
    """Return a metric of every label that one chip carries at least and `most` at most, NaN for the others."""
    pairs = zip(truth.T, scores.T, strict=True)
    return np.array([metric(carried, score) if 1 <= carried.sum() <= most else np.nan for carried, score in pairs])
