"""The first part of a report: what is best and by how much beyond noise, and whether the leaderboard agrees."""

from __future__ import annotations

import shlex
from typing import NamedTuple

import numpy as np

from competition.common.errors import spelled
from competition.common.text import counted, day
from competition.spec.metric import DECISIONS
from submissions.choose.candidates import Candidate
from submissions.evidence.evidence import Evidence, is_large
from submissions.measure.evaluation import Evaluation
from submissions.members.blend_files import written_as
from submissions.report.pictures import GRID, INK, MUTED, SERIES, Picture, canvas, more, shortened
from submissions.submit.entry import Entry
from submissions.submit.leaderboard import BOARDS, correlate
from submissions.submit.provenance import known_submissions

MOST_ROWS = 24  # of the comparison that is drawn
MOST_OFF = 3  # submissions that are named where they are out of line
WITHIN = 1.96  # standard errors of an interval of 95 %


class Ranked(NamedTuple):
    """A row of the comparison.

    Attributes:
        candidate: what it is.
        error: standard error of the paired difference to the best.
        is_near: whether it is within that of the best.
    """

    candidate: Candidate
    error: float
    is_near: bool


def ranked(evidence: Evidence) -> list[Ranked]:
    """Return what was compared, the best first, and what cannot be told from the best."""
    comparison, rows = evidence.comparison, list[Ranked]()
    best = comparison.best.evaluation
    for candidate in sorted(comparison.candidates, key=lambda candidate: -candidate.evaluation.gain):
        difference, error = candidate.evaluation.over(best)
        rows.append(Ranked(candidate, error, abs(difference) <= error or candidate.evaluation is best))
    return rows


def comparison_picture(evidence: Evidence) -> Picture:
    """Return the comparison as dots and whiskers, the best at the top."""
    every = ranked(evidence)
    chosen = evidence.comparison.chosen
    shown = [row for place, row in enumerate(every) if place < MOST_ROWS or row.candidate is chosen]
    metric = evidence.workspace.competition.metric
    with canvas(8.2, 1.0 + 0.21 * len(shown)) as drawn:
        axes = drawn.axes
        for place, row in enumerate(shown):
            evaluation = row.candidate.evaluation
            colour = SERIES[0] if row.is_near else MUTED
            axes.plot(evaluation.interval, [place, place], color=colour, linewidth=1)
            value = evaluation.cross_fitted
            axes.plot([value - row.error, value + row.error], [place, place], color=colour, linewidth=4)
            mark = "D" if row.candidate is chosen else "o"
            axes.plot(value, place, mark, color=colour, markersize=6 if mark == "D" else 5)
            if row.is_near:
                axes.axhspan(place - 0.5, place + 0.5, facecolor=GRID, alpha=0.45, linewidth=0)
        axes.set_yticks(range(len(shown)), [shortened(row.candidate.evaluation.name) for row in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(f"{metric.title}, cross-fitted{'' if metric.sign > 0 else ' (less is better)'}")
        headers = ("", metric.title, "95 % interval", "less the best", "in-sample", "optimism", "within one error")
        return drawn.picture(
            f"{metric.title} of models and blends",
            "A dot is the cross-fitted metric, a diamond the one chosen. The thin line is its 95 % interval, "
            "the thick one a standard error of the paired difference to the best. What lies on the shaded ground is "
            "within one such error of the best: it cannot be told from it."
            f"{more(len(shown), len(every), 'candidates')}",
            headers,
            [_cells(row.candidate.evaluation, every[0].candidate.evaluation, is_near=row.is_near) for row in every],
        )


def _cells(evaluation: Evaluation, best: Evaluation, *, is_near: bool) -> tuple[str, ...]:
    low, high = evaluation.interval
    return (
        evaluation.name,
        f"{evaluation.cross_fitted:.4f}",
        f"{low:.4f} to {high:.4f}",
        "best" if evaluation is best else _signed(evaluation, best),
        f"{evaluation.in_sample:.4f}",
        f"{evaluation.optimism:+.4f}",
        "yes" if is_near else "no",
    )


def _signed(evaluation: Evaluation, other: Evaluation) -> str:
    value, error = evaluation.over(other)
    return f"{value:+.4f} ± {error:.4f}"


def best_single(evidence: Evidence) -> Candidate | None:
    """Return the best of what is made of one member; None where every candidate blends several."""
    alone = [candidate for candidate in evidence.comparison.candidates if len(candidate.members) == 1]
    return max(alone, key=lambda candidate: candidate.evaluation.gain, default=None)


def rival_of(evidence: Evidence, single: Candidate) -> Candidate:
    """Return what the best single model is held against: the best, of a great many scores that by the same rule.

    Single models are measured there by cheap rules alone, and what others would bring is nothing that blending does.
    """
    if not is_large(evidence.source):
        return evidence.comparison.best
    alike = [candidate for candidate in evidence.comparison.candidates if candidate.rule == single.rule]
    return max(alike, key=lambda candidate: candidate.evaluation.gain)


def compared_line(evidence: Evidence) -> str:
    """Return what was compared, as a sentence."""
    if not is_large(evidence.source):
        return "Every model, and blends of all of them by the usual methods and rules;"
    cells = evidence.truth.size / 1e6
    return (
        f"With {cells:.0f} million scores of each, blends by weights and cuts by label for every model would take "
        "minutes: every model by the cheap rules, and the mean of all by the usual ones;"
    )


def choosing_line(evidence: Evidence) -> str:
    """Return what the choosing is worth, as a sentence."""
    comparison = evidence.comparison
    if len(comparison.candidates) < 2:
        return ""
    value, (difference, error) = comparison.choosing()
    return (
        f"The best of {len(comparison.candidates)} is partly the luckiest: choosing like this in each fold by the "
        f"chips of the others gives {value:.4f}, {difference:+.4f} ± {error:.4f} against {comparison.reference.name}."
    )


def leaderboard_line(evidence: Evidence) -> str:
    """Return whether the leaderboard is in line with cross-fitting, as a sentence."""
    both = _on_both(evidence)
    if not both:
        return "No submission has a score on the leaderboard yet."
    noise = public_noise(evidence)
    off = [entry for entry in both if abs(float(entry.public or 0) - float(entry.cross_fitted or 0)) > WITHIN * noise]
    number = len(both) - len(off)
    line = (
        f"Of {counted(len(both), 'scored submission')} {number:,} {'is' if number == 1 else 'are'} in line with it: "
        f"within {WITHIN:g} standard errors, each {noise:.4f}, of cross-fitting and a public part of this size."
    )
    return " ".join([line, *map(_further_off, off[-MOST_OFF:])])


def _further_off(entry: Entry) -> str:
    private = "" if entry.private is None else f"; in private it has {entry.private:.4f}"
    said = f"has {entry.public:.4f} in public where cross-fitting said {entry.cross_fitted:.4f}{private}"
    return f"Further off than chance explains: {entry.name} {said}."


def _on_both(evidence: Evidence) -> list[Entry]:
    """Return the submissions with a cross-fitted score and one of the public leaderboard."""
    return [entry for entry in evidence.entries if entry.cross_fitted is not None and entry.public is not None]


def correlation_line(evidence: Evidence) -> str:
    """Return how far cross-fitted scores foretell the leaderboard, as a sentence; "" of too few."""
    found = correlate(evidence.entries, BOARDS[0])
    return "" if found.pearson is None else found.text(BOARDS[0])


def runner_up(evidence: Evidence) -> Candidate | None:
    """Return the best of another single model than the best one; None where there is no other."""
    first = best_single(evidence)
    others = [
        candidate
        for candidate in evidence.comparison.candidates
        if first is not None and len(candidate.members) == 1 and candidate.members[0] is not first.members[0]
    ]
    return max(others, key=lambda candidate: candidate.evaluation.gain, default=None)


def public_noise(evidence: Evidence) -> float:
    """Return the standard error of the metric on as many chips as the public part of the leaderboard may have.

    A third of the chips to predict, where nothing else is known: as Planet's 34 %.
    """
    num_public = max(1, evidence.num_test // 3)
    spread = float(np.std(evidence.subject.evaluation.resampled, ddof=1))
    return spread * float(np.sqrt(len(evidence.truth) / num_public + 1))


def leaderboard_picture(evidence: Evidence) -> Picture | None:
    """Return cross-fitted scores against those of the leaderboard; None where no submission has both."""
    both = _on_both(evidence)
    if not both:
        return None
    noise = public_noise(evidence)
    ours = np.array([entry.cross_fitted for entry in both], dtype=float)
    public = np.array([entry.public for entry in both], dtype=float)
    private = np.array([np.nan if entry.private is None else entry.private for entry in both], dtype=float)
    with canvas(5.2, 4.2) as drawn:
        axes = drawn.axes
        everything = np.concatenate([ours, public, private])
        low, high = np.nanmin(everything) - 2 * noise, np.nanmax(everything) + 2 * noise
        line = np.array([low, high])
        axes.fill_between(line, line - WITHIN * noise, line + WITHIN * noise, color=GRID, alpha=0.6, linewidth=0)
        axes.plot(line, line, color=MUTED, linewidth=1)
        axes.plot(ours, public, "o", color=SERIES[0], label="public")
        if not np.isnan(private).all():
            axes.plot(ours, private, "s", color=SERIES[1], label="private")
        for place, entry in enumerate(both[-8:], len(both) - len(both[-8:])):
            axes.annotate(entry.name[:24], (ours[place], public[place]), (5, 4), textcoords="offset points", color=INK)
        axes.set_xlabel("cross-fitted")
        axes.set_ylabel("leaderboard")
        axes.legend()
        rows = [(entry.name, f"{entry.cross_fitted:.4f}", *_on_boards(entry)) for entry in both]
        return drawn.picture(
            "Cross-fitted against the leaderboard",
            "Every submission with both scores. On the line both agree; the shaded band is where 95 % would lie by "
            "chance alone, with a public part of a third of the chips to predict.",
            ("submission", "cross-fitted", "public", "private"),
            rows,
        )


def _on_boards(entry: Entry) -> tuple[str, str]:
    """Return the public and the private score as text; "" where there is none."""
    public, private = ("" if value is None else f"{value:.5f}" for value in (entry.public, entry.private))
    return public, private


def data_rows(evidence: Evidence) -> list[tuple[str, str]]:
    """Return what the chain stands on, as lines of a table."""
    workspace, source = evidence.workspace, evidence.source
    competition, truth = workspace.competition, evidence.truth
    beside = len(workspace.labelled.image_names) - len(truth)
    folds, turned = np.bincount(evidence.folds), workspace.num_corrected
    return [
        ("competition", f"{competition.title}, judged by {competition.metric.title}"),
        ("labelled chips", f"{len(truth):,}" + (f", without {beside:,} that a member lacks" if beside else "")),
        ("chips to predict", f"{evidence.num_test:,}"),
        *([("labels corrected", f"{turned:,}, by which models learn and are judged")] if turned else []),
        ("labels", f"{len(evidence.labels):,}; {truth.sum(axis=1).mean():.2f} a chip"),
        ("folds", f"{len(folds)}, of {folds.min():,} to {folds.max():,} chips; digest {source.chips.fold_digest[:8]}"),
        ("members", ", ".join(member.name for member in source.members)),
        ("looked at closely", evidence.subject.evaluation.name),
        *_as_written(evidence),
        ("judged", "decided labels" if competition.metric.judges == DECISIONS else "scores, nothing is decided"),
    ]


def _as_written(evidence: Evidence) -> list[tuple[str, str]]:
    """Return what was said of a named blend when it was written: its rules learnt then without each pair of folds."""
    written = written_as(evidence.subject.members[0].folder) if len(evidence.subject.members) == 1 else None
    if written is None:
        return []
    figures = written.figures[0]
    return [("when it was written", f"{figures['name']}: {figures['metric']} {figures['cross_fitted']:.4f}")]


def submission_rows(evidence: Evidence) -> list[tuple[str, ...]]:
    """Return the ledger as rows: when, name, cross-fitted, public, private, state."""
    rows = list[tuple[str, ...]]()
    for entry in evidence.entries:
        ours = "" if entry.cross_fitted is None else f"{entry.cross_fitted:.4f}"
        rows.append((day(entry.when), entry.name, ours, *_on_boards(entry), entry.state))
    return rows


def what_next(evidence: Evidence) -> tuple[str, str]:
    """Return the command that is likely to bring most, and why."""
    names = ",".join(member.name for member in evidence.source.members)
    chosen = evidence.comparison.chosen
    if not (chosen.method == "mean" and len(chosen.members) == 1):
        return spelled(f"blend --auto --members {names} --name best"), "Blended, they are better than alone."
    if ready := _ready(evidence):
        name, value = ready
        why = f"A checked file is ready, cross-fitted {value:.4f}, and was not submitted: Kaggle can say more of it."
        return spelled(f"submit {shlex.quote(name)} --dry-run"), why
    return spelled("auto --minutes 60"), "No blend is surely better than one model: further ones may make one that is."


def _ready(evidence: Evidence) -> tuple[str, float] | None:
    """Return name and cross-fitted score of the best submission of a blend that was written and not submitted."""
    workspace, submitted = evidence.workspace, {entry.digest for entry in evidence.entries}
    sign, found = workspace.competition.metric.sign, list[tuple[str, float]]()
    for digest, known in known_submissions(workspace.submissions).items():
        path = workspace.submissions / f"{known['name']}.csv"
        if known.get("cross_fitted") is not None and digest not in submitted and path.is_file():
            found.append((known["name"], known["cross_fitted"]))
    return max(found, key=lambda one: sign * one[1], default=None)
