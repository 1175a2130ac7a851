"""What a map is worth as a page: whiskers, curves and tables in one file that opens from the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from competition.common.files import write_text
from competition.common.text import counted
from submissions.report.pages import rendered
from submissions.report.pictures import BAD, INK, MUTED, SERIES, Picture, canvas, shortened, thinned
from submissions.truth.evaluation import MapEvaluation, OfLabel, shown

BINS = 10  # of scores, from 0 to 1
LEAST = 20  # cells of a bin, below which their share says nothing


def write_page(evaluation: MapEvaluation, path: Path) -> None:
    """Write the page."""
    names = [place.name for place in evaluation.places]
    labels, cells, regions = evaluation.by_label(), evaluation.by_cells(), evaluation.by_region()
    places = evaluation.by_place()
    content: dict[str, Any] = {
        "scenes": ", ".join(names) if len(names) <= 3 else counted(len(names), "scene"),
        "said": f"Decided by {'; '.join(dict.fromkeys(rule.title for rule in evaluation.rules))}.",
        "whiskers": whiskers(evaluation.labels),
        "headers": labels[0],
        "rows": labels[1],
        "cell_headers": cells[0],
        "cell_rows": cells[1],
        "region_headers": regions[0],
        "region_rows": regions[1],
        "place_headers": places[0],
        "place_rows": places[1],
        "curves": [(label.label, [precision_recall(label), reliability(label)]) for label in evaluation.labels],
        "notes": [*dict.fromkeys(note for rule in evaluation.rules for note in rule.notes), *evaluation.notes],
    }
    write_text(path, rendered("page.html", content, "submissions.truth"))


def whiskers(labels: tuple[OfLabel, ...]) -> Picture:
    """Return sensitivity and specificity of each label, with their intervals."""
    with canvas(7.6, 1.2 + 0.34 * len(labels)) as drawn:
        axes, rows = drawn.axes, list[tuple[str, ...]]()
        for number, name in enumerate(("sensitivity", "specificity")):
            places = np.arange(len(labels)) + 0.16 * (2 * number - 1)
            for place, one in zip(places, labels, strict=True):
                axes.plot(one.intervals[name], [place, place], color=SERIES[number], linewidth=1.4)
            values = [one.figures[name] for one in labels]
            axes.plot(values, places, "oD"[number], color=SERIES[number], label=name, markersize=5)
        for one in labels:
            cells = [(one.figures[name], *one.intervals[name]) for name in ("sensitivity", "specificity")]
            rows.append((one.label, *(shown(value) for cell in cells for value in cell)))
        axes.set_yticks(range(len(labels)), [shortened(one.label) for one in labels])
        axes.set(xlim=(-0.02, 1.02), ylim=(len(labels) - 0.5, -0.5), xlabel="share of cells")
        axes.grid(visible=False, axis="y")
        axes.legend(loc="lower center", bbox_to_anchor=(0.4, 1), ncols=2, labelcolor=INK, fontsize=8)
        return drawn.picture(
            "What is found, and what is left alone",
            "Sensitivity: of the cells that carry a label, the share that was decided. Specificity: of the others, the "
            "share that was not. Whiskers: 95 % intervals over blocks of ground; none where blocks are too few, or the "
            "share is 0 or 1.",
            ("label", "sensitivity", "from", "to", "specificity", "from", "to"),
            rows,
        )


def precision_recall(label: OfLabel) -> Picture:
    """Return the curve of precision and sensitivity of a label's scores, with what was decided marked."""
    false, true = np.cumsum(label.scores[:, ::-1], axis=1)
    changes = np.flatnonzero(np.diff(false + true, prepend=0))
    recall, precision = true[changes] / max(true[-1], 1), true[changes] / (false + true)[changes]
    recall, precision = thinned(recall, precision)
    share = true[-1] / max(false[-1] + true[-1], 1)
    with canvas(3.6, 2.8) as drawn:
        axes, now = drawn.axes, label.figures
        axes.plot(recall, precision, color=SERIES[0])
        axes.axhline(share, color=MUTED, linewidth=1, linestyle=":")
        axes.plot(now["sensitivity"], now["precision"], "D", color=BAD, markersize=7)
        axes.set(xlabel="sensitivity", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
        points = zip(*thinned(recall, precision, most=15), strict=True)
        return drawn.picture(
            f"{label.label}: precision and sensitivity",
            f"Average precision {shown(label.average_precision)}. The diamond is what was decided; the dotted line a "
            "guess: the share of cells that carry it.",
            ("sensitivity", "precision"),
            [(f"{one:.3f}", f"{other:.3f}") for one, other in points],
        )


def reliability(label: OfLabel) -> Picture:
    """Return whether a label is there as often as its scores say."""
    false, true = label.scores
    codes = len(true)
    bins = np.minimum(np.arange(codes) * BINS // max(codes - 1, 1), BINS - 1)
    many, there = (np.bincount(bins, weights=each, minlength=BINS) for each in (false + true, true))
    total = np.bincount(bins, weights=(false + true) * np.arange(codes) / max(codes - 1, 1), minlength=BINS)
    kept = np.flatnonzero(many >= LEAST)
    score, share = total[kept] / many[kept], there[kept] / many[kept]
    with canvas(3.6, 2.8) as drawn:
        axes = drawn.axes
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1)
        axes.scatter(score, share, s=8 + 8 * np.log10(many[kept]), color=SERIES[0])
        axes.set(xlabel="score", ylabel="share that carries it", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        rows = zip(score, share, many[kept], strict=True)
        return drawn.picture(
            f"{label.label}: reliability",
            "On the line scores mean what they say; larger dots are more cells. Below it they promise too much.",
            ("mean score", "share that carries it", "cells"),
            [(f"{one:.3f}", f"{other:.3f}", f"{cells:,.0f}") for one, other, cells in rows],
        )
