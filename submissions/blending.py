"""Making a blend: load the members, choose the cuts, compare, and keep the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.errors import UserError
from competition.files import checked_name
from competition.labels import to_multi_hot
from competition.spec import Competition
from competition.workspace import Workspace
from folds.scores import Scores, ScoreStore
from submissions.blend_files import write_blend
from submissions.blends import BlendRule, Mean, blend_rule
from submissions.cuts import by_label, digest_scores
from submissions.decoding import decide
from submissions.evaluate import Evaluation, Ranking, cross_fit, evaluate, paired_difference
from submissions.members import Member, SharedChips, lack_of_test_scores, load_members, share, shared_test_names
from submissions.specialists import Specialist, check_all_scored, labels_of, metric_of
from submissions.thresholds import AUTO, TRIALS, MakeRule, choose, cut_rules, display_name, selected

PRIOR = "fixed"  # the rule that others must beat


@dataclass(frozen=True, eq=False)
class Blend:
    """A blend with everything that is to be known of it.

    Attributes:
        name: of the blend.
        exclusive: whether every chip gets exactly one label of each exclusive group.
        oof: scores of the labelled chips, cross-fitted.
        test: scores of the chips to predict.
        cuts: float array (num_labels,): what to cut `test` at.
        evaluation: of the blend as it is.
        ranking: of its out-of-fold scores.
        reference: name of what the differences of evaluations are to.
        others: evaluations of the blend with other cuts, and of every member that scores all labels alone, with the
            same rule for cuts.
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
    cuts: NDArray[np.float64]
    evaluation: Evaluation
    ranking: Ranking
    reference: str
    others: tuple[Evaluation, ...]
    specialists: tuple[Specialist, ...]
    notes: tuple[str, ...]
    about: dict[str, Any]
    lacking: str


def make_blend(
    name: str,
    member_names: Sequence[str],
    workspace: Workspace,
    *,
    method: str = "mean",
    cuts: str = AUTO,
    exclusive: bool = True,
    union: Sequence[str] = (),
    trials: int = TRIALS,
) -> Blend:
    """Blend members and write the blend to the workspace, if every member has scores of the chips to predict.

    Args:
        name: of the blend.
        member_names: models and blends.
        workspace: of the competition.
        method: "mean" or "vote".
        cuts: one of `cut_options`; "auto" takes the prior cut unless another rule wins cross-fitted.
        exclusive: give every chip exactly one label of each exclusive group.
        union: labels that are decided where any member that scores them would.
        trials: size of every Optuna study.

    Raises:
        UserError: if the name cannot be used, a member does not fit, no member scores a label, or there is no such
            method, rule or label.
    """
    store = ScoreStore.of(workspace)
    joined = to_multi_hot([union], workspace.competition)[0]
    members = load_members(member_names, workspace, store)
    _check_name(name, members, store)
    check_all_scored(members, workspace.competition)
    shared = share(members, workspace, store.table)
    bench = _Bench(method, exclusive, joined, workspace.competition, shared)
    quick = selected(cut_rules(workspace.competition, trials=trials), cuts)
    kept = cut_rules(workspace.competition, trials=trials, studies=workspace.studies, title=name)
    compared = bench.compare(quick, kept)
    rule = choose(compared) if cuts == AUTO else cuts
    singles = bench.evaluate_members(members, quick[rule], compared[PRIOR].decisions)
    specialists = bench.evaluate_specialists(members, quick[rule])
    reference, evaluation = compared[PRIOR].name, compared.pop(rule)
    fitted: BlendRule = evaluation.fitted
    oof = Scores(shared.names, bench.cross_fitted_scores(quick[rule]))
    ranking = Ranking.of(oof.values, shared.truth)
    lacking = lack_of_test_scores(members, workspace)
    test_names = () if lacking else shared_test_names(members, workspace)
    test = Scores(test_names, fitted.combiner.predict_test(members, test_names))
    notes = (*shared.notes, *bench.remarks(evaluation, singles))
    others = (*compared.values(), *singles)
    about = {
        "name": name,
        "method": method,
        "rule": rule,
        "exclusive": exclusive,
        "union": list(labels_of(workspace.competition, joined)),
        **_sources(members, store, shared),
        **_cuts(fitted, members, store.labels),
        "figures": [each.figures() for each in (evaluation, *others)],
        "specialists": [each.figures() for each in specialists],
        **ranking.figures(),
        "notes": list(notes),
    }
    written = about if lacking else write_blend(workspace.blends / name, oof, test, about)
    return Blend(
        name=name,
        exclusive=exclusive,
        oof=oof,
        test=test,
        cuts=fitted.rule.cuts,
        evaluation=evaluation,
        ranking=ranking,
        reference=reference,
        others=others,
        specialists=specialists,
        notes=notes,
        about=written,
        lacking=lacking,
    )


@dataclass(frozen=True, eq=False)
class _Bench:
    """Evaluates blends and members on the same chips, decided in the same way."""

    method: str
    exclusive: bool
    union: NDArray[np.bool_]
    competition: Competition
    shared: SharedChips

    def compare(self, quick: dict[str, MakeRule], kept: dict[str, MakeRule]) -> dict[str, Evaluation]:
        """Evaluate the blend with every rule for cuts in `quick`; differences are to the prior cut."""
        reference = self._decisions(self._rule(quick[PRIOR]))
        return {
            rule: self._evaluate(
                f"{self.method}, {display_name(rule, self.competition.metric)}",
                self._rule(make_rule),
                self.shared.scores,
                reference,
                self._rule(kept[rule])(),
            )
            for rule, make_rule in quick.items()
        }

    def evaluate_members(
        self, members: Sequence[Member], make_rule: MakeRule, reference: NDArray[np.bool_]
    ) -> list[Evaluation]:
        """Evaluate every member that scores all labels alone, with the blend's rule for cuts."""
        make = blend_rule("mean", make_rule, self.competition, self.exclusive)
        return [
            self._evaluate(f"{member.name} alone", make, scores[None], reference)
            for member, scores in zip(members, self.shared.scores, strict=True)
            if member.oof.scored.all()
        ]

    def evaluate_specialists(self, members: Sequence[Member], make_rule: MakeRule) -> tuple[Specialist, ...]:
        """Evaluate every other member on the labels that it scores, by cuts alone."""
        return tuple(
            self._specialist(member.name, member.oof.scored, scores, make_rule)
            for member, scores in zip(members, self.shared.scores, strict=True)
            if not member.oof.scored.all()
        )

    def _specialist(
        self, name: str, scored: NDArray[np.bool_], scores: NDArray[np.float32], make_rule: MakeRule
    ) -> Specialist:
        scores, truth, metric = scores[:, scored], self.shared.truth[:, scored], metric_of(self.competition, scored)
        found = evaluate(f"{name} alone", partial(make_rule, scored), scores, truth, self.shared.folds, metric)
        return Specialist(name, labels_of(self.competition, scored), found, Ranking.of(scores, truth))

    def cross_fitted_scores(self, make_rule: MakeRule) -> NDArray[np.float32]:
        """Return the blend's scores (num_chips, num_labels), each by a combiner fitted on the other folds."""
        make = self._rule(make_rule)
        return cross_fit(lambda: make().combiner, self.shared.scores, self.shared.truth, self.shared.folds)

    def remarks(self, evaluation: Evaluation, singles: Sequence[Evaluation]) -> list[str]:
        """Return what the user must know: unions, whether the blend helps, and what the exclusive groups cost."""
        remarks = []
        scorers = (~np.isnan(self.shared.scores).any(axis=1)).sum(axis=0)
        if joined := labels_of(self.competition, self.union & (scorers > 1)):
            remarks.append(f"Decided where any member that scores it would: {', '.join(joined)}.")
        if alone := labels_of(self.competition, self.union & (scorers == 1)):
            remarks.append(f"--union has no effect on {', '.join(alone)}, which one member alone scores.")
        if not self.exclusive and not self.competition.exclusive:
            remarks.append("--any-weather has no effect: the competition has no exclusive group.")
        if singles and len(self.shared.scores) > 1:
            best = max(singles, key=lambda single: single.cross_fitted)
            gain, error = self._difference(evaluation.decisions, best.decisions)
            verb = "gains" if gain >= 0 else "LOSES"
            member = "its best member" if len(singles) == len(self.shared.scores) else "the best that scores all labels"
            remarks.append(f"The blend {verb} {abs(gain):.4f} ± {error:.4f} over {member}, {best.name}.")
        if self.exclusive and self.competition.exclusive:
            remarks.append(self._cost_of_exclusive())
        return remarks

    def _cost_of_exclusive(self) -> str:
        mean, metric = Mean().predict(self.shared.scores), self.competition.metric
        free, bound = (
            decide(mean, metric.prior_cut, self.competition, exclusive=exclusive) for exclusive in (False, True)
        )
        cost, error = self._difference(free, bound)
        groups = " and one of ".join(", ".join(group) for group in self.competition.exclusive)
        return (
            f"Deciding exactly one of {groups} for every chip {'costs' if cost >= 0 else 'gains'} {abs(cost):.4f} ± "
            f"{error:.4f} {metric.name} here (mean of the members, cut {metric.prior_cut:.3g}); --any-weather allows "
            "several."
        )

    def _rule(self, make_rule: MakeRule) -> Callable[[], BlendRule]:
        return blend_rule(self.method, make_rule, self.competition, self.exclusive, self.union)

    def _evaluate(
        self,
        name: str,
        make: Callable[[], BlendRule],
        scores: NDArray[np.float32],
        reference: NDArray[np.bool_],
        final: BlendRule | None = None,
    ) -> Evaluation:
        shared, metric = self.shared, self.competition.metric
        return evaluate(name, make, scores, shared.truth, shared.folds, metric, reference=reference, final=final)

    def _decisions(self, make: Callable[[], BlendRule]) -> NDArray[np.bool_]:
        return cross_fit(make, self.shared.scores, self.shared.truth, self.shared.folds)

    def _difference(self, decisions: NDArray[np.bool_], reference: NDArray[np.bool_]) -> tuple[float, float]:
        return paired_difference(self.shared.truth, decisions, reference, self.competition.metric)


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


def _cuts(fitted: BlendRule, members: Sequence[Member], labels: tuple[str, ...]) -> dict[str, Any]:
    """Return the cuts of the blend, and of every member where the method has such."""
    of_members = getattr(fitted.combiner, "cuts", None)
    cuts: dict[str, Any] = {"cuts": by_label(fitted.rule.cuts, labels)}
    if of_members is not None:
        names = [member.name for member in members]
        cuts["member_cuts"] = {name: by_label(own, labels) for name, own in zip(names, of_members, strict=True)}
    return cuts
