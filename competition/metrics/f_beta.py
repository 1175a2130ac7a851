"""F-beta per chip and by label, on whole matrices.

Rows are chips, columns labels. Where nothing is carried and nothing decided, F-beta is 0/0 and counts as the metric's
`empty`, as with scikit-learn's `zero_division`; other fractions 0/0 count as 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def f_beta_per_chip(truth: ArrayLike, decisions: ArrayLike, beta: float, empty: float = 0) -> NDArray[np.float64]:
    """Return the F-beta of each chip; its mean is the competition's metric.

    Args:
        truth: bool array (num_chips, num_labels).
        decisions: bool array (num_chips, num_labels).
        beta: weight of recall.
        empty: the value of a chip that carries nothing and of which nothing was decided.

    Returns:
        Float array (num_chips,) in [0, 1].

    Raises:
        ValueError: if the shapes differ.
    """
    truth, decisions = matched(truth, decisions)
    return f_beta_of_counts(*counts(truth, decisions, axis=1), beta, empty)


def f_beta_of_counts(
    hits: ArrayLike, decided: ArrayLike, carried: ArrayLike, beta: float, empty: float = 0
) -> NDArray[np.float64]:
    """Return the F-beta of counts, element by element; every other function here comes down to it.

    Args:
        hits: how often a label was decided and carried.
        decided: how often it was decided.
        carried: how often it was carried.
        beta: weight of recall.
        empty: the value where nothing was decided nor carried.
    """
    hits, decided, carried = (np.asarray(numbers, dtype=np.float64) for numbers in (hits, decided, carried))
    return _ratio((1 + beta**2) * hits, decided + beta**2 * carried, empty)


@dataclass(frozen=True)
class LabelMetrics:
    """Metrics by label; each array is (num_labels,) in the competition's label order.

    Attributes:
        support: number of chips that carry the label.
        f_beta: F-beta of the label's decisions.
        precision: share of the decided chips that carry the label.
        recall: share of the chips carrying the label that were decided.
    """

    support: NDArray[np.int64]
    f_beta: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


def decisions_by_label(truth: ArrayLike, decisions: ArrayLike, beta: float, empty: float = 0) -> LabelMetrics:
    """Return F-beta, precision, recall and support of every label (the paper's table)."""
    truth, decisions = matched(truth, decisions)
    hits, decided, carried = counts(truth, decisions, axis=0)
    return LabelMetrics(
        support=carried.astype(np.int64),
        f_beta=f_beta_of_counts(hits, decided, carried, beta, empty),
        precision=_ratio(hits, decided),
        recall=_ratio(hits, carried),
    )


def counts(truth: NDArray[np.bool_], decisions: NDArray[np.bool_], axis: int | None) -> tuple[Any, Any, Any]:
    """Return how often labels were decided and carried, decided, and carried: along an axis, or of all cells (None)."""
    return (truth & decisions).sum(axis=axis), decisions.sum(axis=axis), truth.sum(axis=axis)


def _ratio(over: Any, under: Any, empty: float = 0) -> NDArray[np.float64]:
    over, under = np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)
    over, under = np.broadcast_arrays(over, under)
    return np.divide(over, under, out=np.full(over.shape, float(empty)), where=under > 0)


def matched(truth: ArrayLike, decisions: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return truth and decisions as bool arrays, after checking that they fit."""
    return _of_one_shape(np.asarray(truth, dtype=bool), np.asarray(decisions, dtype=bool))


def matched_scores(truth: ArrayLike, scores: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return truth and scores as arrays, after checking that they fit; scores must not hold NaN."""
    truth, scores = _of_one_shape(np.asarray(truth, dtype=bool), np.asarray(scores))
    scores = scores if scores.dtype in (np.float32, np.float64) else scores.astype(np.float64)
    if np.isnan(scores).any():
        raise ValueError("Chips without scores cannot be ranked: NaN among the scores.")
    return truth, scores


def _of_one_shape(truth: NDArray[Any], other: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    if truth.ndim != 2 or truth.shape != other.shape:
        raise ValueError(f"Expected two (num_chips, num_labels) arrays of one shape, got {truth.shape}, {other.shape}.")
    return truth, other
