"""The members in pictures: what each adds and weighs, label by label, whose errors are alike, how rules flatter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from submissions.evidence import quality
from submissions.evidence.evidence import Evidence
from submissions.evidence.labels import Label
from submissions.evidence.members import Worth
from submissions.report.label_pictures import MOST_IN_GRID, cell
from submissions.report.pictures import BAD, GOOD, GRID, INK, MUTED, SERIES, Picture, canvas, more, shortened

TINY = 1e-6
MOST = 16  # members, or rules, of a picture
ALIKE = 0.95  # correlation of losses from which two members are nearly one


def worth_picture(evidence: Evidence, found: list[Worth]) -> Picture:
    """Return what each member brings, as bars with their errors."""
    title = evidence.workspace.competition.metric.title
    shown = found[: MOST // 2] + found[max(MOST // 2, len(found) - MOST // 2) :]
    with canvas(6.2, 1.1 + 0.3 * len(shown)) as drawn:
        axes, places = drawn.axes, range(len(shown))
        for place, worth in zip(places, shown, strict=True):
            colour = MUTED if worth.can_go else GOOD
            axes.barh(place, worth.lost, color=colour, height=0.55, alpha=0.7)
            axes.plot([worth.lost - worth.error, worth.lost + worth.error], [place, place], color=SERIES[0])
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.set_yticks(places, [shortened(worth.name) for worth in shown])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"{title} lost without it")
        rows = [(w.name, f"{w.lost:+.4f}", f"{w.error:.4f}", "yes" if w.can_go else "no") for w in found]
        return drawn.picture(
            "What each member adds",
            "Of the mean of all members, by one uniform cut or calibrated: what is lost without one, with the standard "
            "error of the paired difference. A grey bar is within one error of nothing, or below: that member can go."
            f"{more(len(shown), len(found), 'members')}",
            ("member", f"{title} lost", "standard error", "can go"),
            rows,
        )


def alike_picture(evidence: Evidence) -> Picture | None:
    """Return how far the members fail on the same chips; None for a single one."""
    source = evidence.source
    whole = source.whole
    if len(whole) < 2:
        return None
    losses = np.array([_losses(source.chips.scores[number], evidence.truth) for number in whole])
    with np.errstate(invalid="ignore"):
        correlation = np.nan_to_num(np.corrcoef(losses))  # of losses that are all alike there is none
    names = [source.members[number].name for number in whole]
    shown = names[:MOST]
    with canvas(2.6 + 0.5 * len(shown), 1.9 + 0.38 * len(shown)) as drawn:
        axes = drawn.axes
        for row, values in enumerate(correlation[:MOST]):
            for column, value in enumerate(values[:MOST]):
                colour = BAD if value >= ALIKE and row != column else SERIES[0]
                strength = float(np.clip(value, 0.02, 1)) * 0.8
                axes.fill_between(
                    [column - 0.5, column + 0.5], row - 0.5, row + 0.5, color=colour, alpha=strength, linewidth=0
                )
                axes.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8)
        axes.grid(visible=False)
        axes.set_xticks(range(len(shown)), map(shortened, shown), rotation=45, ha="right")
        axes.set_yticks(range(len(shown)), map(shortened, shown))
        axes.set(xlim=(-0.5, len(shown) - 0.5), ylim=(len(shown) - 0.5, -0.5))
        rows = [(name, *(f"{value:.3f}" for value in values)) for name, values in zip(names, correlation, strict=True)]
        return drawn.picture(
            "Whose errors are alike",
            "Correlation of the members' log losses, chip by chip. The lower, the more two add to each other; from "
            f"{ALIKE} on (marked) they are nearly one.{more(len(shown), len(names), 'members')}",
            ("", *names),
            rows,
        )


def _losses(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the log loss of each chip (num_chips,)."""
    likely = np.clip(np.where(truth, scores, 1 - scores), TINY, 1)
    losses: NDArray[np.float64] = -np.log(likely).mean(axis=1)
    return losses


def members_by_label(evidence: Evidence, labels: list[Label]) -> Picture:
    """Return what the scores of every member are worth, label by label, the worst labels first."""
    some = [label for label in labels if label.support]
    shown, members = some[:MOST_IN_GRID], evidence.source.members
    columns = [label.column for label in shown]
    values = np.array([evidence.by_member(member.name)[columns] for member in members])
    competition, what = evidence.workspace.competition, "average precision"
    what = what if evidence.decides else quality.title_of(competition)
    with canvas(8.2, height := 1.4 + 0.22 * len(shown)) as drawn:
        axes = drawn.axes
        places = np.arange(len(shown))
        axes.hlines(places, *_ends(values), color=GRID, linewidth=3)
        for number, member in enumerate(members[: len(SERIES)]):
            mark = "osD^vPX*"[number]
            axes.plot(values[number], places, mark, color=SERIES[number], label=shortened(member.name), markersize=5)
        axes.set_yticks(places, [shortened(label.name) for label in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"{what} of the out-of-fold scores{'' if competition.metric.sign > 0 else ' (less is better)'}")
        axes.legend(loc="upper center", bbox_to_anchor=(0.45, -0.7 / height), ncols=2, labelcolor=INK)
        names = [member.name for member in members]
        beside = f" The worst {len(shown)} of {len(some):,} labels." if len(shown) < len(some) else ""
        rows = [
            (label.name, f"{label.support:,}", *(cell(value) for value in values[:, place]))
            for place, label in enumerate(shown)
        ]
        return drawn.picture(
            "Models against each other, label by label",
            f"By {what}; the worst labels of what is looked at closely come first.{beside}"
            f"{more(min(len(members), len(SERIES)), len(members), 'members')}",
            ("label", "chips", *names),
            rows,
        )


def _ends(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the largest of values (num_members, num_labels) that are not NaN; NaN of none."""
    known = ~np.isnan(values)
    low, high = np.where(known, values, np.inf).min(axis=0), np.where(known, values, -np.inf).max(axis=0)
    return np.where(known.any(axis=0), low, np.nan), np.where(known.any(axis=0), high, np.nan)


def weights_rows(evidence: Evidence) -> tuple[tuple[str, ...], list[tuple[str, ...]]] | None:
    """Return the weights by which the best weighted blend takes its members, as headers and rows; None without one.

    Of weights by label, their mean, the least and the largest.
    """
    weighted = [c for c in evidence.comparison.candidates if getattr(c.combined.fitted, "weights", None) is not None]
    if not weighted:
        return None
    best = max(weighted, key=lambda candidate: candidate.evaluation.gain)
    weights = np.asarray(best.combined.fitted.weights, dtype=float)
    weights = weights[:, None] if weights.ndim == 1 else weights
    rows = [
        (member.name, f"{own.mean():.3f}", *(() if weights.shape[1] == 1 else (f"{own.min():.3f}", f"{own.max():.3f}")))
        for member, own in zip(best.members, weights, strict=True)
    ]
    headers = ("member", "weight") if weights.shape[1] == 1 else ("member", "mean weight", "least", "largest by label")
    return (f"{headers[0]} of {best.evaluation.name}", *headers[1:]), rows


def optimism_picture(evidence: Evidence) -> Picture | None:
    """Return how much better rules look on the chips that they were fitted on; None where none was fitted on any."""
    candidates = [c for c in evidence.comparison.candidates if c.evaluation.fitted is not None]
    in_order = sorted(candidates, key=lambda candidate: -candidate.evaluation.optimism)
    shown = in_order[:MOST]
    if not any(candidate.evaluation.optimism for candidate in candidates):
        return None
    title = evidence.workspace.competition.metric.title
    with canvas(6.6, 1.1 + 0.22 * len(shown)) as drawn:
        axes = drawn.axes
        axes.barh(range(len(shown)), [c.evaluation.optimism for c in shown], color=SERIES[1], height=0.6, alpha=0.8)
        axes.axvline(0, color=MUTED, linewidth=1)
        axes.set_yticks(range(len(shown)), [shortened(c.evaluation.name) for c in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"in-sample less cross-fitted {title}")
        rows = [
            (e.name, f"{e.in_sample:.4f}", f"{e.cross_fitted:.4f}", f"{e.optimism:+.4f}")
            for e in (candidate.evaluation for candidate in in_order)
        ]
        return drawn.picture(
            "Optimism of the rules",
            "How much better each looks on the chips that it was fitted on than on others: the more a rule fits, "
            f"the more it flatters itself.{more(len(shown), len(in_order), 'candidates')}",
            ("", "in-sample", "cross-fitted", "optimism"),
            rows,
        )
