"""What the losses of networks and of heads share: the bounds of scores, and the weights of rare labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

EPSILON = 1e-7  # Keras' own, so that the plain loss is Keras'
MARGIN = 0.05  # score below which an absent label costs nothing, of the asymmetric loss
SATURATION = 0.999  # beta of Cui et al. 2019: beyond some thousand chips a label is not counted as less rare
WIDEST = 10.0  # largest ratio between the weights of two labels


def balanced_weights(truth: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a weight for the positives of each label: rare ones count for more.

    Source: the effective number of samples, (1 - beta^n) / (1 - beta), of Cui et al., "Class-Balanced Loss Based on
    Effective Number of Samples", CVPR 2019, with their beta of .999; differs from it in a bound. The weights of all
    positives together are as many as the positives, so that the loss keeps its size, and no weight is more than
    `WIDEST` times another: none is above that, nor below its inverse. A label without positives counts as having one.

    Args:
        truth: bool array (num_chips, num_labels) of the training chips.

    Returns:
        Float32 array (num_labels,).
    """
    counts = np.maximum(truth.sum(axis=0), 1).astype(np.float64)
    weights = (1 - SATURATION) / (1 - SATURATION**counts)
    weights = np.minimum(weights, WIDEST * weights.min())
    return (weights / np.average(weights, weights=counts)).astype(np.float32)


def planes(targets: Any, num_labels: int) -> tuple[Any, Any]:
    """Return how much each label is carried, and how much it is absent, each (..., num_labels).

    Args:
        targets: array or tensor: (..., num_labels) in [0, 1], of which the rest is absent; or (..., 2 * num_labels),
            both side by side, of chips that do not count as much as others, or by some labels only.
        num_labels: how many there are.
    """
    if targets.shape[-1] == num_labels:
        return targets, 1 - targets
    return targets[..., :num_labels], targets[..., num_labels:]
