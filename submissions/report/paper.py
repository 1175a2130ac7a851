"""The starting paper's table and figures, drawn for the models at hand.

Source: "Understanding the Amazon from Space", Stanford CS231n, 2017: its Table 1, Figure 4 and Figure 6.
"""

from __future__ import annotations

import numpy as np

from competition.common.text import counted
from submissions.evidence.evidence import Evidence
from submissions.evidence.labels import Label
from submissions.report.pictures import GRID, INK, MUTED, SERIES, Picture, canvas, shortened

PLANET = "planet"
# F2 on held-out chips, of one split; the paper's networks are frozen ones of 2015 with three dense layers.
OF_PAPER = {
    "baseline CNN": 0.836,
    "VGG-16": 0.897,
    "Inception-v3": 0.901,
    "ResNet-50": 0.907,
    "three ResNet-50, voting": 0.908,
}
MOST_LABELS = 30


def networks_rows(evidence: Evidence) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return each network's metric on the chips learnt and held out, as the paper's Table 1, as headers and rows."""
    title, given = evidence.workspace.competition.metric.title, evidence.given
    rows, members = list[tuple[str, ...]](), evidence.source.members
    for number in evidence.source.whole:
        name = members[number].name
        kept = [both for both in given.learnt.get(name, ()) if both is not None]
        learnt, heldout = np.mean(kept, axis=0) if kept else (np.nan, np.nan)
        figures = (f"{learnt:.4f}", f"{heldout:.4f}", f"{learnt - heldout:+.4f}") if kept else ("not kept", "–", "–")
        whole = evidence.at_prior_cut(evidence.source.chips.scores[number])
        rows.append((name, given.recipes.get(name, "–"), *figures, f"{whole:.4f}"))
    if evidence.workspace.competition.name == PLANET:
        rows += [(f"the paper's {name}", "–", "–", f"{value:.3f}", "–", "–") for name, value in OF_PAPER.items()]
    return (
        "network",
        "made by",
        f"{title}, chips learnt",
        f"{title}, held out",
        "difference",
        "held out, by its views",
    ), rows


def by_cuts_picture(evidence: Evidence, labels: list[Label]) -> Picture | None:
    """Return F-beta of each label under three ways of cutting, the most frequent first, as the paper's Figure 6."""
    if not evidence.by_cuts:
        return None
    beta = evidence.workspace.competition.metric.beta
    some = sorted((label for label in labels if label.support), key=lambda label: -label.support)
    shown = some[:MOST_LABELS]
    columns = [label.column for label in shown]
    places, height = np.arange(len(shown)), 1.5 + 0.3 * len(shown)
    with canvas(8.2, height) as drawn:
        axes = drawn.axes
        share = evidence.support[columns] / len(evidence.truth)
        axes.barh(places, share, color=GRID, height=0.8, label="share of chips")
        for number, (name, evaluation) in enumerate(evidence.by_cuts.items()):
            if (found := evaluation.labels) is None:
                continue
            values = found.f_beta[columns]
            axes.plot(
                values, places + 0.2 * (number - 1), "osD"[number], color=SERIES[number], label=name, markersize=5
            )
        axes.set_yticks(places, [shortened(label.name) for label in shown])
        axes.set(ylim=(len(shown) - 0.5, -0.5), xlim=(0, 1), xlabel=f"F{beta:g} of the label, cross-fitted")
        axes.grid(visible=False, axis="y")
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.7 / height), ncols=4, labelcolor=INK)
        left_out = f" The {len(shown)} most frequent of {len(some):,} labels." if len(shown) < len(some) else ""
        whose = "" if evidence.is_plain else "Of the plain mean of its members' scores. "
        words = ("cut", f"F{beta:g}", "precision", "recall")
        headers = ("label", "share", *(f"{name}: {word}" for name in evidence.by_cuts for word in words))
        return drawn.picture(
            "What cuts are worth, label by label",
            f"{whose}The most frequent label first; grey is its share of chips. What decides a chip as a whole may "
            f"give up rare labels that a cut of their own would find: they weigh little.{left_out}",
            headers,
            [_cells(evidence, label) for label in shown],
        )


def _cells(evidence: Evidence, label: Label) -> tuple[str, ...]:
    """Return a label's share of the chips, and under each way of cutting its cut and its figures."""
    cells = [label.name, f"{label.support / len(evidence.truth):.2%}"]
    for evaluation in evidence.by_cuts.values():
        if (found := evaluation.labels) is not None:
            figures = (found.f_beta, found.precision, found.recall)
            cells += [f"{evaluation.fitted.cuts[label.column]:.2f}"]
            cells += [f"{figure[label.column]:.3f}" for figure in figures]
    return tuple(cells)


def contours_picture(evidence: Evidence, labels: list[Label]) -> Picture | None:
    """Return the labels among the contours of F-beta over precision and recall, as the paper's Figure 4."""
    if (decided := evidence.subject.evaluation.labels) is None:
        return None
    beta = evidence.workspace.competition.metric.beta
    grid = np.linspace(0.01, 1, 100)
    precision, recall = np.meshgrid(grid, grid)
    values = (1 + beta**2) * precision * recall / (beta**2 * precision + recall)
    shown = [label for label in labels if label.support and not np.isnan(label.precision)]
    with canvas(5.4, 4.8) as drawn:
        axes = drawn.axes
        lines = axes.contour(precision, recall, values, levels=np.arange(0.1, 1, 0.1), colors=MUTED, linewidths=0.6)
        axes.clabel(lines, fontsize=7, fmt="%.1f")
        x, y = np.array([(label.precision, label.recall) for label in shown]).T if shown else np.zeros((2, 0))
        axes.scatter(
            x, y, s=14 + 60 * np.sqrt([label.support / len(evidence.truth) for label in shown]), color=SERIES[0]
        )
        for label in shown[:MOST_LABELS]:
            axes.annotate(
                shortened(label.name), (label.precision, label.recall), (4, 3), textcoords="offset points", fontsize=7
            )
        axes.grid(visible=False)
        axes.set(xlabel="precision", ylabel="recall", xlim=(0, 1.02), ylim=(0, 1.02))
        rows = [(w.name, f"{w.precision:.3f}", f"{w.recall:.3f}", f"{decided.f_beta[w.column]:.3f}") for w in shown]
        never = sum(bool(label.support) for label in labels) - len(shown)
        beside = f" Named are the worst {MOST_LABELS}." if len(shown) > MOST_LABELS else ""
        beside += f" Without a place: {counted(never, 'label')} that no chip was given." if never else ""
        return drawn.picture(
            f"Labels among the contours of F{beta:g}",
            f"A dot for each label, larger ones are more frequent. Along a line F{beta:g} is the same; what lies low "
            f"misses, what lies far left is decided too often.{beside}",
            ("label", "precision", "recall", f"F{beta:g}"),
            rows,
        )
