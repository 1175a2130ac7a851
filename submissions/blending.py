"""Making a blend: load the members, choose the cuts, compare, and keep the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.errors import UserError
from competition.files import checked_name
from competition.spec import Competition
from competition.workspace import Workspace
from folds.scores import Scores, ScoreStore
from submissions.blend_files import write_blend
from submissions.blends import BlendRule, Mean, blend_rule
from submissions.cuts import by_label, digest_scores
from submissions.decoding import decide
from submissions.evaluate import Evaluation, Ranking, cross_fit, evaluate, paired_difference
from submissions.members import Member, SharedChips, load_members, share, shared_test_names
from submissions.thresholds import AUTO, TRIALS, CutRule, choose, cut_rules, display_name, selected

PRIOR = "fixed"  # the rule that others must beat

MakeRules = dict[str, Callable[[], CutRule]]


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
        others: evaluations of the blend with other cuts, and of every member alone with the same rule for cuts.
        notes: lines to show: chips not used, what the exclusive groups cost, what the blend gains.
        about: content of `blend.json`.
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
    notes: tuple[str, ...]
    about: dict[str, Any]


def make_blend(
    name: str,
    member_names: Sequence[str],
    workspace: Workspace,
    *,
    method: str = "mean",
    cuts: str = AUTO,
    exclusive: bool = True,
    trials: int = TRIALS,
) -> Blend:
    """Blend members and write the blend to the workspace.

    Args:
        name: of the blend.
        member_names: models and blends.
        workspace: of the competition.
        method: "mean" or "vote".
        cuts: "fixed", "uniform" or "per-label"; "auto" takes the prior cut unless another rule wins cross-fitted.
        exclusive: give every chip exactly one label of each exclusive group.
        trials: size of every Optuna study.

    Raises:
        UserError: if the name cannot be used, a member does not fit, or there is no such method or rule.
    """
    store = ScoreStore.of(workspace)
    members = load_members(member_names, workspace, store)
    _check_name(name, members, store)
    shared = share(members, workspace, store.table)
    bench = _Bench(method, exclusive, workspace.competition, shared)
    quick = selected(cut_rules(workspace.competition, trials=trials), cuts)
    kept = cut_rules(workspace.competition, trials=trials, studies=workspace.studies, title=name)
    compared = bench.compare(quick, kept)
    rule = choose(compared) if cuts == AUTO else cuts
    singles = bench.evaluate_members(members, quick[rule], compared[PRIOR].decisions)
    reference, evaluation = compared[PRIOR].name, compared.pop(rule)
    fitted: BlendRule = evaluation.fitted
    oof = Scores(shared.names, bench.cross_fitted_scores(quick[rule]))
    ranking = Ranking.of(oof.values, shared.truth)
    test_names = shared_test_names(members, workspace)
    test = Scores(test_names, fitted.combiner.predict_test(members, test_names))
    notes = (*shared.notes, *bench.remarks(evaluation, singles))
    others = (*compared.values(), *singles)
    about = {
        "name": name,
        "method": method,
        "rule": rule,
        "exclusive": exclusive,
        **_sources(members, store, shared),
        **_cuts(fitted, members, store.labels),
        "figures": [each.figures() for each in (evaluation, *others)],
        **ranking.figures(),
        "notes": list(notes),
    }
    written = write_blend(workspace.blends / name, oof, test, about)
    return Blend(name, exclusive, oof, test, fitted.rule.cuts, evaluation, ranking, reference, others, notes, written)


@dataclass(frozen=True, eq=False)
class _Bench:
    """Evaluates blends and members on the same chips, decided in the same way."""

    method: str
    exclusive: bool
    competition: Competition
    shared: SharedChips

    def compare(self, quick: MakeRules, kept: MakeRules) -> dict[str, Evaluation]:
        """Evaluate the blend with every rule for cuts in `quick`; differences are to the prior cut."""
        reference = self._decisions(blend_rule(self.method, quick[PRIOR], self.competition, self.exclusive))
        return {
            rule: self._evaluate(
                f"{self.method}, {display_name(rule, self.competition.metric)}",
                blend_rule(self.method, make_rule, self.competition, self.exclusive),
                self.shared.scores,
                reference,
                blend_rule(self.method, kept[rule], self.competition, self.exclusive)(),
            )
            for rule, make_rule in quick.items()
        }

    def evaluate_members(
        self, members: Sequence[Member], make_rule: Callable[[], CutRule], reference: NDArray[np.bool_]
    ) -> list[Evaluation]:
        """Evaluate every member alone, with the blend's rule for cuts."""
        make = blend_rule("mean", make_rule, self.competition, self.exclusive)
        return [
            self._evaluate(f"{member.name} alone", make, scores[None], reference)
            for member, scores in zip(members, self.shared.scores, strict=True)
        ]

    def cross_fitted_scores(self, make_rule: Callable[[], CutRule]) -> NDArray[np.float32]:
        """Return the blend's scores (num_chips, num_labels), each by a combiner fitted on the other folds."""
        make = blend_rule(self.method, make_rule, self.competition, self.exclusive)
        return cross_fit(lambda: make().combiner, self.shared.scores, self.shared.truth, self.shared.folds)

    def remarks(self, evaluation: Evaluation, singles: Sequence[Evaluation]) -> list[str]:
        """Return what the user must know: whether the blend helps, and what the exclusive groups cost."""
        remarks = []
        if len(singles) > 1:
            best = max(singles, key=lambda single: single.cross_fitted)
            gain, error = self._difference(evaluation.decisions, best.decisions)
            verb = "gains" if gain >= 0 else "LOSES"
            remarks.append(f"The blend {verb} {abs(gain):.4f} ± {error:.4f} over its best member, {best.name}.")
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
