"""Every model, blend and stack by every decision rule: the table, its order, and which of them to submit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError, unknown_name
from competition.common.progress import reporter
from competition.common.text import counted
from competition.flags import bands_flag
from competition.metrics.bootstrap import bootstrap
from competition.metrics.judge import measure
from competition.spec.competition import Competition
from competition.spec.metric import SCORES
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.choose.candidates import Candidate, Candidates, simplest
from submissions.choose.measuring import Measuring, Run, in_threads
from submissions.choose.report import CHOICE, evaluation_table
from submissions.decide.rules import default_rules, make_rule
from submissions.measure.evaluation import Difference, Evaluation, simplest_of
from submissions.measure.shake_up import ShakeUp, shake_up
from submissions.members.blend_files import IMPORTED, blend_names
from submissions.members.members import load_member
from submissions.names import FIXED, METHODS, QUICK, VOTE


class AnswersOf(Sequence[NDArray[Any]]):
    """The answers of candidates, each unpacked as it is asked for: many of them can be large together.

    Args:
        candidates: whose answers.
        rows: of them; bool array (num_chips,), or all.
    """

    def __init__(self, candidates: Sequence[Candidate], rows: NDArray[np.bool_] | slice = slice(None)) -> None:
        self._candidates, self._rows = candidates, rows

    def __len__(self) -> int:
        return len(self._candidates)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return AnswersOf(self._candidates[number], self._rows)
        return self._candidates[number].evaluation.answers[self._rows]


class Further(NamedTuple):
    """What else is shown of candidates.

    Attributes:
        columns: by heading, a cell for each candidate, in their order.
        lines: below the table.
    """

    columns: Mapping[str, Sequence[str]]
    lines: Sequence[str]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Candidates for a submission, and which of them to submit.

    Attributes:
        candidates: the simplest first.
        chosen: the simplest candidate within one standard error of the best.
        source: made the candidates.
    """

    candidates: tuple[Candidate, ...]
    chosen: Candidate
    source: Candidates

    @property
    def best(self) -> Candidate:
        """The candidate of the best cross-fitted metric."""
        return max(self.candidates, key=lambda candidate: candidate.evaluation.gain)

    @property
    def reference(self) -> Evaluation:
        """What differences are to: the mean of all members, by the simplest rule."""
        return self.source.reference

    def choosing(self) -> tuple[float, Difference]:
        """Return what choosing is worth, and how much better than the reference it is."""
        value, resampled = self.chosen_by_fold
        error = float(np.std(resampled - self.reference.resampled, ddof=1))
        return value, Difference(value - self.reference.cross_fitted, error)

    @cached_property
    def chosen_by_fold(self) -> tuple[float, NDArray[np.float64]]:
        """What choosing is worth, and the same of bootstrapped sets of chips (num_resamples,).

        The best of many is partly the luckiest. Each fold is answered by what the chips of the other folds would have
        chosen, so that this figure is free of that luck; the chosen one's own is not.
        """
        fit = self.source.cross_fit
        truth, folds, metric = fit.truth, fit.folds, fit.metric
        taken = np.empty_like(self._answers[0])
        for fold in np.unique(folds):
            held = folds == fold
            others = AnswersOf(self.candidates, ~held)
            values = np.array([measure(truth[~held], other, metric) for other in others])
            resampled = bootstrap(truth[~held], others, metric)
            taken[held] = self._answers[simplest_of(metric.sign * values, metric.sign * resampled)][held]
        return measure(truth, taken, metric), bootstrap(truth, [taken], metric)[:, 0]

    def shake_up(self, public: float) -> ShakeUp:
        """Simulate what a public leaderboard of this share of the chips would do to the choice."""
        fit = self.source.cross_fit
        return shake_up(fit.truth, self._answers, self.candidates.index(self.chosen), fit.metric, public)

    def text(self, *, top: int = 0, shaken: ShakeUp | None = None, further: Further | None = None) -> str:
        """Return the table of the candidates, the best first, and which of them to submit.

        Args:
            top: how many rows to show, beside the chosen one and the reference; 0: all.
            shaken: what `shake_up` returned, if it is to be shown.
            further: what else is.
        """
        evaluations = [candidate.evaluation for candidate in self.candidates]
        chosen, reference = self.chosen.evaluation, self.reference
        order = sorted(range(len(evaluations)), key=lambda number: -evaluations[number].gain)
        always = (chosen.name, reference.name)
        shown = [
            number for place, number in enumerate(order) if not top or place < top or evaluations[number].name in always
        ]
        more: dict[str, Sequence[str]] = dict(further.columns) if further else {}
        if shaken is not None:
            more = {"beaten": [f"{beats:.0%}" for beats in shaken.beats], **more}
        columns = {heading: [cells[number] for number in shown] for heading, cells in more.items()}
        lines = [evaluation_table([evaluations[number] for number in shown], reference, chosen, columns)]
        if len(shown) < len(order):
            lines.append(f"{len(order) - len(shown)} worse ones are not shown; --top 0 shows all.")
        lines.append(CHOICE.format(chosen.name))
        if len(order) > 1:
            value, over = self.choosing()
            lines.append(
                f"The best of {len(order)} is partly the luckiest: choosing like this in each fold by the chips of the "
                f"others gives {value:.4f}, {over.value:+.4f} ± {over.error:.4f} against {reference.name}."
            )
        if shaken is not None:
            lines.append(shaken.text())
        lines += further.lines if further else ()
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison, for JSON."""
        value, over = self.choosing()
        return {
            "candidates": [candidate.as_dict(self.reference) for candidate in self.candidates],
            "chosen": self.chosen.evaluation.name,
            "choosing": {"cross_fitted": value, "difference": over.value, "standard_error": over.error},
        }

    @property
    def _answers(self) -> AnswersOf:
        return AnswersOf(self.candidates)


def methods_for(competition: Competition) -> tuple[str, ...]:
    """Return the methods that serve a competition's metric: a vote decides, and makes no scores."""
    return tuple(method for method in METHODS if method != VOTE or competition.metric.judges != SCORES)


def check_methods(methods: Iterable[str], competition: Competition) -> None:
    """Refuse a method that is not known, or does not serve a competition's metric.

    Raises:
        UserError: if there is such a method.
    """
    known = methods_for(competition)
    for method in methods:
        if method in METHODS and method not in known:
            raise UserError(
                f"--method {method} makes decisions, and {competition.metric.title} judges scores. "
                f"Give one of {', '.join(known)}."
            )
        if method not in METHODS:
            raise unknown_name("method of blending", method, ["all", *known])


def known_members(workspace: Workspace) -> tuple[str, ...]:
    """Return the models with all their folds and the imported scores, and say which models are left out.

    Raises:
        UserError: if there is none.
    """
    store, names, left_out = ScoreStore.of(workspace), [], 0
    for name in [*store.models(), *blend_names(workspace.blends)]:
        try:
            provenance = load_member(name, workspace, store).provenance
        except UserError as error:
            reporter.say(f"Left out: {error}")
            left_out += 1
            continue
        if provenance["kind"] == "model" or provenance["method"] == IMPORTED:
            names.append(name)
    if not names:
        if left_out:
            raise UserError(f"Left out, as said above: {counted(left_out, 'model')}. None remains.", command="status")
        bands = bands_flag(workspace.competition)
        raise UserError("No model has all its folds yet.", command=f"train --models MODEL{bands}")
    return tuple(names)


def compare(
    source: Candidates,
    methods: Sequence[str] | None = None,
    rules: Sequence[str] | None = None,
    *,
    rules_alone: Sequence[str] | None = None,
    run: Run | None = None,
) -> Comparison:
    """Measure every member that scores all labels and every method, by every rule.

    Args:
        source: makes and measures the candidates.
        methods: to combine all members by, or "all"; None: all but the slowest. With one member none is used.
        rules: that make answers; None: all but Optuna. The simplest is always among them.
        rules_alone: those of each of several members by itself; None: the same.
        run: does the measuring; None: threads of this process.

    Raises:
        UserError: if there is no such method or rule, or a rule does not serve the competition's metric.
    """
    competition = source.setting.competition
    known = methods_for(competition)
    if methods is None:
        methods = [method for method in known if method in QUICK]
    elif tuple(methods) == ("all",):
        methods = known
    check_methods(methods, competition)
    rules = rules or default_rules(competition, len(source.chips.truth))
    rules = list(dict.fromkeys([source.simplest_rule, *rules]))
    for rule in rules:
        make_rule(rule, competition)  # refuses what cannot serve, before the work
    alone = rules if rules_alone is None or len(source.members) == 1 else rules_alone
    jobs = [Measuring("singles", (number, alone)) for number in source.whole]
    if len(source.members) > 1:
        # Cuts by label for every member of a vote are worth less than they take.
        few = [rule for rule in rules if rule in (FIXED, "uniform")]
        jobs += [Measuring("blends", (method, few if method == VOTE else rules)) for method in methods]
    # The slowest begin first, lest they be waited for.
    measured = (run or in_threads)(source, jobs[::-1])
    in_order = [candidate for by_rule in measured[::-1] for candidate in by_rule]
    candidates = sorted(in_order, key=lambda candidate: candidate.simplicity)
    return Comparison(tuple(candidates), simplest(candidates), source)
