"""Evaluations as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from competition.common.text import counted
from competition.metrics import macro
from competition.spec import Competition
from submissions.choose.blending import Blend
from submissions.choose.compare import Comparison
from submissions.choose.cuts import ChosenCuts
from submissions.decide.rules import FIXED
from submissions.measure.evaluation import Evaluation, Ranking
from submissions.measure.reliability import Reliability
from submissions.measure.shake_up import SPLITS, ShakeUp

CHOICE = "Chosen: {}, the simplest within one standard error of the best."
CROSS_FITTED = "{} is cross-fitted: every chip is decided by what was fitted without its fold."


def cuts_text(made: ChosenCuts, competition: Competition) -> str:
    """Return everything to show of a model's cuts."""
    chosen = made.evaluations[made.rule]
    lines = [*made.notes, evaluation_table(made.evaluations.values(), made.evaluations[FIXED], chosen)]
    if is_part := len(made.labels) < len(competition.labels):
        scored = f"{counted(len(made.labels), 'label')} that {'is' if len(made.labels) == 1 else 'are'} scored"
        lines.append(f"{chosen.metric} is the mean over the {scored}.")
    lines.append(CHOICE.format(chosen.name))
    if competition.exclusive and not is_part:
        lines.append("These are cuts alone; `blend` also says what one label of every exclusive group costs.")
    return "\n".join([*lines, "", label_table(chosen, made.ranking, made.labels, competition, made.cuts)])


def blend_text(blend: Blend, competition: Competition) -> str:
    """Return everything to show of a blend."""
    chosen = blend.candidate.evaluation
    lines = [evaluation_table([chosen, *blend.others], blend.reference, chosen)] if blend.others else []
    rules = "with one label of every exclusive group" if blend.exclusive and competition.exclusive else "by cuts alone"
    lines += [f"Every row is decided as it would be submitted, {rules}.", *blend.notes, ""]
    labels = label_table(chosen, blend.ranking, competition.labels, competition, chosen.fitted.cuts)
    return "\n".join([*lines, labels, *_specialists(blend, competition), "", reliability_text(blend.reliability)])


def comparison_text(compared: Comparison, shaken: ShakeUp | None = None, top: int = 0) -> str:
    """Return the table of the candidates, the best first, and which of them to submit.

    Args:
        compared: the candidates.
        shaken: the shake-up, if it was simulated.
        top: how many rows to show, beside the chosen one and the reference; 0: all.
    """
    chosen, reference = compared.chosen.evaluation, compared.reference
    order = sorted(range(len(compared.candidates)), key=lambda i: -compared.candidates[i].evaluation.cross_fitted)
    kept = [
        i
        for place, i in enumerate(order)
        if not top or place < top or compared.candidates[i].evaluation.name in (chosen.name, reference.name)
    ]
    evaluations = [compared.candidates[i].evaluation for i in kept]
    beaten = {} if shaken is None else {"beaten": [f"{shaken.beats[i]:.0%}" for i in kept]}
    value, over = compared.choosing()
    lines = [
        evaluation_table(evaluations, reference, chosen, beaten),
        *([f"{len(order) - len(kept)} worse ones are not shown; --top 0 shows all."] if len(kept) < len(order) else []),
        CHOICE.format(chosen.name),
        f"The best of {len(order)} is partly the luckiest: choosing like this in each fold by the chips of the others "
        f"gives {value:.4f}, {over.value:+.4f} ± {over.error:.4f} against {reference.name}.",
    ]
    if shaken is not None:
        lines.append(
            f"Shake-up: {SPLITS:,} random splits, {shaken.public:.0%} of the chips public and the rest private. In "
            f"private the chosen one is the best in {shaken.best:.0%} of them, {shaken.chosen:.4f} in the mean; what "
            f"leads in public gets {shaken.leader:.4f}. `beaten`: how often the chosen one beats a row in private."
        )
    return "\n".join(lines)


def reliability_text(found: Reliability) -> str:
    """Return the table of how often a label was there where scores said so."""
    rows = [
        [f"from {low:.2f}", f"{count:,}", f"{said:.3f}", f"{true:.3f}"]
        for low, count, said, true in zip(found.low, found.count, found.said, found.found, strict=True)
    ]
    table = tabulate(rows, ["score", "scores", "mean", "label is there"], disable_numparse=True, colalign=["right"] * 4)
    return f"{table}\n\nExpected calibration error of all labels' scores: {found.error:.4f}."


def _specialists(blend: Blend, competition: Competition) -> Iterator[str]:
    for each in blend.specialists:
        yield f"\n{each.name} alone, by cuts, on the labels that it scores:\n"
        yield label_table(each.evaluation, each.ranking, each.labels, competition, each.evaluation.fitted.cuts)


def evaluation_table(
    evaluations: Iterable[Evaluation],
    reference: Evaluation,
    chosen: Evaluation | None = None,
    further: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Return a table with a row an evaluation.

    Args:
        evaluations: of the same chips.
        reference: what the differences are to.
        chosen: the evaluation to mark with a star.
        further: columns, a cell an evaluation, by heading.
    """
    evaluations, further = list(evaluations), further or {}
    metric = evaluations[0].metric
    headers = ["", metric, "95 % interval", f"less {reference.name}", "in-sample", "optimism", "seconds", *further]
    rows = [
        [
            f"* {each.name}" if each is chosen else f"  {each.name}",
            f"{each.cross_fitted:.4f}",
            f"{each.interval[0]:.4f} to {each.interval[1]:.4f}",
            _difference(each, reference),
            f"{each.in_sample:.4f}",
            f"{each.optimism:+.4f}",
            f"{each.seconds:.1f}",
            *(column[number] for column in further.values()),
        ]
        for number, each in enumerate(evaluations)
    ]
    aligned = ["left"] + ["right"] * (len(headers) - 1)
    table = tabulate(rows, headers, disable_numparse=True, preserve_whitespace=True, colalign=aligned)
    return f"{table}\n\n{CROSS_FITTED.format(metric)}"


def label_table(
    evaluation: Evaluation,
    ranking: Ranking,
    labels: Sequence[str],
    competition: Competition,
    cuts: NDArray[np.float64] | None,
) -> str:
    """Return the cross-fitted table by label, the rarest first, and the macro metrics.

    Args:
        evaluation: of `labels`.
        ranking: of their scores.
        labels: in the order of all columns.
        competition: gives the metric.
        cuts: float array (len(labels),); None if labels are not decided by cuts.
    """
    found, beta = evaluation.labels, f"F{competition.metric.beta:g}"
    shown = np.full(len(labels), np.nan) if cuts is None else cuts
    columns = [found.f_beta, found.precision, found.recall, ranking.average_precision, ranking.roc_auc, shown]
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


def _difference(evaluation: Evaluation, reference: Evaluation) -> str:
    value, error = evaluation.over(reference)
    return f"{value:+.4f} ± {error:.4f}" if value or error else "-"
