"""What answers are worth by a competition's metric: decisions where it judges these, or else scores.

A metric is a function of sums over chips, so that what a set of chips drawn with replacement is worth takes one product
of matrices: `addends` gives what each chip adds, `of_sums` the metric. ROC AUC and average precision over chips are no
such function: theirs is linearised, what a chip adds being the metric plus the chip's influence on it. Where chips
count for more or less, such as by how much they look like those to predict, what they add is weighed; and what is
linearised is linearised there, since the influence of a chip is another one among other chips.
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

Weights = ranking.Weights


def measure(truth: NDArray[np.bool_], answers: NDArray[Any], metric: Metric, weights: Weights = None) -> float:
    """Return the metric of answers.

    As in scikit-learn, a label that no chip carries has the average precision 0, and so has a chip without labels; the
    label ranking of a chip without labels is 1. Labels that all or none of the chips carry have no ROC AUC and are left
    out of the mean: `left_out` names them.

    Args:
        truth: bool array (num_chips, num_labels).
        answers: of the same shape: bool decisions, or float scores without NaN, as the metric judges.
        metric: the metric; its weights, if any, are those of the columns (`Metric.of_labels`).
        weights: float array (num_chips,), at least 0, not all 0: what each chip counts for; None: all the same.

    Returns:
        The natural value, of which less is better if `metric.sign` is -1; NaN for ROC AUC if every label is left out.

    Raises:
        ValueError: if the shapes differ, a score is NaN, or the weights are none.
    """
    if weights is not None:
        return _measure_weighed(truth, answers, metric, weights)
    if metric.judges == DECISIONS:
        return float(mean_of(of_decisions(*matched(truth, answers), metric), metric))
    truth, scores = matched_scores(truth, answers)
    match metric.name, metric.average:
        case "log_loss", "samples":
            return float(log_loss.loss_of_class(truth, scores, metric.clip).mean())
        case "log_loss", _:
            return float(mean_over_labels(metric_by_label(truth, scores, metric), metric))
        case ("roc_auc", _) | ("average_precision", "macro" | "micro"):
            return _of_ranks(truth, scores, metric, None)
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


def addends(
    truth: NDArray[np.bool_], answers: NDArray[Any], metric: Metric, weights: Weights = None
) -> NDArray[np.floating]:
    """Return what each chip adds to the sums that the metric is made of: (num_chips, num_sums).

    In float32, with which a product of matrices is twice as fast as with float64: exact for counts, and right to a
    millionth for means.

    Args:
        truth: bool array (num_chips, num_labels).
        answers: of the same shape, as the metric judges.
        metric: the metric.
        weights: float array (num_chips,): what each chip counts for, among which the metric is linearised. What is
            returned is to be multiplied by them.
    """
    if metric.judges != DECISIONS:
        return _score_addends(*matched_scores(truth, answers), metric, weights).astype(np.float32)
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


def _measure_weighed(
    truth: NDArray[np.bool_], answers: NDArray[Any], metric: Metric, weights: NDArray[np.float64]
) -> float:
    if weights.shape != truth.shape[:1] or not (weights >= 0).all() or not weights.sum() > 0:
        raise ValueError(f"Expected {len(truth):,} weights of 0 or more, not all 0; received {weights.shape}.")
    match metric.name, metric.average:
        case ("roc_auc", _) | ("average_precision", "macro" | "micro"):
            return _of_ranks(*matched_scores(truth, answers), metric, weights)
        case _:
            return float(of_sums(weights @ addends(truth, answers, metric), float(weights.sum()), metric))


def _of_ranks(truth: NDArray[np.bool_], scores: NDArray[Any], metric: Metric, weights: Weights) -> float:
    """Return a metric of how chips are ranked: those that are linearised."""
    if metric.average == "micro":
        cells = None if weights is None else np.repeat(weights, truth.shape[1])
        return float(np.nan_to_num(ranking.precision_of(truth.ravel(), scores.ravel(), cells)))
    if metric.name == "roc_auc":
        return float(mean_over_labels(ranking.roc_auc(truth, scores, weights), metric))
    return float(mean_over_labels(np.nan_to_num(ranking.average_precision(truth, scores, weights)), metric))


def _score_addends(
    truth: NDArray[np.bool_], scores: NDArray[Any], metric: Metric, weights: Weights
) -> NDArray[np.float64]:
    match metric.name, metric.average:
        case "log_loss", "samples":
            return log_loss.loss_of_class(truth, scores, metric.clip)[:, None]
        case "log_loss", _:
            of_labels = label_weights(metric, truth.shape[1])
            return log_loss.loss_by_chip(truth, scores, metric.clip, of_labels)[:, None]
        case ("roc_auc", _) | ("average_precision", "macro" | "micro"):
            value = _of_ranks(truth, scores, metric, weights)
            return value + _influence(truth, scores, metric, weights)[:, None]
        case _:
            return _ranking_sums(truth, scores, metric)


def _influence(truth: NDArray[np.bool_], scores: NDArray[Any], metric: Metric, weights: Weights) -> NDArray[np.float64]:
    """Return the influence (num_chips,) of each chip on a metric of how chips are ranked."""
    if metric.average == "micro":
        return ranking.precision_influence(truth, scores, weights)
    of_labels = label_weights(metric, truth.shape[1])
    of_labels = np.ones(truth.shape[1]) if of_labels is None else of_labels.copy()
    of_labels[left_out(truth if weights is None else truth[weights > 0], metric)] = 0
    total = np.zeros(len(truth))
    for column in np.flatnonzero(of_labels):
        if metric.name == "roc_auc":
            influence = ranking.area_influence(truth[:, column], scores[:, column], weights)
        else:
            influence = ranking.precision_influence(truth[:, [column]], scores[:, [column]], weights)
        total += of_labels[column] * influence
    return total / max(of_labels.sum(), np.finfo(float).tiny)


def _ranking_sums(truth: NDArray[np.bool_], scores: NDArray[Any], metric: Metric) -> NDArray[np.float64]:
    """Return what a chip's ranking of its labels adds: its precision, and for lwlrap how many labels it carries."""
    sums, carried = label_ranking.precision_sums(truth, scores)
    if metric.average == "micro":
        return np.stack([sums, carried], axis=1)
    empty = 1.0 if metric.name == "label_ranking" else 0.0
    return np.divide(sums, carried, out=np.full(len(sums), empty), where=carried > 0)[:, None]
