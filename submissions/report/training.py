"""How the models of a report have learnt: their curves, fold by fold, and how far the folds lie apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from submissions.evidence.evidence import Evidence
from submissions.evidence.given import Curve
from submissions.report.pictures import DASHES, MUTED, SERIES, Picture, canvas, shortened, thinned

MOST_MODELS = 8  # whose curves are drawn
ASIDE = "the inner ones, set aside of those to learn from (--monitor inner): those held out have no say"


def training_pictures(evidence: Evidence) -> list[tuple[str, list[Picture]]]:
    """Return the curves of each member that was trained in epochs: loss, metric and learning rate."""
    by_model = _by_model(evidence)
    title = evidence.workspace.competition.metric.title
    found = []
    for model, some in by_model[:MOST_MODELS]:
        loss = _pairs(some, f"{model}: loss", "loss", lambda curve: (curve.loss, curve.heldout_loss))
        metric = _pairs(some, f"{model}: {title}", title, lambda curve: (curve.metric, curve.heldout_metric))
        found.append((model, [loss, metric, _rates(some, model)]))
    return found


def left_out(evidence: Evidence) -> str:
    """Return which members have no curves here, and why, as sentences; "" if all have."""
    by_model, members = [model for model, _ in _by_model(evidence)], [member.name for member in evidence.source.members]
    lines, without = list[str](), [name for name in members if name not in by_model]
    if len(by_model) > MOST_MODELS:
        lines.append(f"Drawn are the first {MOST_MODELS}; not {', '.join(by_model[MOST_MODELS:])}.")
    if without:
        lines.append(f"Not trained in epochs here, so without curves: {', '.join(without)}.")
    return " ".join(lines)


def _by_model(evidence: Evidence) -> list[tuple[str, list[Curve]]]:
    """Return the members that were trained in epochs, with the curves of each."""
    members = [member.name for member in evidence.source.members]
    curves = [curve for curve in evidence.given.curves if curve.model in members]
    return [(model, list(some)) for model, some in groupby(curves, key=lambda curve: curve.model)]


def _pairs(
    curves: Sequence[Curve],
    title: str,
    what: str,
    of: Callable[[Curve], tuple[NDArray[np.float64], NDArray[np.float64]]],
) -> Picture:
    """Return a figure of the chips learnt (thin) and those that judge (bold) by the epoch, a line for each network."""
    is_inner = curves[0].monitor == "inner"
    with canvas(3.9, 2.8) as drawn:
        axes, rows = drawn.axes, []
        for curve in curves:
            colour = SERIES[curve.fold % len(SERIES)]
            learnt, heldout = of(curve)
            epochs = np.arange(1, len(learnt) + 1)
            label = f"fold {curve.fold}" if not curve.seed else None
            axes.plot(*thinned(epochs, learnt), color=colour, linewidth=0.8, linestyle=":")
            axes.plot(*thinned(epochs, heldout), color=colour, linestyle=DASHES[curve.seed % len(DASHES)], label=label)
            axes.plot(curve.best + 1, heldout[curve.best], "o", color=colour, markersize=4)
            best = curve.best
            rows.append((curve.fold, curve.seed, best + 1, len(learnt), f"{learnt[best]:.4f}", f"{heldout[best]:.4f}"))
        axes.set(xlabel="epoch", ylabel=what)
        axes.legend(fontsize=8)
        return drawn.picture(
            title,
            "A line for each network: dotted on the chips learnt, as training saw them, with dropout and views; whole "
            f"on {ASIDE if is_inner else 'those held out'}. A dot marks the best epoch, which is kept, alone or as "
            "one of those averaged.",
            ("fold", "seed", "best epoch", "epochs", "chips learnt", "inner" if is_inner else "held out"),
            rows,
        )


def _rates(curves: Sequence[Curve], model: str) -> Picture:
    with canvas(3.9, 2.8) as drawn:
        axes, rows = drawn.axes, []
        for curve in curves:
            epochs = np.arange(1, len(curve.learning_rate) + 1)
            if not curve.seed:
                axes.plot(*thinned(epochs, curve.learning_rate), color=SERIES[curve.fold % len(SERIES)], linewidth=1.2)
            first, last = curve.learning_rate[0], curve.learning_rate[-1]
            rows.append((curve.fold, curve.seed, f"{first:.2e}", f"{curve.learning_rate.max():.2e}", f"{last:.2e}"))
        axes.set(xlabel="epoch", ylabel="learning rate")
        return drawn.picture(
            f"{model}: learning rate",
            "The rate of the optimiser at the end of each epoch.",
            ("fold", "seed", "first", "highest", "last"),
            rows,
        )


def spread_picture(evidence: Evidence) -> Picture:
    """Return the metric of each member fold by fold."""
    folds = np.unique(evidence.folds)
    members = evidence.source.members
    metric = evidence.workspace.competition.metric
    values = {}
    for number in evidence.source.whole:
        scores = evidence.source.chips.scores[number]
        values[members[number].name] = np.array(
            [evidence.at_prior_cut(scores, evidence.folds == fold) for fold in folds], dtype=float
        )
    with canvas(6.2, 1.1 + 0.3 * len(values)) as drawn:
        axes, rows = drawn.axes, []
        for place, (name, by_fold) in enumerate(values.items()):
            axes.plot(by_fold, np.full(len(folds), place), "o", color=SERIES[0], alpha=0.75)
            axes.plot(by_fold.mean(), place, "|", color=MUTED, markersize=16)
            rows.append((name, *(f"{value:.4f}" for value in by_fold), f"{by_fold.std(ddof=1):.4f}"))
        axes.set_yticks(range(len(values)), map(shortened, values))
        axes.set_ylim(len(values) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"{metric.title} by the rule that learns nothing")
        return drawn.picture(
            "From fold to fold",
            "A dot for each fold, a bar for their mean. Folds differ as their chips do: what models share here is no "
            "difference between them.",
            ("member", *(f"fold {fold}" for fold in folds), "standard deviation"),
            rows,
        )
