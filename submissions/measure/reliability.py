"""Whether a score of 0.3 means three in ten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


@dataclass(frozen=True)
class Reliability:
    """What scores say and what is true, by how high they are.

    Attributes:
        low: float array (num_bins,): the least score of each bin; the next one's is where it ends.
        count: int array (num_bins,): scores in it.
        mean_score: float array (num_bins,): what they say.
        frequency: float array (num_bins,): how often the label was there.
        error: the expected calibration error: the mean distance of the last two, weighted by `count`.
    """

    low: NDArray[np.float64]
    count: NDArray[np.int64]
    mean_score: NDArray[np.float64]
    frequency: NDArray[np.float64]
    error: float


def reliability(scores: NDArray[Any], truth: NDArray[np.bool_]) -> Reliability:
    """Return the reliability of scores, all labels together; bins without a score are left out.

    Args:
        scores: float array (num_chips, num_labels).
        truth: bool array (num_chips, num_labels).

    Example:
        >>> bins = reliability(np.array([[0.25], [0.25], [0.25], [0.75]]), np.array([[True], [False], [False], [True]]))
        >>> bins.low, bins.mean_score, bins.frequency.round(2)
        (array([0.2, 0.7]), array([0.25, 0.75]), array([0.33, 1.  ]))
    """
    edges = np.array(BINS)
    place = np.minimum(np.searchsorted(edges, scores.ravel(), side="right") - 1, len(edges) - 2)
    count, sum_scores, num_true = (
        np.bincount(place, weights=weights, minlength=len(edges) - 1)
        for weights in (np.ones(scores.size), scores.ravel(), truth.ravel())
    )
    some = count > 0
    mean_score, frequency = sum_scores[some] / count[some], num_true[some] / count[some]
    error = float(np.average(np.abs(mean_score - frequency), weights=count[some]))
    return Reliability(edges[:-1][some], count[some].astype(np.int64), mean_score, frequency, error)
