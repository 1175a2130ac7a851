"""Evaluations as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from competition.labels import counted
from competition.metrics import macro
from competition.spec import Competition
from submissions.blending import Blend
from submissions.cuts import ChosenCuts
from submissions.evaluate import Evaluation, Ranking


def cuts_text(made: ChosenCuts, competition: Competition) -> str:
    """Return everything to show of a model's cuts."""
    chosen = made.evaluations[made.rule]
    reference = next(iter(made.evaluations.values())).name
    table = evaluation_table(made.evaluations.values(), reference=reference, chosen=chosen.name)
    lines = [*made.notes, table]
    if is_part := len(made.labels) < len(competition.labels):
        scored = f"{counted(len(made.labels), 'label')} that {'is' if len(made.labels) == 1 else 'are'} scored"
        lines.append(f"{chosen.metric} is the mean over the {scored}.")
    lines.append(f"Chosen: {chosen.name}. Another rule must beat {reference} by more than one standard error.")
    if competition.exclusive and not is_part:
        lines.append("These are cuts alone; `blend` also says what one label of every exclusive group costs.")
    return "\n".join([*lines, "", label_table(chosen, made.ranking, made.labels, competition, made.cuts)])


def blend_text(blend: Blend, competition: Competition) -> str:
    """Return everything to show of a blend."""
    evaluations = [blend.evaluation, *blend.others]
    table = evaluation_table(evaluations, reference=blend.reference, chosen=blend.evaluation.name)
    rules = "with one label of every exclusive group" if blend.exclusive and competition.exclusive else "by cuts alone"
    decided = f"Every row is decided as it would be submitted, {rules}."
    labels = label_table(blend.evaluation, blend.ranking, competition.labels, competition, blend.cuts)
    return "\n".join([table, decided, *blend.notes, "", labels, *_specialists(blend, competition)])


def _specialists(blend: Blend, competition: Competition) -> Iterator[str]:
    for each in blend.specialists:
        yield f"\n{each.name} alone, by cuts, on the labels that it scores:\n"
        yield label_table(each.evaluation, each.ranking, each.labels, competition, each.evaluation.fitted.cuts)


def evaluation_table(evaluations: Iterable[Evaluation], *, reference: str, chosen: str | None = None) -> str:
    """Return a table with a row an evaluation.

    Args:
        evaluations: of the same chips.
        reference: name of what the differences are to.
        chosen: name of the evaluation to mark with a star.
    """
    evaluations = list(evaluations)
    metric = evaluations[0].metric
    headers = ["", metric, "95 % interval", f"less {reference}", "in-sample", "optimism", "seconds"]
    rows = [
        [
            f"* {each.name}" if each.name == chosen else f"  {each.name}",
            f"{each.cross_fitted:.4f}",
            f"{each.interval[0]:.4f} to {each.interval[1]:.4f}",
            _difference(each),
            f"{each.in_sample:.4f}",
            f"{each.optimism:+.4f}",
            f"{each.seconds:.1f}",
        ]
        for each in evaluations
    ]
    table = tabulate(rows, headers, disable_numparse=True, preserve_whitespace=True, colalign=["left"] + ["right"] * 6)
    return f"{table}\n\n{metric} is cross-fitted: every chip is decided by cuts that were made without its fold."


def label_table(
    evaluation: Evaluation,
    ranking: Ranking,
    labels: Sequence[str],
    competition: Competition,
    cuts: NDArray[np.float64],
) -> str:
    """Return the cross-fitted table by label, the rarest first, and the macro metrics.

    Args:
        evaluation: of `labels`.
        ranking: of their scores.
        labels: in the order of all columns.
        competition: gives the metric.
        cuts: float array (len(labels),).
    """
    found, beta = evaluation.labels, f"F{competition.metric.beta:g}"
    columns = [found.f_beta, found.precision, found.recall, ranking.average_precision, ranking.roc_auc, cuts]
    rows = [
        [
            labels[i],
            found.support[i],
            *("-" if np.isnan(column[i]) else f"{column[i]:.3f}" for column in columns),
        ]
        for i in np.argsort(found.support, kind="stable")
    ]
    means = [f"{macro(column):.3f}" for column in columns[:-1]]
    rows.append(["mean over labels", "", *means, ""])
    headers = ["label", "chips", beta, "precision", "recall", "average precision", "AUC", "cut"]
    return tabulate(rows, headers, disable_numparse=True, colalign=["left"] + ["right"] * 7)


def _difference(evaluation: Evaluation) -> str:
    if evaluation.difference is None:
        return ""
    if not evaluation.standard_error and not evaluation.difference:
        return "-"
    return f"{evaluation.difference:+.4f} ± {evaluation.standard_error:.4f}"
