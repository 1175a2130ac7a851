"""Evaluations as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tabulate import tabulate

from competition.metrics.ranking import macro
from competition.task import Task
from submissions.measure.evaluation import Evaluation, Ranking
from submissions.measure.reliability import Reliability

CHOICE = "Chosen: {}, the simplest within one standard error of the best."
CROSS_FITTED = "{} is cross-fitted: every chip is decided by what was fitted without its fold."


def evaluation_table(
    evaluations: Iterable[Evaluation],
    reference: Evaluation,
    chosen: Evaluation | None = None,
    further: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return a table with one row per evaluation.

    Args:
        evaluations: of the same chips.
        reference: what the differences are to.
        chosen: the evaluation to mark with a star.
        further: columns by heading, each with one cell per evaluation.
    """
    evaluations, further = list(evaluations), further or {}
    metric = evaluations[0].metric
    headers = ["", metric, "95 % interval", f"less {reference.name}", "in-sample", "optimism", "seconds", *further]
    rows = [
        [
            f"* {evaluation.name}" if evaluation is chosen else f"  {evaluation.name}",
            f"{evaluation.cross_fitted:.4f}",
            f"{evaluation.interval[0]:.4f} to {evaluation.interval[1]:.4f}",
            _difference(evaluation, reference),
            f"{evaluation.in_sample:.4f}",
            f"{evaluation.optimism:+.4f}",
            f"{evaluation.seconds:.1f}",
            *(column[row] for column in further.values()),
        ]
        for row, evaluation in enumerate(evaluations)
    ]
    aligned = ["left"] + ["right"] * (len(headers) - 1)
    table = tabulate(rows, headers, disable_numparse=True, preserve_whitespace=True, colalign=aligned)
    return f"{table}\n\n{CROSS_FITTED.format(metric)}"


def label_table(evaluation: Evaluation, ranking: Ranking, task: Task) -> str:
    """Return the cross-fitted figures with one row per label, the rarest first, and their means.

    Args:
        evaluation: of the labels of `task`; its cuts are shown if it decides by cuts.
        ranking: of the scores of these labels.
        task: the labels, in the order of all columns.
    """
    by_label, cuts = evaluation.labels, evaluation.fitted.cuts
    shown_cuts = np.full(len(task.labels), np.nan) if cuts is None else cuts
    columns = {
        f"F{task.metric.beta:g}": by_label.f_beta,
        "precision": by_label.precision,
        "recall": by_label.recall,
        "average precision": ranking.average_precision,
        "AUC": ranking.roc_auc,
        "cut": shown_cuts,
    }
    rows = [
        [
            task.labels[label],
            by_label.support[label],
            *("-" if np.isnan(column[label]) else f"{column[label]:.3f}" for column in columns.values()),
        ]
        for label in np.argsort(by_label.support, kind="stable")
    ]
    means = [f"{macro(column):.3f}" for name, column in columns.items() if name != "cut"]
    rows.append(["mean over labels", "", *means, ""])
    headers = ["label", "chips", *columns]
    return tabulate(rows, headers, disable_numparse=True, colalign=["left"] + ["right"] * (len(headers) - 1))


def reliability_table(reliability: Reliability) -> str:
    """Return the table of how often a label was there where scores said so."""
    columns = (reliability.low, reliability.count, reliability.mean_score, reliability.frequency)
    rows = [
        [f"from {low:.2f}", f"{count:,}", f"{said:.3f}", f"{true:.3f}"]
        for low, count, said, true in zip(*columns, strict=True)
    ]
    table = tabulate(rows, ["score", "scores", "mean", "label is there"], disable_numparse=True, colalign=["right"] * 4)
    return f"{table}\n\nExpected calibration error of all labels' scores: {reliability.error:.4f}."


def _difference(evaluation: Evaluation, reference: Evaluation) -> str:
    value, error = evaluation.over(reference)
    return f"{value:+.4f} ± {error:.4f}" if value or error else "-"
