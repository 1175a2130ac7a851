"""The cuts of one model or blend: made, kept beside its scores, and read again while they fit."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import write_json
from competition.common.text import short
from competition.spec import Competition
from competition.task import Task
from competition.workspace import Workspace
from folds.score_store import ScoreStore
from folds.scores import Scores, scored_labels
from submissions.decide.rules import FIXED, cut_rules, display_name
from submissions.decide.thresholds import TRIALS, FixedCut
from submissions.measure.cross_fit import Combined, evaluate
from submissions.measure.evaluation import Evaluation, Ranking, simplest_within_error
from submissions.members.members import load_member, share

FILE = "cuts.json"
FORMAT = 1


@dataclass(frozen=True, eq=False)
class ChosenCuts:
    """Cuts of one model or blend.

    Attributes:
        labels: that have scores; of a specialist, not all. Everything below is of these.
        rule: which of `evaluations` was chosen.
        evaluations: of every rule for cuts; the first is the prior cut.
        ranking: of the scores.
        path: the file written.
        notes: lines that say which chips are missing.
    """

    labels: tuple[str, ...]
    rule: str
    evaluations: dict[str, Evaluation]
    ranking: Ranking
    path: Path
    notes: tuple[str, ...]

    @property
    def cuts(self) -> NDArray[np.float64]:
        """The cuts chosen, (len(labels),)."""
        chosen: NDArray[np.float64] = self.evaluations[self.rule].fitted.cuts
        return chosen


def make_cuts(name: str, workspace: Workspace, *, trials: int = TRIALS) -> ChosenCuts:
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
    chips = share([member], workspace, store.table)
    compared = compare_cuts(
        chips.scores[0],
        chips.truth,
        chips.folds,
        workspace.competition,
        trials=trials,
        studies=workspace.studies,
        title=name,
    )
    chosen = simplest_within_error(list(compared.values()))
    rule = next(name for name, each in compared.items() if each is chosen)
    path = write_cuts(member.folder, rule, compared, member.oof, workspace.competition)
    scored = member.oof.scored
    ranking = Ranking.of(chips.scores[0][:, scored], chips.truth[:, scored])
    return ChosenCuts(Task.of(workspace.competition, scored).labels, rule, compared, ranking, path, chips.notes)


def compare_cuts(
    scores: NDArray[Any],
    truth: NDArray[np.bool_],
    folds: NDArray[np.integer],
    competition: Competition,
    *,
    trials: int = TRIALS,
    studies: Path | None = None,
    title: str = "cuts",
) -> dict[str, Evaluation]:
    """Evaluate every rule for cuts and the cut 0.5 on one model's scores; without the competition's rules.

    The study of all chips is kept in `studies`; those without one fold are made anew in memory, which is quicker than
    keeping them.

    Args:
        scores: float array (num_chips, num_labels); labels without scores, NaN for every chip, play no part.
        truth: bool array (num_chips, num_labels).
        folds: int array (num_chips,).
        competition: gives labels and metric.
        trials: size of every Optuna study.
        studies: the SQLite file that keeps the study.
        title: how the study's name begins.

    Returns:
        Evaluations of the labels scored by rule, the simplest first.
    """
    scored = scored_labels(scores)
    metric, scores, truth = Task.of(competition, scored).metric, scores[:, scored], truth[:, scored]
    rules = cut_rules(competition, trials=trials)
    final = cut_rules(competition, trials=trials, studies=studies, title=title)
    if metric.prior_cut != 0.5:
        half = {"fixed 0.5": lambda _: FixedCut(0.5)}
        rules = {FIXED: rules[FIXED], **half, **rules}
        final.update(half)
    plain = Combined.unlearnt(scores, folds)
    return {
        name: evaluate(
            display_name(name, metric), partial(make, scored), plain, truth, folds, metric, final=final[name](scored)
        )
        for name, make in rules.items()
    }


def digest_scores(scores: Scores) -> str:
    """Return the SHA-256 (64 hex digits) of the chips' ids and scores."""
    content = hashlib.sha256("\n".join(scores.names).encode())
    content.update(scores.values.astype(np.float32).tobytes())
    return content.hexdigest()


def by_label(cuts: NDArray[np.float64], labels: tuple[str, ...]) -> dict[str, float]:
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
    member = load_member(name, workspace, ScoreStore.of(workspace))
    return read_cuts(member.folder, name, member.oof, workspace.competition)


def write_cuts(
    folder: Path, rule: str, evaluations: dict[str, Evaluation], scores: Scores, competition: Competition
) -> Path:
    """Write the cuts of one rule into the folder of the model or blend they are for, atomically.

    Args:
        folder: of the model or blend.
        rule: which of `evaluations` gives the cuts.
        evaluations: of every rule; all figures are kept.
        scores: the out-of-fold scores that the cuts were made for.
        competition: gives labels and metric.

    Returns:
        The path written.
    """
    path, task = folder / FILE, Task.of(competition, scores.scored)
    content = {
        "format": FORMAT,
        "rule": rule,
        "metric": task.metric.name,
        "scores": digest_scores(scores),
        "cuts": by_label(evaluations[rule].fitted.cuts, task.labels),
        "figures": [each.figures(evaluations[FIXED]) for each in evaluations.values()],
    }
    write_json(path, content)
    return path


def read_cuts(folder: Path, model: str, scores: Scores, competition: Competition) -> NDArray[np.float64]:
    """Read the cuts of a model or blend, float array (num_labels,) in the competition's label order.

    Labels without scores have no cut: NaN.

    Args:
        folder: of the model or blend.
        model: its name.
        scores: its out-of-fold scores as they are now.
        competition: gives labels and metric.

    Raises:
        UserError: if there are no cuts, or they were made for other scores, labels or another metric.
    """
    path, again = folder / FILE, f'Run "python run.py thresholds --model {model}"'
    if not path.is_file():
        raise UserError(f"'{model}' has no cuts yet. {again}.")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise KeyError("format")
        found: dict[str, Any] = {
            "metric": content["metric"],
            "labels": set(content["cuts"]),
            "scores": content["scores"],
        }
        cuts = {label: float(cut) for label, cut in content["cuts"].items()}
        if not all(0 <= cut <= 1 for cut in cuts.values()):  # NaN fails too
            raise ValueError("cuts")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is damaged. {again}.") from error
    task = Task.of(competition, scores.scored)
    expected: dict[str, Any] = {
        "metric": task.metric.name,
        "labels": set(task.labels),
        "scores": digest_scores(scores),
    }
    if differing := [what for what in expected if expected[what] != found[what]]:
        detail = f" (expected {short(expected['scores'])}, received {short(found['scores'])})"
        raise UserError(
            f"The cuts of '{model}' were made for other {' and '.join(differing)}"
            f"{detail if differing == ['scores'] else ''}. {again}."
        )
    return np.array([cuts.get(label, np.nan) for label in competition.labels])
