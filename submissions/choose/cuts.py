"""The cuts of one model or blend: chosen, kept beside its scores, and read again while they fit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError, spelled
from competition.common.records import read_record, write_record
from competition.common.text import counted, short
from competition.spec.competition import Competition
from competition.spec.metric import SCORES
from competition.task import Task
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from folds.store.scores import Scores
from submissions.choose.report import CHOICE, LabelFigures, evaluation_table
from submissions.decide.cut_rules import FixedRule
from submissions.decide.rules import cut_rules, display_name
from submissions.decide.studies import IN_MEMORY, Tuning
from submissions.measure.cross_fit import CrossFit
from submissions.measure.evaluation import Evaluation, Ranking, simplest_within_error
from submissions.members.members import Member, load_member, share
from submissions.names import FIXED

FILE = "cuts.json"
FORMAT = 1
HALF = "fixed 0.5"  # shown beside the prior cut, where that is another


@dataclass(frozen=True, eq=False)
class ChosenCuts:
    """Cuts of one model or blend.

    Attributes:
        member: the model or blend.
        task: the labels that it scores; everything below is of these.
        rule: which of `evaluations` was chosen.
        evaluations: of every rule for cuts; the first is the prior cut.
        ranking: of the scores.
        notes: lines that say which chips are missing.
    """

    member: Member
    task: Task
    rule: str
    evaluations: dict[str, Evaluation]
    ranking: Ranking
    notes: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The file that keeps them."""
        return self.member.folder / FILE

    @property
    def cuts(self) -> NDArray[np.float64]:
        """The cuts chosen, (num_scored,)."""
        chosen: NDArray[np.float64] = self.evaluations[self.rule].fitted.cuts
        return chosen

    @property
    def by_label(self) -> LabelFigures:
        """What they reach, label by label."""
        return LabelFigures(self.evaluations[self.rule], self.ranking, self.task)

    def text(self) -> str:
        """Return everything to show of them."""
        chosen, labels = self.evaluations[self.rule], self.task.labels
        lines = [*self.notes, evaluation_table(self.evaluations.values(), self.evaluations[FIXED], chosen)]
        if not self.task.is_whole:
            scored = f"{counted(len(labels), 'label')} that {'is' if len(labels) == 1 else 'are'} scored"
            lines.append(f"{chosen.metric.title} is the mean over the {scored}.")
        lines.append(CHOICE.format(chosen.name))
        if self.task.competition.exclusive and self.task.is_whole:
            lines.append("These are cuts alone; `blend` also says what one label of every exclusive group costs.")
        if self.task.is_whole and not self.task.competition.unlabelled:
            lines.append("A chip that reaches no cut is left without a label here; `compare` and `blend` give it one.")
        return "\n".join([*lines, "", self.by_label.text()])

    def as_dict(self) -> dict[str, Any]:
        """Return the cuts and the figures of every rule, for JSON."""
        return {
            "rule": self.rule,
            "metric": self.task.metric.title,
            "scores": digest_scores(self.member.oof),
            "cuts": cuts_by_label(self.cuts, self.task.labels),
            "figures": [evaluation.as_dict(self.evaluations[FIXED]) for evaluation in self.evaluations.values()],
        }


def make_cuts(name: str, workspace: Workspace, *, trials: int = IN_MEMORY.trials) -> ChosenCuts:
    """Compare the rules for cuts on the scores of a model or blend, choose one, and keep its cuts.

    Args:
        name: of the model or blend.
        workspace: of the competition.
        trials: size of every Optuna study.

    Raises:
        UserError: if there is no such model or blend, or its scores do not fit the workspace.
    """
    store = ScoreStore.of(workspace)
    member = load_member(name, workspace, store)
    chips, scored = share([member], workspace, store.table), member.oof.scored
    scores, truth = chips.scores[0][:, scored], chips.truth[:, scored]
    task, tuning = Task.of(workspace.competition, scored), Tuning(trials, workspace.studies, title=name)
    evaluations = compare_cuts(scores, CrossFit(truth, chips.folds, task.metric), task, tuning)
    chosen = simplest_within_error(list(evaluations.values()))
    rule = next(rule for rule, evaluation in evaluations.items() if evaluation is chosen)
    cuts = ChosenCuts(member, task, rule, evaluations, Ranking.of(scores, truth, task.metric), chips.notes)
    write_record(cuts.path, cuts.as_dict(), version=FORMAT)
    return cuts


def why_none(name: str, workspace: Workspace) -> str:
    """Return the line that says why a competition needs no cuts; "" if it does.

    Raises:
        UserError: if there is no such model or blend.
    """
    competition = workspace.competition
    if competition.metric.judges == SCORES:
        reason = f"{competition.metric.title} judges scores, and nothing is decided"
    elif competition.is_multi_class:
        reason = "every chip is given the one label of the highest score"
    else:
        return ""
    load_member(name, workspace, ScoreStore.of(workspace))
    return f"No cuts are needed: {reason}. `compare` shows what '{name}' is worth."


def compare_cuts(
    scores: NDArray[Any], cross_fit: CrossFit, task: Task, tuning: Tuning = IN_MEMORY
) -> dict[str, Evaluation]:
    """Evaluate every rule for cuts and the cut 0.5 on one model's scores; without the competition's rules.

    A study of all chips is kept on disk; those without one fold are made anew in memory, which is quicker than keeping
    them.

    Args:
        scores: float array (num_chips, num_scored), of the labels of `task`.
        cross_fit: measures on the chips and these labels.
        task: the labels scored.
        tuning: how Optuna tunes.

    Returns:
        Evaluations by rule, the simplest first.
    """
    competition, metric = task.competition, task.metric
    scored = np.isin(competition.labels, task.labels)
    rules, final = cut_rules(competition, tuning.in_memory), cut_rules(competition, tuning)
    if metric.prior_cut != 0.5:
        half = {HALF: lambda _: FixedRule(0.5)}
        rules = {FIXED: rules[FIXED], **half, **rules}
        final.update(half)
    plain = cross_fit.as_they_are(scores)
    return {
        rule: cross_fit.evaluate(display_name(rule, metric), partial(make, scored), plain, final=final[rule](scored))
        for rule, make in rules.items()
    }


def digest_scores(scores: Scores) -> str:
    """Return the SHA-256 (64 hex digits) of the chips' ids and scores."""
    content = hashlib.sha256("\n".join(scores.names).encode())
    content.update(np.ascontiguousarray(scores.values, dtype=np.float32).data)
    return content.hexdigest()


def cuts_by_label(cuts: NDArray[np.float64], labels: tuple[str, ...]) -> dict[str, float]:
    """Return cuts (num_labels,) by label, for a JSON file; labels without scores, whose cut is NaN, are left out."""
    return {label: float(cut) for label, cut in zip(labels, cuts, strict=True) if not np.isnan(cut)}


def cuts_of(name: str, workspace: Workspace) -> NDArray[np.float64]:
    """Return the cuts kept for a model or blend, (num_labels,); the prior cut if `make_cuts` was never run for it.

    Labels without scores have no cut: NaN.

    Raises:
        UserError: if the cuts kept were made for other scores.
    """
    # Looked at before the scores, which a model that is not trained on all folds does not have yet.
    if not any((root / name / FILE).is_file() for root in (workspace.runs, workspace.blends)):
        return np.full(len(workspace.competition.labels), workspace.competition.metric.prior_cut)
    return read_cuts(load_member(name, workspace, ScoreStore.of(workspace)), workspace.competition)


def better_cuts(model: str, workspace: Workspace) -> str:
    """Return the line that names the command for better cuts than the prior one; "" if it was run or none is needed."""
    prior = Task(workspace.competition, workspace.competition.labels).cut
    if prior is None or (workspace.runs / model / FILE).is_file():
        return ""
    return f'{prior:.3g} is the cut before any tuning; "{spelled(f"thresholds --model {model}")}" may find better ones.'


def read_cuts(member: Member, competition: Competition) -> NDArray[np.float64]:
    """Read the cuts of a model or blend, float array (num_labels,) in the competition's label order.

    Labels without scores have no cut: NaN.

    Raises:
        UserError: if there are no cuts, or they were made for other scores, labels or another metric.
    """
    path, again = member.folder / FILE, f"thresholds --model {member.name}"
    if not path.is_file():
        raise UserError(f"'{member.name}' has no cuts yet.", command=again)

    def parse(content: dict[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
        cuts = {label: float(cut) for label, cut in content["cuts"].items()}
        if not all(0 <= cut <= 1 for cut in cuts.values()):  # NaN fails too
            raise ValueError("a cut is not in [0, 1]")
        if not isinstance(content["scores"], str):
            raise TypeError("the digest of the scores is no text")
        return cuts, {"metric": content["metric"], "labels": set(cuts), "scores": content["scores"]}

    cuts, received = read_record(path, parse, version=FORMAT, command=again)
    task = Task.of(competition, member.oof.scored)
    expected: dict[str, Any] = {
        "metric": task.metric.title,
        "labels": set(task.labels),
        "scores": digest_scores(member.oof),
    }
    if differing := [what for what in expected if expected[what] != received[what]]:
        detail = f" (expected {short(expected['scores'])}, received {short(received['scores'])})"
        raise UserError(
            f"The cuts of '{member.name}' were made for other {' and '.join(differing)}"
            f"{detail if differing == ['scores'] else ''}.",
            command=again,
        )
    return np.array([cuts.get(label, np.nan) for label in competition.labels])
