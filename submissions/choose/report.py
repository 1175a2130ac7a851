"""Evaluations as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.metrics.ranking import macro
from competition.spec.metric import DECISIONS
from competition.task import Task
from competition.terminal.tables import table
from submissions.measure.evaluation import Evaluation, Ranking
from submissions.measure.reliability import Reliability

SHOWN = 60  # labels in a table; of more, the rarest and the most frequent
CHOICE = "Chosen: {}, the simplest within one standard error of the best."
CROSS_FITTED = "{} is cross-fitted: every chip is {} by what was fitted without its fold."
LESS_IS_BETTER = " Less is better."


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
    headers = ["", metric.title, "95 % interval", "difference", *further, "optimism", "in-sample", "seconds"]
    rows = [
        [
            f"* {evaluation.name}" if evaluation is chosen else f"  {evaluation.name}",
            f"{evaluation.cross_fitted:.4f}",
            f"{evaluation.interval[0]:.4f} to {evaluation.interval[1]:.4f}",
            _difference(evaluation, reference),
            *(column[row] for column in further.values()),
            f"{evaluation.optimism:+.4f}",
            f"{evaluation.in_sample:.4f}",
            f"{evaluation.seconds:.1f}",
        ]
        for row, evaluation in enumerate(evaluations)
    ]
    marked = [row for row, evaluation in enumerate(evaluations) if evaluation is chosen]
    figures = table(headers, rows, spare=["seconds", "in-sample", "optimism"], marked=marked)
    said = CROSS_FITTED.format(metric.title, "decided" if metric.judges == DECISIONS else "scored")
    difference = f"Differences are to {reference.name}, paired by chip, with their standard error."
    return f"{figures}\n\n{said}{'' if metric.sign > 0 else LESS_IS_BETTER}\n{difference}"


@dataclass(frozen=True, eq=False)
class LabelFigures:
    """The cross-fitted figures of labels.

    Attributes:
        evaluation: of the labels of `task`; its cuts are shown if it decides by cuts.
        ranking: of the scores of these labels.
        task: the labels, in the order of all columns.
    """

    evaluation: Evaluation
    ranking: Ranking
    task: Task

    @property
    def _columns(self) -> dict[str, NDArray[np.float64]]:
        """Every figure of all labels, by its name; the mean over labels of a cut says nothing, so it is the last."""
        found, ranking = self.evaluation.labels, self.ranking
        columns = dict[str, NDArray[np.float64]]()
        if found is not None:
            name = f"F{self.task.metric.beta:g}"
            columns = {name: found.f_beta, "precision": found.precision, "recall": found.recall}
        columns |= {"AP": ranking.average_precision, "AUC": ranking.roc_auc}
        columns |= {} if ranking.log_loss is None else {"log loss": ranking.log_loss}
        if found is not None and not self.task.is_multi_class:
            cuts = self.evaluation.fitted.cuts
            columns["cut"] = np.full(len(self.task.labels), np.nan) if cuts is None else cuts
        return columns

    def text(self) -> str:
        """Return them with one row per label, the rarest first, and their means."""
        columns, support = self._columns, self.ranking.support
        rarest = np.argsort(support, kind="stable")
        rows = [
            [
                self.task.labels[label],
                support[label],
                *("-" if np.isnan(column[label]) else f"{column[label]:.3f}" for column in columns.values()),
            ]
            for label in (rarest if len(rarest) <= SHOWN else [*rarest[: SHOWN // 2], *rarest[-SHOWN // 2 :]])
        ]
        if len(rarest) > SHOWN:
            rows.insert(SHOWN // 2, [f"... {len(rarest) - len(rows)} labels between", *[""] * (1 + len(columns))])
        means = ("" if name == "cut" else f"{macro(column):.3f}" for name, column in columns.items())
        rows.append(["mean over labels", "", *means])
        return table(["label", "chips", *columns], rows, spare=["AUC", "log loss"])

    def as_dict(self) -> dict[str, dict[str, float | None]]:
        """Return them by label and name, for JSON; None of what is not defined."""
        columns: dict[str, NDArray[Any]] = {"chips": self.ranking.support, **self._columns}
        return {
            label: {name: None if np.isnan(column[row]) else column[row].item() for name, column in columns.items()}
            for row, label in enumerate(self.task.labels)
        }


def reliability_table(reliability: Reliability) -> str:
    """Return the table of how often a label was there where scores said so."""
    columns = (reliability.low, reliability.count, reliability.mean_score, reliability.frequency)
    rows = [
        [f"from {low:.2f}", f"{count:,}", f"{said:.3f}", f"{true:.3f}"]
        for low, count, said, true in zip(*columns, strict=True)
    ]
    bins = table(["score", "scores", "mean", "label is there"], rows, "r")
    title = (
        "Calibration: what scores say, and how often the label is there. Where they mean what they say, both are equal."
    )
    return f"{title}\n\n{bins}\n\nExpected calibration error of all labels' scores: {reliability.error:.4f}."


def _difference(evaluation: Evaluation, reference: Evaluation) -> str:
    value, error = evaluation.over(reference)
    return f"{value:+.4f} ± {error:.4f}" if value or error else "-"
