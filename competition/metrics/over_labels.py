"""Means over labels: weighed as the competition says, without the labels that have no value."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from competition.spec.metric import Metric


def label_weights(metric: Metric, num_labels: int) -> NDArray[np.float64] | None:
    """Return the weights (num_labels,) of the labels; None where all weigh the same.

    That includes weights of 0 alone, as of a specialist in labels to which the competition gives the weight 0: it is
    measured by their plain mean, since the competition's own would have no value.

    Raises:
        ValueError: if the metric has weights of other labels than those of `num_labels` columns; see
            `Metric.of_labels`.
    """
    if not any(metric.weights.values()):
        return None
    if len(metric.weights) != num_labels:
        raise ValueError(f"The metric has weights of {len(metric.weights)} labels for {num_labels} columns.")
    return np.array(list(metric.weights.values()))


def mean_over_labels(values: NDArray[np.floating], metric: Metric) -> NDArray[np.float64]:
    """Return the mean (...,) of values (..., num_labels); NaN where no label that weighs something has a value.

    Args:
        values: by label; NaN marks a label that is left out, such as one that no chip carries.
        metric: gives the weights of the labels.

    Example:
        >>> values, metric = np.array([0.2, np.nan, 0.8]), Metric(average="macro")
        >>> float(mean_over_labels(values, metric))
        0.5
    """
    weights = label_weights(metric, values.shape[-1])
    known = ~np.isnan(values)
    if weights is None and known.all():
        return np.asarray(values.mean(axis=-1))
    weighed = known * (1.0 if weights is None else weights)
    totals = weighed.sum(axis=-1)
    sums = (np.where(known, values, 0.0) * weighed).sum(axis=-1)
    return np.divide(sums, totals, out=np.full_like(totals, np.nan), where=totals > 0)
