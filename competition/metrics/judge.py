"""What answers are worth by a competition's metric: decisions where it judges these, or else scores.

A metric is a function of sums over chips, so that what a set of chips drawn with replacement is worth takes one product
of matrices: `addends` gives what each chip adds, `of_sums` the metric. ROC AUC and average precision over chips are no
such function: theirs is linearised, what a chip adds being the metric plus the chip's influence on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.metrics import label_ranking, log_loss, ranking
from competition.metrics.counts import counted_by, mean_of, of_counts, of_decisions
from competition.metrics.f_beta import matched, matched_scores
from competition.metrics.over_labels import label_weights, mean_over_labels
from competition.spec.metric import DECISIONS, Metric


def measure(truth: NDArray[np.bool_], answers: NDArray[Any], metric: Metric) -> float:
    """Return the metric of answers.

    As in scikit-learn, a label that no chip carries has the average precision 0, and so has a chip without labels; the
    label ranking of a chip without labels is 1. Labels that all or none of the chips carry have no ROC AUC and are left
    out of the mean: `left_out` names them.

    Args:
        truth: bool array (num_chips, num_labels).
        answers: of the same shape: bool decisions, or float scores without NaN, as the metric judges.
        metric: the metric; its weights, if any, are those of the columns (`Metric.of_labels`).

    Returns:
        The natural value, of which less is better if `metric.sign` is -1; NaN for ROC AUC if every label is left out.

    Raises:
        ValueError: if the shapes differ, or a score is NaN.
    """
    if metric.judges == DECISIONS:
        return float(mean_of(of_decisions(*matched(truth, answers), metric), metric))
    truth, scores = matched_scores(truth, answers)
    match metric.name, metric.average:
        case "log_loss", "samples":
            return float(log_loss.loss_of_class(truth, scores, metric.clip).mean())
        case ("roc_auc", _) | ("log_loss", _) | ("average_precision", "macro"):
            return float(mean_over_labels(_without_gaps(metric_by_label(truth, scores, metric), metric), metric))
        case "average_precision", "micro":
            return float(np.nan_to_num(ranking.precision_of(truth.ravel(), scores.ravel())))
        case _:
            sums = _ranking_sums(truth, scores, metric)
            return float(of_sums(sums.sum(axis=0), len(truth), metric))


def metric_by_label(truth: NDArray[np.bool_], scores: NDArray[Any], metric: Metric) -> NDArray[np.float64]:
    """Return a metric of scores (num_labels,) for every label on its own, NaN where it has none.

    Of label ranking, that is the mean precision at the label's rank over the chips that carry it.

    Raises:
        ValueError: if the shapes differ, a score is NaN, or the metric judges decisions.
    """
    truth, scores = matched_scores(truth, scores)
    match metric.name:
        case "roc_auc":
            return ranking.roc_auc(truth, scores)
        case "average_precision":
            return ranking.average_precision(truth, scores)
        case "label_ranking":
            return label_ranking.precision_by_label(truth, scores)
        case "log_loss":
            return log_loss.loss_by_label(truth, scores, metric.clip)
    raise ValueError(f"{metric.title} judges decisions.")


def left_out(truth: NDArray[np.bool_], metric: Metric) -> NDArray[np.int64]:
    """Return the columns of the labels that a metric cannot judge: for ROC AUC, those that all or no chips carry."""
    carried = truth.sum(axis=0)
    judged = (carried > 0) & (carried < len(truth)) if metric.name == "roc_auc" else carried >= 0
    return np.flatnonzero(~judged)


def addends(truth: NDArray[np.bool_], answers: NDArray[Any], metric: Metric) -> NDArray[np.floating]:
    """Return what each chip adds to the sums that the metric is made of: (num_chips, num_sums).

    In float32, with which a product of matrices is twice as fast as with float64: exact for counts, and right to a
    millionth for means.
    """
    if metric.judges != DECISIONS:
        return _score_addends(*matched_scores(truth, answers), metric).astype(np.float32)
    truth, decisions = matched(truth, answers)
    if counted_by(metric) == "samples":
        return of_decisions(truth, decisions, metric)[:, None].astype(np.float32)
    found = [truth & decisions, decisions, truth]
    if metric.average == "micro":
        found = [count.sum(axis=1, keepdims=True) for count in found]
    return np.concatenate(found, axis=1).astype(np.float32)


def of_sums(sums: NDArray[np.floating], num_chips: float | NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    """Return the metric (...,) of sums (..., num_sums) over so many chips, drawn with replacement or weighed."""
    if metric.name == "label_ranking" and metric.average == "micro":
        return np.divide(sums[..., 0], sums[..., 1], out=np.zeros(sums.shape[:-1]), where=sums[..., 1] > 0)
    if metric.judges != DECISIONS or counted_by(metric) == "samples":
        return np.asarray(sums[..., 0] / num_chips)
    hits, decided, carried = np.split(sums, 3, axis=-1)
    # What is counted by chips was returned above: of F-beta, the size of a cell plays no part.
    return mean_of(of_counts(hits, decided, carried, metric, 1), metric)


def _score_addends(truth: NDArray[np.bool_], scores: NDArray[Any], metric: Metric) -> NDArray[np.float64]:
    match metric.name, metric.average:
        case "log_loss", "samples":
            return log_loss.loss_of_class(truth, scores, metric.clip)[:, None]
        case "log_loss", _:
            weights = label_weights(metric, truth.shape[1])
            return log_loss.loss_by_chip(truth, scores, metric.clip, weights)[:, None]
        case "average_precision", "micro":
            return measure(truth, scores, metric) + ranking.precision_influence(truth, scores)[:, None]
        case ("roc_auc", _) | ("average_precision", "macro"):
            return measure(truth, scores, metric) + _influence(truth, scores, metric)[:, None]
        case _:
            return _ranking_sums(truth, scores, metric)


def _influence(truth: NDArray[np.bool_], scores: NDArray[Any], metric: Metric) -> NDArray[np.float64]:
    """Return the influence (num_chips,) of each chip on a mean over labels."""
    weights = label_weights(metric, truth.shape[1])
    weights = np.ones(truth.shape[1]) if weights is None else weights.copy()
    weights[left_out(truth, metric)] = 0
    total = np.zeros(len(truth))
    for column in np.flatnonzero(weights):
        if metric.name == "roc_auc":
            influence = ranking.area_influence(truth[:, column], scores[:, column])
        else:
            influence = ranking.precision_influence(truth[:, [column]], scores[:, [column]])
        total += weights[column] * influence
    return total / max(weights.sum(), np.finfo(float).tiny)


def _ranking_sums(truth: NDArray[np.bool_], scores: NDArray[Any], metric: Metric) -> NDArray[np.float64]:
    """Return what a chip's ranking of its labels adds: its precision, and for lwlrap how many labels it carries."""
    sums, carried = label_ranking.precision_sums(truth, scores)
    if metric.average == "micro":
        return np.stack([sums, carried], axis=1)
    empty = 1.0 if metric.name == "label_ranking" else 0.0
    return np.divide(sums, carried, out=np.full(len(sums), empty), where=carried > 0)[:, None]


def _without_gaps(values: NDArray[np.float64], metric: Metric) -> NDArray[np.float64]:
    """Return values by label, 0 in place of an average precision that does not exist."""
    return np.nan_to_num(values) if metric.name == "average_precision" else values
