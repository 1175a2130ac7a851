"""Making a blend: of the members' candidates, take one that is asked for or the best, and keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from competition.common.errors import UserError, unknown_name
from competition.common.files import checked_name
from competition.spec.metric import DECISIONS
from competition.task import Task
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from folds.store.scores import Scores
from submissions.choose.candidates import Candidate, Candidates, simplest
from submissions.choose.compare import Comparison, check_methods, compare
from submissions.choose.cuts import cuts_by_label, digest_scores
from submissions.choose.remarks import remarks_on
from submissions.choose.report import LabelFigures, evaluation_table, reliability_table
from submissions.choose.specialists import Specialist, evaluate_specialists
from submissions.combine.methods import score_test
from submissions.decide.rules import default_rules, make_rule
from submissions.measure.evaluation import Evaluation, Ranking
from submissions.measure.reliability import reliability
from submissions.members.blend_files import write_blend
from submissions.members.coverage import lack_of_test_scores, shared_test_names
from submissions.members.members import Member
from submissions.names import CUT_RULES, DECODERS, MEAN, RULES, VOTE

AUTO = "auto"


@dataclass(frozen=True, eq=False)
class Blend:
    """A blend with everything that is to be known of it.

    Attributes:
        name: of the blend.
        candidate: what it is.
        source: made the candidate.
        others: evaluations of the blend by other rules, and of members that score all labels alone, by the same rule.
        specialists: the members that score some labels only, each on these.
        notes: lines to show: chips not used, labels joined by union, what the exclusive groups cost, what the blend
            gains.
        test: scores of the chips to predict; of none where a member lacks some.
        lacking: says which members lack scores of chips to predict; None if none does.
        provenance: the content of `blend.json`; empty where nothing was written, for what is `lacking`.
        comparison: what it was chosen from, if it was chosen.
    """

    name: str
    candidate: Candidate
    source: Candidates
    others: tuple[Evaluation, ...]
    specialists: tuple[Specialist, ...]
    notes: tuple[str, ...]
    test: Scores
    lacking: UserError | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    comparison: Comparison | None = None

    @property
    def evaluation(self) -> Evaluation:
        """Of the blend as it is."""
        return self.candidate.evaluation

    @cached_property
    def oof(self) -> Scores:
        """Scores of the labelled chips, cross-fitted."""
        return Scores(self.source.chips.names, np.asarray(self.candidate.combined.scores, dtype=np.float32))

    @cached_property
    def ranking(self) -> Ranking:
        """Of its out-of-fold scores."""
        return Ranking.of(self.oof.values, self.source.chips.truth, self.source.setting.competition.metric)

    @property
    def by_label(self) -> LabelFigures:
        """Its figures, label by label."""
        competition = self.source.setting.competition
        return LabelFigures(self.evaluation, self.ranking, Task(competition, competition.labels))

    def text(self) -> str:
        """Return everything to show of the blend."""
        competition, truth, chosen = self.source.setting.competition, self.source.chips.truth, self.evaluation
        lines = [] if self.comparison is None else [self.comparison.text(top=10)]
        if self.others:
            lines.append(evaluation_table([chosen, *self.others], self.source.reference, chosen))
        if competition.metric.judges == DECISIONS:
            is_bound = (self.source.exclusive or competition.is_multi_class) and competition.exclusive
            how = "with one label of every exclusive group" if is_bound else "by the rule alone"
            lines.append(f"Every row is decided as it would be submitted, {how}.")
        lines += [*self.notes, ""]
        lines.append(self.by_label.text())
        for specialist in self.specialists:
            lines += ["", specialist.text()]
        return "\n".join([*lines, "", reliability_table(reliability(self.oof.values, truth))])

    def as_dict(self) -> dict[str, Any]:
        """Return how it was made and its figures, for JSON."""
        setting, chips, members = self.source.setting, self.source.chips, self.candidate.members
        labels, evaluations = setting.competition.labels, (self.evaluation, *self.others)
        return {
            "name": self.name,
            "method": self.candidate.method,
            "rule": self.candidate.rule,
            "exclusive": self.source.exclusive,
            "alone": self.source.alone,
            "union": list(Task.of(setting.competition, setting.union).labels),
            "extras": list(setting.extras),
            "calibration": setting.calibration,
            "trials": setting.tuning.trials,
            "labels": list(labels),
            "fold_digest": chips.fold_digest,
            "label_digest": chips.label_digest or None,
            "members": [{**member.provenance, "oof": digest_scores(member.oof)} for member in members],
            "chips": len(chips.names),
            "left_out": sorted({name for member in members for name in member.left_out}),
            "test_left_out": sorted({name for member in members for name in member.test_left_out}),
            **_fitted(self.candidate, labels),
            "figures": [evaluation.as_dict(self.source.reference) for evaluation in evaluations],
            "specialists": [specialist.as_dict() for specialist in self.specialists],
            **self.ranking.as_dict(),
            "notes": list(self.notes),
        }


def make_blend(name: str, source: Candidates, workspace: Workspace, *, method: str = MEAN, rule: str = AUTO) -> Blend:
    """Blend all members and write the blend to the workspace, if all have scores of the chips to predict.

    Args:
        name: of the blend.
        source: makes candidates of the members.
        workspace: of the competition.
        method: one of `METHODS`.
        rule: one of `RULES`; "auto" takes the simplest rule, of those for cuts where decisions are judged, within one
            standard error of the best.

    Raises:
        UserError: if the name cannot be used, or there is no such method or rule.
    """
    check_name(name, source.members, workspace)
    candidates = source.blends(method, _rules_to_measure(method, rule, source))
    candidate = simplest(candidates) if rule == AUTO else next(asked for asked in candidates if asked.rule == rule)
    others = [other for other in candidates if other is not candidate]
    singles = [source.singles(number, [candidate.rule])[0] for number in source.whole]
    return _keep(name, candidate, source, workspace, others, singles)


def make_best(name: str, source: Candidates, workspace: Workspace, *, methods: Sequence[str] | None = None) -> Blend:
    """Compare every model and method by every rule, and write the simplest within one standard error of the best.

    Args:
        name: of the blend.
        source: makes candidates of the members to choose from.
        workspace: of the competition.
        methods: of combining them, to choose from; None: all but the slowest.

    Raises:
        UserError: if the name cannot be used.
    """
    check_name(name, source.members, workspace)
    return keep_chosen(name, compare(source, methods), workspace)


def keep_chosen(name: str, comparison: Comparison, workspace: Workspace) -> Blend:
    """Write what a comparison has chosen as a blend, if its members have scores of the chips to predict."""
    chosen, singles = comparison.chosen, [one for one in comparison.candidates if len(one.members) == 1]
    best = max(singles, key=lambda single: single.evaluation.gain, default=None)
    beside = [] if best is None or len(chosen.members) == 1 else [best]
    return replace(_keep(name, chosen, comparison.source, workspace, [], beside), comparison=comparison)


def check_name(name: str, members: Sequence[Member], workspace: Workspace) -> None:
    """Refuse a name that a blend of some members cannot have.

    Raises:
        UserError: if it is that of a file, of a model, or of something that a member is made of.
    """
    if checked_name("blend", name).endswith(".csv"):
        raise UserError(f"{name!r} would be taken for a file. Give the blend a --name without .csv.")
    if workspace.fold_table.is_file() and name in ScoreStore.of(workspace).models():
        raise UserError(f"'{name}' is a model. Give the blend another --name.")
    for member in members:
        if name in _inside(member.provenance):
            raise UserError(
                f"Blend '{name}' cannot be made of itself: its member '{member.name}' is or contains it. "
                "Give the new blend another --name."
            )


def _inside(provenance: dict[str, Any]) -> set[str]:
    """Return the names of a member and of everything that it was made of."""
    return {provenance["name"]}.union(*(_inside(member) for member in provenance.get("members", [])))


def _rules_to_measure(method: str, rule: str, source: Candidates) -> list[str]:
    """Return the rules to measure where one is asked for, or the choice among them; the simplest is always the first.

    Raises:
        UserError: if there is no such method or rule, it does not serve the metric, or a vote is asked for a rule that
            finds no cuts.
    """
    competition = source.setting.competition
    check_methods([method], competition)
    if rule not in (AUTO, *RULES):
        raise unknown_name("rule", rule, [AUTO, *RULES])
    if rule != AUTO:
        make_rule(rule, competition)  # refuses what cannot serve
    if method == VOTE and rule not in (AUTO, *CUT_RULES):
        named = ", ".join(CUT_RULES)
        raise UserError(f"A vote is by its members' cuts, and --rule {rule} has none. Give one of {named}.")
    if rule == AUTO:
        return [cheap for cheap in default_rules(competition, len(source.chips.truth)) if cheap not in DECODERS]
    return list(dict.fromkeys([source.simplest_rule, rule]))


def _keep(
    name: str,
    candidate: Candidate,
    source: Candidates,
    workspace: Workspace,
    others: Sequence[Candidate],
    singles: Sequence[Candidate],
) -> Blend:
    """Write a candidate as a blend, with what is to be known of it."""
    members = candidate.members
    lacking = lack_of_test_scores(members, workspace)
    test_names = () if lacking else shared_test_names(members, workspace)
    blend = Blend(
        name=name,
        candidate=candidate,
        source=source,
        others=tuple(other.evaluation for other in (*others, *singles)),
        specialists=evaluate_specialists(candidate, source),
        notes=(*source.chips.notes, *remarks_on(candidate, source, singles)),
        test=Scores(test_names, score_test(candidate.combined.fitted, members, test_names)),
        lacking=lacking,
    )
    if lacking:
        return blend
    return replace(blend, provenance=write_blend(workspace.blends / name, blend.oof, blend.test, blend.as_dict()))


def _fitted(candidate: Candidate, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return what was fitted, as far as it is a few numbers: cuts, those of every member of a vote, weights."""
    combiner, cuts = candidate.combined.fitted, candidate.evaluation.fitted.cuts
    names = [member.name for member in candidate.members]
    numbers: dict[str, Any] = {}
    if cuts is not None:
        numbers["cuts"] = cuts_by_label(cuts, labels)
    if (weights := getattr(combiner, "weights", None)) is not None and weights.ndim == 1:
        numbers["weights"] = dict(zip(names, weights.tolist(), strict=True))
    if candidate.method == VOTE:
        numbers["member_cuts"] = {
            name: cuts_by_label(own, labels) for name, own in zip(names, combiner.cuts, strict=True)
        }
    return numbers
