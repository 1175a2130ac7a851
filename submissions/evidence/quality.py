"""What the metric judges of a label on its own: a figure by which labels are good or bad."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.metrics.f_beta import f_beta_of_counts
from competition.metrics.judge import metric_by_label
from competition.metrics.log_loss import loss_of_class
from competition.spec.competition import Competition
from competition.spec.metric import BY_LABEL, SCORES

F_BETA, ACCURACY, RECALL = "f_beta", "accuracy", "recall"
ROC_AUC, LOG_LOSS, AVERAGE_PRECISION = "roc_auc", "log_loss", "average_precision"
_TITLES = {
    ROC_AUC: "ROC AUC",
    LOG_LOSS: "log loss",
    AVERAGE_PRECISION: "average precision",
    "label_ranking": "precision at its rank",
}
SHOWN_ANYHOW = (ROC_AUC, AVERAGE_PRECISION, RECALL)  # of every label, whatever the metric
WITHIN_CHIPS = ("label_ranking",)  # that set the labels of a chip against each other, and have no figure without all


def kind_of(competition: Competition) -> str:
    """Return what kind of figure the metric asks for: its own name, or what it comes down to for one label."""
    metric = competition.metric
    if metric.judges == SCORES or metric.name == F_BETA:
        return metric.name
    if competition.is_multi_class:
        return RECALL
    return ACCURACY if (metric.name, metric.average) == ("accuracy", "micro") else F_BETA


def title_of(competition: Competition) -> str:
    """Return the name of the figure, such as "F2" or "ROC AUC"."""
    kind = kind_of(competition)
    return f"F{competition.metric.beta:g}" if kind == F_BETA else _TITLES.get(kind, kind)


def sentence_of(competition: Competition) -> str:
    """Return what the figure has to do with the metric."""
    metric, title, kind = competition.metric, title_of(competition), kind_of(competition)
    is_of_chips = metric.average == "samples" and kind in (RECALL, LOG_LOSS)
    if is_of_chips or metric.title == "lwlrap":
        return (
            f"The {title} of a label is over the chips that carry it; the mean, weighed by their number, is the metric."
        )
    if kind == ACCURACY or metric.average == BY_LABEL:
        how = ", weighed as the competition says" if metric.weights else ""
        return f"The metric is the mean over labels of their {title}{how}."
    if metric.name == "label_ranking":
        return f"The {title} of a label is over the chips that carry it; the metric is the mean chip by chip."
    if metric.name != kind or metric.average == "samples":
        return f"The metric judges the labels of a chip together; the {title} of a label is what comes nearest to it."
    return f"The metric pools all labels; the {title} of a label is what comes nearest to it."


def decided_by(competition: Competition) -> str:
    """Return what is shown as decided where the metric judges scores."""
    return "the likeliest label of each chip" if competition.is_multi_class else "a cut of 0.5"


def of_counts(
    hits: ArrayLike, decided: ArrayLike, carried: ArrayLike, num_chips: int, competition: Competition
) -> NDArray[np.float64]:
    """Return the figure of decisions of a label by its counts, element by element; NaN where it has none.

    Args:
        hits: chips that carry the label and were given it.
        decided: chips that were given it.
        carried: chips that carry it.
        num_chips: all of them.
        competition: gives the metric, which judges decisions.
    """
    hits, decided, carried = (np.asarray(numbers, dtype=np.float64) for numbers in (hits, decided, carried))
    kind, values = kind_of(competition), np.full(np.broadcast(hits, decided, carried).shape, np.nan)
    if kind == ACCURACY:
        return np.asarray(1 - (decided + carried - 2 * hits) / num_chips)
    if kind == RECALL:
        return np.divide(hits, carried, out=values, where=carried > 0)
    return f_beta_of_counts(hits, decided, carried, competition.metric.beta, np.nan)


def of_scores(truth: NDArray[np.bool_], scores: NDArray[np.floating], competition: Competition) -> NDArray[np.float64]:
    """Return the figure (num_labels,) of scores, by the metric that judges these; NaN where it has none.

    Args:
        truth: bool array (num_chips, num_labels).
        scores: float array (num_chips, num_labels).
        competition: gives the metric, which judges scores.
    """
    metric = competition.metric
    if is_of_class(competition):
        lost = loss_of_class(truth, scores, metric.clip) @ truth.astype(float)
        carried = truth.sum(axis=0)
        return np.divide(lost, carried, out=np.full(len(carried), np.nan), where=carried > 0)
    return metric_by_label(truth, scores, metric)


def is_of_class(competition: Competition) -> bool:
    """Whether the metric is the log loss of the one label that a chip carries."""
    return competition.metric.name == LOG_LOSS and competition.metric.average == "samples"


def needs_all_labels(competition: Competition) -> bool:
    """Whether scores of some labels only have no such figure: the metric sets a chip's labels against each other."""
    return competition.metric.name in WITHIN_CHIPS or is_of_class(competition)


def ignorance(truth: NDArray[np.bool_], competition: Competition) -> NDArray[np.float64]:
    """Return the log loss (num_labels,) of scores that are each label's share of the chips, whatever the chip."""
    share = truth.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        there = -np.log(share)
        if is_of_class(competition):
            return np.asarray(there)
        return np.asarray(np.nan_to_num(share * there) - np.nan_to_num((1 - share) * np.log1p(-share)))
