"""Every model, blend and stack by every decision rule, side by side, and which of them to submit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from competition.common.errors import UserError, unknown_name
from competition.metrics import f_beta
from competition.spec import Metric
from competition.workspace import Workspace
from folds.score_store import ScoreStore
from submissions.choose.candidates import Bench, Candidate
from submissions.combine.methods import METHODS, SLOW, VOTE
from submissions.decide.rules import FIXED, default_rules, make_rule
from submissions.measure.bootstrap import bootstrap
from submissions.measure.evaluation import Difference, Evaluation, simplest_of, simplest_within_error
from submissions.measure.shake_up import ShakeUp, shake_up
from submissions.members.blend_files import IMPORTED, blend_names
from submissions.members.members import SharedChips, load_member

QUICK = tuple(method for method in METHODS if method not in SLOW)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Candidates for a submission.

    Attributes:
        candidates: the simplest first.
        best: the candidate of the highest cross-fitted metric.
        chosen: the simplest candidate within one standard error of the best.
        reference: what differences are to: the mean of all members at the prior cut.
        chips: that were measured.
        metric: what was measured.
    """

    candidates: tuple[Candidate, ...]
    best: Candidate
    chosen: Candidate
    reference: Evaluation
    chips: SharedChips
    metric: Metric

    def choosing(self) -> tuple[float, Difference]:
        """Return what choosing is worth, and how much better than the reference: fold by fold, on what others chose.

        The best of many is partly the luckiest. Each fold is decided by what the chips of the other folds would have
        chosen, so that this figure is free of that luck; the chosen one's own is not.
        """
        truth, folds = self.chips.truth, self.chips.folds
        decisions = [each.evaluation.decisions for each in self.candidates]
        made = np.empty(truth.shape, dtype=bool)
        for fold in np.unique(folds):
            held = folds == fold
            others = [decided[~held] for decided in decisions]
            values = np.array([f_beta(truth[~held], decided, self.metric) for decided in others])
            made[held] = decisions[simplest_of(values, bootstrap(truth[~held], others, self.metric))][held]
        value, drawn = f_beta(truth, made, self.metric), bootstrap(truth, [made], self.metric)[:, 0]
        error = float(np.std(drawn - self.reference.resampled, ddof=1))
        return value, Difference(value - self.reference.cross_fitted, error)

    def shake_up(self, public: float) -> ShakeUp:
        """Simulate what a public leaderboard of this share of the chips would do to the choice."""
        decisions = [each.evaluation.decisions for each in self.candidates]
        return shake_up(self.chips.truth, decisions, self.candidates.index(self.chosen), self.metric, public)


def known_members(workspace: Workspace, say: Callable[[str], None]) -> tuple[str, ...]:
    """Return the models with all their folds and the imported scores; `say` is told which models are left out.

    Raises:
        UserError: if there is none.
    """
    store, found = ScoreStore.of(workspace), []
    for name in [*store.models(), *blend_names(workspace.blends)]:
        try:
            member = load_member(name, workspace, store)
        except UserError as error:
            say(f"Left out: {error}")
            continue
        if member.made["kind"] == "model" or member.made["method"] == IMPORTED:
            found.append(name)
    if not found:
        raise UserError('No model has all its folds yet. Run "python run.py train --models MODEL".')
    return tuple(found)


def compare(
    bench: Bench, methods: Sequence[str] | None = None, rules: Sequence[str] | None = None, *, progress: bool = False
) -> Comparison:
    """Measure every member that scores all labels and every method, by every rule.

    Args:
        bench: measures.
        methods: to combine all members by, or "all"; None: all but the slowest. With one member none is used.
        rules: to decide by; None: all but Optuna. The prior cut is always among them.
        progress: show a bar.

    Raises:
        UserError: if there is no such method or rule, or a rule does not serve the competition's metric.
    """
    competition = bench.setting.competition
    methods = QUICK if methods is None else tuple(METHODS) if tuple(methods) == ("all",) else methods
    for method in (method for method in methods if method not in METHODS):
        raise unknown_name("method of blending", method, ["all", *METHODS])
    rules = [FIXED, *(rule for rule in rules or default_rules(competition) if rule != FIXED)]
    for rule in rules:
        make_rule(rule, competition)  # refuses what cannot serve, before the work
    kinds: list[Callable[[], list[Candidate]]] = [partial(bench.singles, number, rules) for number in bench.whole]
    if len(bench.members) > 1:
        # Cuts by label for every member of a vote are worth less than they take.
        few = [rule for rule in rules if rule in (FIXED, "uniform")]
        kinds += [partial(bench.blends, method, few if method == VOTE else rules) for method in methods]

    # A thread each; the slowest begin first, lest they be waited for.
    with threadpool_limits(1):
        done = Parallel(n_jobs=-1, prefer="threads", return_as="generator")(delayed(kind)() for kind in kinds[::-1])
        shown = tqdm(done, total=len(kinds), unit=" blends", leave=False, disable=None if progress else True)
        measured = list(shown)[::-1]
    candidates = sorted((each for found in measured for each in found), key=lambda each: each.simplicity)
    best = max(candidates, key=lambda each: each.evaluation.cross_fitted)
    found = simplest_within_error([each.evaluation for each in candidates])
    chosen = next(each for each in candidates if each.evaluation is found)
    return Comparison(tuple(candidates), best, chosen, bench.reference, bench.chips, competition.metric)
