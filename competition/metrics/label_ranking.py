"""How well scores rank the labels of each chip: average precision along labels instead of chips."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

CELLS_AT_ONCE = 2**21


def precisions(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Yield the precision at the score of each label that a chip carries, 0 at the others; some chips at a time.

    That is the share, among the labels that score as much or more, of those that the chip carries.

    Args:
        truth: bool array (num_chips, num_labels).
        scores: float array (num_chips, num_labels), without NaN.

    Yields:
        Which chips, and their precisions (num_some_chips, num_labels).
    """
    step = max(1, CELLS_AT_ONCE // truth.shape[1])
    for start in range(0, len(truth), step):
        part = slice(start, start + step)
        yield part, _precisions(truth[part], scores[part])


def _precisions(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    order = np.argsort(-scores, axis=1)
    ranked, carried = np.take_along_axis(scores, order, axis=1), np.take_along_axis(truth, order, axis=1)
    # Equal scores all rank where the last of them does.
    num_labels = truth.shape[1]
    last = np.where(np.diff(ranked, axis=1, append=-np.inf) != 0, np.arange(num_labels), num_labels)
    last = np.minimum.accumulate(last[:, ::-1], axis=1)[:, ::-1]
    hits = np.take_along_axis(np.cumsum(carried, axis=1), last, axis=1)
    found = np.empty(truth.shape)
    np.put_along_axis(found, order, carried * hits / (last + 1), axis=1)
    return found


def precision_sums(
    truth: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the sum of each chip's precisions (num_chips,), and how many labels it carries (num_chips,)."""
    sums = np.zeros(len(truth))
    for part, found in precisions(truth, scores):
        sums[part] = found.sum(axis=1)
    return sums, truth.sum(axis=1)


def precision_by_label(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean precision (num_labels,) of each label, over the chips that carry it; NaN where none does.

    Weighted by how many chips carry the labels, their mean is lwlrap.
    """
    sums, carried = np.zeros(truth.shape[1]), truth.sum(axis=0)
    for _, found in precisions(truth, scores):
        sums += found.sum(axis=0)
    return np.divide(sums, carried, out=np.full(len(sums), np.nan), where=carried > 0)
