"""Making a blend: load the members, choose how to combine them and decide, compare, and keep the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from competition.common.errors import UserError, unknown_name
from competition.common.files import checked_name
from competition.labels import to_multi_hot
from competition.task import Task
from competition.workspace import Workspace
from folds.score_store import ScoreStore
from folds.scores import Scores
from submissions.choose.candidates import Bench, Candidate
from submissions.choose.compare import Comparison, compare
from submissions.choose.cuts import by_label, digest_scores
from submissions.choose.remarks import remarks_on
from submissions.choose.specialists import Specialist, evaluate_specialists
from submissions.combine.methods import MEAN, METHODS, VOTE, Setting, score_test
from submissions.decide.calibration import PLATT
from submissions.decide.rules import CUTS, FIXED, RULES, TUNED
from submissions.decide.thresholds import TRIALS
from submissions.measure.evaluation import Evaluation, Ranking, simplest_within_error
from submissions.measure.reliability import Reliability, reliability
from submissions.members.blend_files import write_blend
from submissions.members.coverage import check_all_scored, lack_of_test_scores, shared_test_names
from submissions.members.members import Member, SharedChips, load_members, share

AUTO = "auto"


@dataclass(frozen=True, eq=False)
class Blend:
    """A blend with everything that is to be known of it.

    Attributes:
        name: of the blend.
        exclusive: whether every chip gets exactly one label of each exclusive group.
        oof: scores of the labelled chips, cross-fitted.
        test: scores of the chips to predict.
        candidate: what was made.
        ranking: of its out-of-fold scores.
        reliability: of its out-of-fold scores.
        reference: what the differences of evaluations are to.
        others: evaluations of the blend by other rules, and of every member that scores all labels alone, by the same
            rule.
        specialists: the other members, each on the labels that it scores.
        notes: lines to show: chips not used, labels joined by union, what the exclusive groups cost, what the blend
            gains.
        about: content of `blend.json`.
        lacking: the members without scores of the chips to predict, for which nothing was written; "" if all have them.
    """

    name: str
    exclusive: bool
    oof: Scores
    test: Scores
    candidate: Candidate
    ranking: Ranking
    reliability: Reliability
    reference: Evaluation
    others: tuple[Evaluation, ...]
    specialists: tuple[Specialist, ...]
    notes: tuple[str, ...]
    about: dict[str, Any]
    lacking: str

    @property
    def evaluation(self) -> Evaluation:
        """Of the blend as it is."""
        return self.candidate.evaluation


def make_bench(
    member_names: Sequence[str],
    workspace: Workspace,
    *,
    exclusive: bool | None = None,
    alone: bool = False,
    union: Sequence[str] = (),
    extras: Sequence[str] = (),
    calibration: str = PLATT,
    trials: int = TRIALS,
    title: str = "compare",
) -> Bench:
    """Load members and bring them to the chips they share.

    Args:
        member_names: models and blends.
        workspace: of the competition.
        exclusive: give every chip exactly one label of each exclusive group; None: do not.
        alone: let a label that stands alone have no company.
        union: labels that are decided where any member that scores them would.
        extras: further columns of stacks.
        calibration: of the scores that a decoder takes.
        trials: size of every Optuna study.
        title: how the names of studies begin.

    Raises:
        UserError: if a member does not fit, no member scores a label, or there is no such label or extra column.
    """
    competition, store = workspace.competition, ScoreStore.of(workspace)
    joined = to_multi_hot([union], competition)[0]
    members = load_members(member_names, workspace, store)
    check_all_scored(members, competition)
    setting = Setting(
        competition,
        tuple(member_names),
        joined,
        tuple(extras),
        calibration,
        trials=trials,
        studies=workspace.studies,
        title=title,
    )
    setting.columns()  # refuses what it does not know
    return Bench(tuple(members), share(members, workspace, store.table), setting, bool(exclusive), alone)


def make_blend(name: str, bench: Bench, workspace: Workspace, *, method: str = MEAN, cuts: str = AUTO) -> Blend:
    """Blend the members of a bench and write the blend to the workspace, if all have scores of the chips to predict.

    Args:
        name: of the blend.
        bench: of the members.
        workspace: of the competition.
        method: one of `METHODS`.
        cuts: one of `RULES`; "auto" takes the simplest rule for cuts within one standard error of the best.

    Raises:
        UserError: if the name cannot be used, or there is no such method or rule.
    """
    _check_name(name, bench.members, ScoreStore.of(workspace))
    rules = _asked_for(method, cuts)
    candidates = bench.blends(method, rules)
    found = simplest_within_error([each.evaluation for each in candidates])
    candidate = next(each for each in candidates if (each.evaluation is found if cuts == AUTO else each.rule == cuts))
    others = [each.evaluation for each in candidates if each is not candidate]
    singles = [bench.singles(number, [candidate.rule])[0] for number in bench.whole]
    return _keep(name, candidate, bench, workspace, others, singles)


def make_best(
    name: str, bench: Bench, workspace: Workspace, *, methods: Sequence[str] | None = None, progress: bool = False
) -> tuple[Blend, Comparison]:
    """Compare every model and method by every rule, and write the simplest within one standard error of the best.

    Args:
        name: of the blend.
        bench: of the members to choose from.
        workspace: of the competition.
        methods: of combining them, to choose from; None: all but the slowest.
        progress: show a bar.

    Raises:
        UserError: if the name cannot be used.
    """
    _check_name(name, bench.members, ScoreStore.of(workspace))
    compared = compare(bench, methods, progress=progress)
    singles = [each for each in compared.candidates if len(each.members) == 1 and len(compared.chosen.members) > 1]
    best = sorted(singles, key=lambda each: -each.evaluation.cross_fitted)[:1]
    return _keep(name, compared.chosen, bench, workspace, [], best), compared


def _asked_for(method: str, cuts: str) -> list[str]:
    """Return the rules to measure for what `--cuts` asks; the prior cut is always the first.

    Raises:
        UserError: if there is no such rule, or a vote is asked for one that finds no cuts.
    """
    if method not in METHODS:
        raise unknown_name("method of blending", method, list(METHODS))
    if cuts not in (AUTO, *RULES):
        raise unknown_name("decision rule", cuts, [AUTO, *RULES])
    if method == VOTE and cuts not in (AUTO, *CUTS):
        raise UserError(f"A vote is by its members' cuts, and --cuts {cuts} has none. Give one of {', '.join(CUTS)}.")
    if cuts == AUTO:
        return [rule for rule in CUTS if rule != TUNED]
    return [FIXED] if cuts == FIXED else [FIXED, cuts]


def _keep(
    name: str,
    candidate: Candidate,
    bench: Bench,
    workspace: Workspace,
    others: Sequence[Evaluation],
    singles: Sequence[Candidate],
) -> Blend:
    """Write a candidate as a blend, with what is to be known of it."""
    store, members, chips, reference = ScoreStore.of(workspace), candidate.members, bench.chips, bench.reference
    oof = Scores(chips.names, np.asarray(candidate.combined.scores, dtype=np.float32))
    ranking = Ranking.of(oof.values, chips.truth)
    lacking = lack_of_test_scores(members, workspace)
    test_names = () if lacking else shared_test_names(members, workspace)
    test = Scores(test_names, score_test(candidate.combined.fitted, members, test_names))
    specialists = evaluate_specialists(candidate, bench)
    notes = (*chips.notes, *remarks_on(candidate, bench, singles))
    others = (*others, *(single.evaluation for single in singles))
    setting = bench.setting
    about = {
        "name": name,
        "method": candidate.method,
        "rule": candidate.rule,
        "exclusive": bench.exclusive,
        "alone": bench.alone,
        "union": list(Task.of(setting.competition, setting.union).labels),
        "extras": list(setting.extras),
        "calibration": setting.calibration,
        **_sources(members, store, chips),
        **_fitted(candidate, store.labels),
        "figures": [each.figures(reference) for each in (candidate.evaluation, *others)],
        "specialists": [each.figures() for each in specialists],
        **ranking.figures(),
        "notes": list(notes),
    }
    written = about if lacking else write_blend(workspace.blends / name, oof, test, about)
    return Blend(
        name=name,
        exclusive=bench.exclusive,
        oof=oof,
        test=test,
        candidate=candidate,
        ranking=ranking,
        reliability=reliability(oof.values, chips.truth),
        reference=reference,
        others=others,
        specialists=specialists,
        notes=notes,
        about=written,
        lacking=lacking,
    )


def _check_name(name: str, members: Sequence[Member], store: ScoreStore) -> None:
    if checked_name("blend", name).endswith(".csv"):
        raise UserError(f"{name!r} would be taken for a file. Give the blend a --name without .csv.")
    if name in store.models():
        raise UserError(f"'{name}' is a model. Give the blend another --name.")
    for member in members:
        if name in _inside(member.made):
            raise UserError(
                f"Blend '{name}' cannot be made of itself: its member '{member.name}' is or contains it. "
                "Give the new blend another --name."
            )


def _inside(made: dict[str, Any]) -> set[str]:
    """Return the names of a member and of everything it was made of."""
    return {made["name"]}.union(*(_inside(member) for member in made.get("members", [])))


def _sources(members: Sequence[Member], store: ScoreStore, shared: SharedChips) -> dict[str, Any]:
    return {
        "labels": list(store.labels),
        "fold_digest": store.table.digest,
        "members": [{**member.made, "oof": digest_scores(member.oof)} for member in members],
        "chips": len(shared.names),
        "left_out": sorted({name for member in members for name in member.left_out}),
    }


def _fitted(candidate: Candidate, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return what was fitted, as far as it is a few numbers: cuts, those of every member of a vote, weights."""
    combiner, cuts = candidate.combined.fitted, candidate.evaluation.fitted.cuts
    names = [member.name for member in candidate.members]
    found: dict[str, Any] = {}
    if cuts is not None:
        found["cuts"] = by_label(cuts, labels)
    if (weights := getattr(combiner, "weights", None)) is not None and weights.ndim == 1:
        found["weights"] = dict(zip(names, weights.tolist(), strict=True))
    if candidate.method == VOTE:
        found["member_cuts"] = {name: by_label(own, labels) for name, own in zip(names, combiner.cuts, strict=True)}
    return found
