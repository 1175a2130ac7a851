"""What answers are worth where chips count for more or less, such as by how much they look like those to predict."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.metrics.f_beta import matched_scores
from competition.metrics.judge import addends, of_sums
from competition.metrics.over_labels import mean_over_labels
from competition.spec.metric import Metric


def measure_weighed(
    truth: NDArray[np.bool_], answers: NDArray[Any], metric: Metric, weights: NDArray[np.float64]
) -> float:
    """Return the metric of answers, each chip counting for its weight: `measure`, where all weights are the same.

    Args:
        truth: bool array (num_chips, num_labels).
        answers: of the same shape: bool decisions, or float scores without NaN, as the metric judges.
        metric: the metric.
        weights: float array (num_chips,), at least 0, not all 0.

    Raises:
        ValueError: if the shapes differ, a score is NaN, or the weights are none.
    """
    if weights.shape != truth.shape[:1] or not (weights >= 0).all() or not weights.sum() > 0:
        raise ValueError(f"Expected {len(truth):,} weights of 0 or more, not all 0; received {weights.shape}.")
    match metric.name, metric.average:
        case ("roc_auc", _) | ("average_precision", "macro"):
            return float(mean_over_labels(_by_label(truth, answers, metric, weights), metric))
        case "average_precision", "micro":
            cells = np.repeat(weights, truth.shape[1])
            return _precision(truth.ravel(), answers.ravel(), cells)
        case _:
            return float(of_sums(weights @ addends(truth, answers, metric), float(weights.sum()), metric))


def _by_label(
    truth: NDArray[np.bool_], answers: NDArray[Any], metric: Metric, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    truth, scores = matched_scores(truth, answers)
    measured = _area if metric.name == "roc_auc" else _precision
    return np.array([measured(*column, weights) for column in zip(truth.T, scores.T, strict=True)])


def _precision(carried: NDArray[np.bool_], scores: NDArray[Any], weights: NDArray[np.float64]) -> float:
    """Return an average precision; 0 where no chip that counts carries the label, as in `measure`."""
    from sklearn.metrics import average_precision_score

    counts = weights > 0
    if not carried[counts].any():
        return 0.0
    return float(average_precision_score(carried[counts], scores[counts], sample_weight=weights[counts]))


def _area(carried: NDArray[np.bool_], scores: NDArray[Any], weights: NDArray[np.float64]) -> float:
    """Return an area under the ROC curve; NaN where all or none of the chips that count carry the label."""
    from sklearn.metrics import roc_auc_score

    counts = weights > 0
    if carried[counts].all() or not carried[counts].any():
        return float("nan")
    return float(roc_auc_score(carried[counts], scores[counts], sample_weight=weights[counts]))
