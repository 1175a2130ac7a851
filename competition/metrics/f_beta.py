"""F-beta per chip and by label, on whole matrices.

Rows are chips, columns labels. A fraction 0/0 counts as 0, as with scikit-learn's `zero_division=0`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.spec.metric import Metric


def f_beta_per_chip(truth: ArrayLike, decisions: ArrayLike, beta: float) -> NDArray[np.float64]:
    """Return the F-beta of each chip; its mean is the competition's metric.

    Args:
        truth: bool array (num_chips, num_labels).
        decisions: bool array (num_chips, num_labels).
        beta: weight of recall.

    Returns:
        Float array (num_chips,) in [0, 1].

    Raises:
        ValueError: if the shapes differ.
    """
    truth, decisions = matched(truth, decisions)
    return f_beta_of_counts(*_counts(truth, decisions, axis=1), beta)


def f_beta(truth: ArrayLike, decisions: ArrayLike, metric: Metric) -> float:
    """Return the competition's F-beta of decided labels: averaged over chips, over labels, or pooled.

    Args:
        truth: bool array (num_chips, num_labels).
        decisions: bool array (num_chips, num_labels).
        metric: the average and beta.

    Raises:
        ValueError: if the shapes differ.
    """
    truth, decisions = matched(truth, decisions)
    axis = {"samples": 1, "macro": 0, "micro": None}[metric.average]
    return float(np.mean(f_beta_of_counts(*_counts(truth, decisions, axis=axis), metric.beta)))


def f_beta_of_counts(hits: ArrayLike, decided: ArrayLike, carried: ArrayLike, beta: float) -> NDArray[np.float64]:
    """Return the F-beta of counts, element by element; every other function here comes down to it.

    Args:
        hits: how often a label was decided and carried.
        decided: how often it was decided.
        carried: how often it was carried.
        beta: weight of recall.
    """
    hits, decided, carried = (np.asarray(counts, dtype=np.float64) for counts in (hits, decided, carried))
    return _ratio((1 + beta**2) * hits, decided + beta**2 * carried)


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


def by_label(truth: ArrayLike, decisions: ArrayLike, beta: float) -> LabelMetrics:
    """Return F-beta, precision, recall and support of every label (the paper's table)."""
    truth, decisions = matched(truth, decisions)
    hits, decided, carried = _counts(truth, decisions, axis=0)
    return LabelMetrics(
        support=carried.astype(np.int64),
        f_beta=f_beta_of_counts(hits, decided, carried, beta),
        precision=_ratio(hits, decided),
        recall=_ratio(hits, carried),
    )


def _counts(truth: NDArray[Any], decisions: NDArray[Any], axis: int | None) -> tuple[Any, Any, Any]:
    return (truth & decisions).sum(axis=axis), decisions.sum(axis=axis), truth.sum(axis=axis)


def _ratio(over: Any, under: Any) -> NDArray[np.float64]:
    over, under = np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)
    return np.divide(over, under, out=np.zeros_like(over), where=under > 0)


def matched(truth: ArrayLike, other: ArrayLike, dtype: Any = bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return both as arrays, after a look at whether they fit; scores must not hold NaN."""
    truth, other = np.asarray(truth, dtype=bool), np.asarray(other, dtype=dtype)
    if truth.ndim != 2 or truth.shape != other.shape:
        raise ValueError(f"Expected two (num_chips, num_labels) arrays of one shape, got {truth.shape}, {other.shape}.")
    if other.dtype != bool and np.isnan(other).any():
        raise ValueError("Chips without scores cannot be ranked: NaN among the scores.")
    return truth, other
