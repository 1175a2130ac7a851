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
        said: float array (num_bins,): their mean.
        found: float array (num_bins,): how often the label was there.
        error: the expected calibration error: the mean distance of the last two, weighted by `count`.
    """

    low: NDArray[np.float64]
    count: NDArray[np.int64]
    said: NDArray[np.float64]
    found: NDArray[np.float64]
    error: float


def reliability(scores: NDArray[Any], truth: NDArray[np.bool_]) -> Reliability:
    """Return the reliability of scores, all labels together; bins without a score are left out.

    Args:
        scores: float array (num_chips, num_labels).
        truth: bool array (num_chips, num_labels).
    """
    edges = np.array(BINS)
    place = np.minimum(np.searchsorted(edges, scores.ravel(), side="right") - 1, len(edges) - 2)
    count, said, found = (
        np.bincount(place, weights=weights, minlength=len(edges) - 1)
        for weights in (np.ones(scores.size), scores.ravel(), truth.ravel())
    )
    some = count > 0
    mean_said, frequency = said[some] / count[some], found[some] / count[some]
    error = float(np.average(np.abs(mean_said - frequency), weights=count[some]))
    return Reliability(edges[:-1][some], count[some].astype(np.int64), mean_said, frequency, error)
