"""The log loss of scores: column by column, as of independent labels, or of classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CELLS_AT_ONCE = 2**21


def losses(truth: NDArray[np.bool_], scores: NDArray[np.floating], clip: float) -> NDArray[np.float64]:
    """Return the log loss of each cell, of the shape of both.

    Args:
        truth: bool array.
        scores: float array of the same shape; taken as being no nearer to 0 and 1 than `clip`.
        clip: above 0 and below 1/2; at least the epsilon of float64 is taken, as in scikit-learn.
    """
    clip = max(clip, float(np.finfo(np.float64).eps))
    clipped = np.clip(scores.astype(np.float64), clip, 1 - clip)
    return -np.log(np.where(truth, clipped, 1 - clipped))


def loss_by_label(truth: NDArray[np.bool_], scores: NDArray[np.floating], clip: float) -> NDArray[np.float64]:
    """Return the mean log loss (num_labels,) of each label."""
    return np.array([losses(*column, clip).mean() for column in zip(truth.T, scores.T, strict=True)])


def loss_by_chip(
    truth: NDArray[np.bool_], scores: NDArray[np.floating], clip: float, weights: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Return the log loss (num_chips,) of each chip: the mean over its labels, weighed by `weights` (num_labels,)."""
    weights = np.ones(truth.shape[1]) if weights is None else weights
    step = max(1, CELLS_AT_ONCE // truth.shape[1])
    starts = range(0, len(truth), step)
    parts = [losses(truth[at : at + step], scores[at : at + step], clip) @ weights for at in starts]
    return np.concatenate(parts) / weights.sum()


def loss_of_class(truth: NDArray[np.bool_], scores: NDArray[np.floating], clip: float) -> NDArray[np.float64]:
    """Return the log loss (num_chips,) of each chip where it carries one label: that of this label's share.

    A chip that carries several, against the rules, has the mean of theirs; one that carries none has the loss 0.

    Args:
        truth: bool array (num_chips, num_labels).
        scores: float array of the same shape; a chip's are taken as shares of their sum.
        clip: as `losses`.
    """
    total = scores.sum(axis=1, dtype=np.float64)[:, None]
    shares = np.divide(scores, total, out=np.full(truth.shape, 1 / truth.shape[1]), where=total > 0)
    least = max(clip, float(np.finfo(np.float64).eps))
    carried = np.where(truth, -np.log(np.clip(shares, least, 1)), 0.0).sum(axis=1)
    return np.asarray(carried / np.maximum(truth.sum(axis=1), 1))
