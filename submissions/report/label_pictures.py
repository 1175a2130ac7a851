"""The labels in pictures: their curves, what each loses, and what is mixed up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta as beta_distribution
from sklearn.metrics import precision_recall_curve, roc_curve

from competition.spec.competition import Competition
from submissions.evidence import quality
from submissions.evidence.evidence import Evidence
from submissions.evidence.labels import MANY, Label
from submissions.measure.reliability import reliability
from submissions.report.pictures import BAD, INK, MUTED, SERIES, Picture, canvas, more, shortened, thinned

MOST_DRAWN = MANY  # labels with curves of their own: a third each of the worst, the rarest and the most frequent
MOST_IN_GRID = 30  # labels of a picture of all of them


def drawn_labels(labels: list[Label]) -> list[Label]:
    """Return those that get curves: all, or of many the worst, the rarest and the most frequent; the worst first."""
    carried = [label for label in labels if label.support]
    if len(carried) <= MOST_DRAWN:
        return carried
    by_support = sorted(carried, key=lambda label: label.support)
    third = MOST_DRAWN // 3
    kept = {label.column for label in (*carried[:third], *by_support[:third], *by_support[-third:])}
    return [label for label in carried if label.column in kept]


def curves(evidence: Evidence, label: Label) -> list[Picture]:
    """Return the pictures of one label: precision and recall, its figure by the cut or the ROC curve, and reliability.

    A chip of a multi-class competition is given its likeliest label, whatever the cuts.
    """
    is_cut = evidence.decides and not evidence.workspace.competition.is_multi_class
    second = cut_picture if is_cut else roc_picture
    return [precision_recall(evidence, label), second(evidence, label), reliability_picture(evidence, label)]


def precision_recall(evidence: Evidence, label: Label) -> Picture:
    """Return the precision-recall curve of a label, with what was decided marked."""
    truth, scores = evidence.truth[:, label.column], evidence.scores[:, label.column]
    precision, recall, _ = precision_recall_curve(truth, scores)
    precision, recall = _along(recall, precision)
    with canvas(3.6, 2.8) as drawn:
        axes = drawn.axes
        axes.plot(recall, precision, color=SERIES[0])
        axes.axhline(truth.mean(), color=MUTED, linewidth=1, linestyle=":")
        if not np.isnan(label.precision):
            axes.plot(label.recall, label.precision, "D", color=BAD, markersize=7)
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
        rows = _points(recall, precision)
        return drawn.picture(
            f"{label.name}: precision and recall",
            f"Average precision {cell(label.average_precision)}. {_diamond(evidence, label)} The dotted line is a "
            "guess: its share of chips.",
            ("recall", "precision"),
            rows,
        )


def _diamond(evidence: Evidence, label: Label) -> str:
    if np.isnan(label.precision):
        return "No chip was given it."
    said = f"precision {cell(label.precision)}, recall {cell(label.recall)}"
    return f"The diamond is {_decided(evidence)}: {said}."


def _decided(evidence: Evidence) -> str:
    return "what was decided" if evidence.decides else quality.decided_by(evidence.workspace.competition)


def _points(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[str, str]]:
    """Return some points of a curve, for the table of its data."""
    return [(f"{one:.3f}", f"{other:.3f}") for one, other in zip(*thinned(x, y, most=15), strict=True)]


def _along(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a curve at evenly spaced x: the places of thinned points would follow the ties of the scores instead."""
    order = np.lexsort((y, x))
    x, y = x[order], y[order]
    places = np.unique(np.searchsorted(x, np.linspace(0, 1, 121), side="right").clip(1, len(x)) - 1)
    return y[places], x[places]


def cut_picture(evidence: Evidence, label: Label) -> Picture:
    """Return what the metric judges of a label, by the cut: on all chips, and by the best one of each fold's others."""
    competition = evidence.workspace.competition
    truth, scores = evidence.truth[:, label.column], evidence.plain_scores[:, label.column]
    cuts = np.unique(np.concatenate([np.linspace(0.01, 0.99, 99), np.quantile(scores, [0.001, 0.01, 0.99, 0.999])]))
    every = _by_cut(truth, scores, cuts, competition)
    by_fold = [
        (_by_cut(truth[rest], scores[rest], cuts, competition).argmax(), _counts(truth[held], scores[held], cuts))
        for fold in np.unique(evidence.folds)
        for held, rest in [(evidence.folds == fold, evidence.folds != fold)]
    ]
    hits, decided, carried = np.sum([np.array(counted)[:, place] for place, counted in by_fold], axis=0)
    crossed = float(quality.of_counts(hits, decided, carried, len(truth), competition))
    name, chosen = quality.title_of(competition), cuts[every.argmax()]
    with canvas(3.6, 2.8) as drawn:
        axes = drawn.axes
        axes.plot(cuts, every, color=SERIES[0], label="in-sample")
        axes.axhline(crossed, color=SERIES[1], linestyle="--", label="best cut, cross-fitted")
        axes.plot([cuts[place] for place, _ in by_fold], [crossed] * len(by_fold), "|", color=SERIES[1], markersize=9)
        if in_use := not np.isnan(label.cut) and evidence.is_plain:
            axes.axvline(label.cut, color=BAD, linewidth=1.2, label="cut in use")
        axes.set(xlabel="cut", ylabel=name, xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(loc="best", fontsize=8)
        rows = _points(cuts, every)
        whose = "" if evidence.is_plain else "Of the plain mean of its members' scores: "
        used = f" In use: decided from {label.cut:.3f} on." if in_use else ""
        return drawn.picture(
            f"{label.name}: {name} by the cut",
            f"{whose}Best in-sample {every.max():.3f} at {chosen:.2f}; cross-fitted, each fold by the others' best "
            f"(marks), {crossed:.3f}.{used}",
            ("cut", name),
            rows,
        )


def _counts(
    truth: NDArray[np.bool_], scores: NDArray[np.floating], cuts: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return hits, chips decided and chips carrying the label, by the cut, each (num_cuts,)."""
    there, every = np.sort(scores[truth]), np.sort(scores)
    hits = len(there) - np.searchsorted(there, cuts, side="left")
    decided = len(every) - np.searchsorted(every, cuts, side="left")
    return hits, decided, np.full(len(cuts), len(there))


def _by_cut(
    truth: NDArray[np.bool_], scores: NDArray[np.floating], cuts: NDArray[np.float64], competition: Competition
) -> NDArray[np.float64]:
    """Return what the metric judges of a label by the cut (num_cuts,), 0 where it has no value."""
    return np.nan_to_num(quality.of_counts(*_counts(truth, scores, cuts), len(truth), competition))


def roc_picture(evidence: Evidence, label: Label) -> Picture:
    """Return the ROC curve of a label."""
    truth, scores = evidence.truth[:, label.column], evidence.scores[:, label.column]
    false, true, _ = roc_curve(truth, scores)
    true, false = _along(false, true)
    with canvas(3.6, 2.8) as drawn:
        axes = drawn.axes
        axes.plot(false, true, color=SERIES[0])
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":")
        axes.set(xlabel="share of false alarms", ylabel="recall", xlim=(0, 1), ylim=(0, 1.02))
        rows = _points(false, true)
        return drawn.picture(
            f"{label.name}: ROC curve",
            f"Area {cell(label.area)}. The dotted line is a guess.",
            ("false alarms", "recall"),
            rows,
        )


def reliability_picture(evidence: Evidence, label: Label) -> Picture:
    """Return whether a label is there as often as its scores say, with the number of chips behind each dot."""
    column = [label.column]
    bins = reliability(evidence.scores[:, column], evidence.truth[:, column])
    there = np.round(bins.frequency * bins.count)
    low = np.nan_to_num(beta_distribution.ppf(0.025, there, bins.count - there + 1), nan=0.0)
    high = np.nan_to_num(beta_distribution.ppf(0.975, there + 1, bins.count - there), nan=1.0)
    with canvas(3.6, 2.8) as drawn:
        axes = drawn.axes
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1)
        axes.vlines(bins.mean_score, low, high, color=SERIES[0], linewidth=1)
        axes.scatter(bins.mean_score, bins.frequency, s=8 + 8 * np.log10(bins.count), color=SERIES[0])
        axes.set(xlabel="score", ylabel="share that carries it", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        columns = zip(bins.low, bins.mean_score, bins.frequency, bins.count, strict=True)
        rows = [(f"from {low:.2f}", f"{said:.3f}", f"{true:.3f}", f"{many:,}") for low, said, true, many in columns]
        return drawn.picture(
            f"{label.name}: reliability",
            f"On the line scores mean what they say; expected calibration error {bins.error:.4f}. Whiskers: 95 % "
            "intervals by the chips of each bin, larger dots more chips.",
            ("scores", "mean score", "label is there", "chips"),
            rows,
        )


def loss_picture(evidence: Evidence, labels: list[Label]) -> Picture | None:
    """Return the log loss of each label beside that of knowing nothing of a chip; None where the metric is another."""
    competition = evidence.workspace.competition
    if competition.metric.name != quality.LOG_LOSS:
        return None
    ignorant, some = quality.ignorance(evidence.truth, competition), [label for label in labels if label.support]
    shown = some[:MOST_IN_GRID]
    with canvas(8.2, height := 1.4 + 0.24 * len(shown)) as drawn:
        axes, places = drawn.axes, np.arange(len(shown))
        axes.barh(places, [label.quality for label in shown], color=SERIES[0], height=0.6, alpha=0.8, label="log loss")
        axes.plot([ignorant[label.column] for label in shown], places, "D", color=SERIES[1], label="knowing its share")
        axes.set_yticks(places, [shortened(label.name) for label in shown])
        axes.set(ylim=(len(shown) - 0.5, -0.5), xlabel="log loss, cross-fitted (less is better)")
        axes.grid(visible=False, axis="y")
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.7 / height), ncols=2, labelcolor=INK)
        rows = [
            (
                label.name,
                f"{label.support:,}",
                f"{competition.metric.weights.get(label.name, 1):g}",
                f"{label.quality:.4f}",
                f"{ignorant[label.column]:.4f}",
                f"{label.calibration:.4f}",
            )
            for label in some
        ]
        return drawn.picture(
            "What each label loses",
            "A diamond is what scores lose that are the label's share of the chips, whatever the chip: a bar that "
            f"reaches it knows no more.{more(len(shown), len(some), 'labels')}",
            ("label", "chips", "weight", "log loss", "knowing its share", "calibration error"),
            rows,
        )


def mixed_up(evidence: Evidence, labels: list[Label]) -> Picture:
    """Return which labels were decided where which were true."""
    some = [label for label in labels if label.support]
    columns = sorted(label.column for label in some[:MOST_IN_GRID])
    truth, decided = evidence.truth[:, columns].astype(np.float32), evidence.decisions[:, columns].astype(np.float32)
    share = (truth.T @ decided) / np.maximum(truth.sum(axis=0), 1)[:, None]
    names = [evidence.labels[column] for column in columns]
    beside = f" The worst {len(names)} of {len(some):,} labels." if len(names) < len(some) else ""
    with canvas(1.9 + 0.27 * len(names), 1.7 + 0.24 * len(names)) as drawn:
        axes = drawn.axes
        for row, values in enumerate(share):
            for column, value in enumerate(values):
                if value >= 0.005:
                    axes.fill_between(
                        [column - 0.5, column + 0.5],
                        row - 0.5,
                        row + 0.5,
                        color=SERIES[0],
                        alpha=float(value),
                        linewidth=0,
                    )
        axes.grid(visible=False)
        axes.set_xticks(range(len(names)), map(shortened, names), rotation=90)
        axes.set_yticks(range(len(names)), map(shortened, names))
        axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5), xlabel="decided", ylabel="true")
        rows = [(name, *(f"{value:.2f}" for value in values)) for name, values in zip(names, share, strict=True)]
        return drawn.picture(
            "Decided against true",
            "Of the chips that carry the label of a row, the share that was given that of a column: the stronger the "
            f"colour, the more. On the diagonal lies recall; off it, labels that go together or are mixed up.{beside}",
            ("true, by row", *names),
            rows,
        )


def cell(value: float) -> str:
    """Return a figure as text, a dash where there is none."""
    return "–" if np.isnan(value) else f"{value:.3f}"


def support_rows(evidence: Evidence, labels: list[Label]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return how many chips of each fold carry each label, as headers and rows."""
    folds = np.unique(evidence.folds)
    counts = np.array([evidence.truth[evidence.folds == fold].sum(axis=0) for fold in folds])
    headers = ("label", "chips", "share", *(f"fold {fold}" for fold in folds))
    rows = [
        (
            label.name,
            f"{label.support:,}",
            f"{label.support / len(evidence.truth):.2%}",
            *(f"{count:,}" for count in counts[:, label.column]),
        )
        for label in sorted(labels, key=lambda label: -label.support)
    ]
    return headers, rows
