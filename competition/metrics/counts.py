"""Metrics of decisions as functions of counts, which is all that searches and resampling need to know."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.metrics.f_beta import counts, f_beta_of_counts
from competition.metrics.over_labels import mean_over_labels
from competition.spec.metric import Average, Metric

AXES: dict[Average, int | None] = {"samples": 1, "macro": 0, "micro": None}


def counted_by(metric: Metric) -> Average:
    """Return what a metric of decisions counts by: chips ("samples"), labels ("macro"), or all cells ("micro").

    Both averages of accuracy are means over chips: the share of a chip's labels that are right, or whether all are.
    """
    return metric.average if metric.name == "f_beta" else "samples"


def of_counts(
    hits: ArrayLike, decided: ArrayLike, carried: ArrayLike, metric: Metric, size: int
) -> NDArray[np.float64]:
    """Return what each row of decisions is worth by its counts, element by element.

    Args:
        hits: how often a label was decided and carried.
        decided: how often it was decided.
        carried: how often it was carried.
        metric: a metric of decisions.
        size: cells that were counted: of a chip, the number of labels.

    Example:
        >>> of_counts(hits=[1, 2], decided=[2, 2], carried=[1, 2], metric=Metric(name="accuracy"), size=4).tolist()
        [0.75, 1.0]
    """
    if metric.name == "f_beta":
        return f_beta_of_counts(hits, decided, carried, metric.beta, metric.empty)
    hits, decided, carried = (np.asarray(numbers, dtype=np.float64) for numbers in (hits, decided, carried))
    wrong = decided + carried - 2 * hits
    if metric.name == "accuracy" and metric.average == "micro":
        return np.asarray(1 - wrong / size)
    return np.asarray(wrong == 0, dtype=np.float64)


def mean_of(values: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    """Return the metric (...,) of the values (..., num_rows) of chips or labels, or of all cells pooled."""
    return mean_over_labels(values, metric) if counted_by(metric) == "macro" else np.asarray(values.mean(axis=-1))


def of_decisions(truth: NDArray[Any], decisions: NDArray[Any], metric: Metric) -> NDArray[np.float64]:
    """Return the values whose `mean_of` is the metric: (num_chips,), (num_labels,) or (1,)."""
    found = counts(truth, decisions, AXES[counted_by(metric)])
    return np.atleast_1d(of_counts(*found, metric, truth.shape[1]))
