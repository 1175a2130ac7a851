"""Candidates for a submission, all measured alike: on the same chips and folds, decided in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from threadpoolctl import threadpool_limits

from competition.tables.labels import to_multi_hot
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.combine.means import Mean
from submissions.combine.methods import METHODS, Setting, make_combiner
from submissions.combine.vote import MAJORITY
from submissions.decide.cut_rules import FixedRule
from submissions.decide.decisions import Obedient
from submissions.decide.rules import cut_rules, display_name, make_rule, numbers_fitted, rules_for
from submissions.decide.studies import IN_MEMORY, Tuning
from submissions.measure.cross_fit import Combined, Combiner, CrossFit, Rule
from submissions.measure.evaluation import Evaluation, simplest_within_error
from submissions.members.coverage import check_all_scored
from submissions.members.members import Member, SharedChips, load_members, on_shared, share
from submissions.names import CUT_RULES, FIXED, MEAN, PLATT, SCORE_RULES, VOTE


@dataclass(frozen=True, eq=False)
class Candidate:
    """Members, the way they are combined, and the rule that decides: all that makes a submission of scores.

    Attributes:
        members: one or more.
        method: how they are combined; of one member, the mean.
        rule: how scores become answers: decided labels, or scores; of a vote, how each member's cuts are found.
        combined: the scores of the labelled chips.
        evaluation: of the answers.
    """

    members: tuple[Member, ...]
    method: str
    rule: str
    combined: Combined
    evaluation: Evaluation

    @property
    def simplicity(self) -> tuple[float, int]:
        """How many numbers were fitted, and how many members they are of: the fewer, the simpler."""
        num_members, num_labels = len(self.members), self.combined.scores.shape[1]
        numbers = numbers_fitted(self.rule, num_labels)
        if self.method == VOTE:
            return numbers * num_members, num_members
        return METHODS[self.method].numbers(num_members, num_labels) + numbers, num_members

    def as_dict(self, reference: Evaluation) -> dict[str, Any]:
        """Return what it is and its figures, for JSON, with the difference to a reference."""
        members = [member.name for member in self.members]
        return {"members": members, "method": self.method, "rule": self.rule, **self.evaluation.as_dict(reference)}


@dataclass(frozen=True, eq=False)
class Candidates:
    """Makes candidates of some members, and measures them.

    Attributes:
        members: that candidates are made of.
        chips: that all of them have scored.
        setting: what combiners and rules are made with.
        exclusive: give every chip exactly one label of each exclusive group.
        alone: let a label that stands alone have no company.
    """

    members: tuple[Member, ...]
    chips: SharedChips
    setting: Setting
    exclusive: bool = False
    alone: bool = False

    @cached_property
    def cross_fit(self) -> CrossFit:
        """Fits and measures on these chips."""
        return CrossFit(self.chips.truth, self.chips.folds, self.setting.competition.metric)

    @cached_property
    def reference(self) -> Evaluation:
        """What others are compared with: the mean of all members, by the simplest rule."""
        (reference,) = self.blends(MEAN, [self.simplest_rule])
        return reference.evaluation

    @property
    def simplest_rule(self) -> str:
        """The rule that learns nothing: the prior cut, or scores as they are."""
        return rules_for(self.setting.competition)[0]

    @property
    def whole(self) -> list[int]:
        """The numbers of the members that score every label."""
        return [number for number, member in enumerate(self.members) if member.oof.scored.all()]

    def blends(self, method: str, rules: Sequence[str]) -> list[Candidate]:
        """Measure a blend or stack of all members by each rule; of a vote, by the rules that find cuts."""
        if method == VOTE:
            cutting = [rule for rule in rules if rule in CUT_RULES]
            return [self._measure(self.members, VOTE, rule, self._combined(VOTE, rule), VOTE) for rule in cutting]
        combined = self._combined(method)
        return [self._measure(self.members, method, rule, combined, method) for rule in rules]

    def singles(self, number: int, rules: Sequence[str], method: str = MEAN) -> list[Candidate]:
        """Measure one of the members by itself, which must score every label, by each rule.

        Args:
            number: of the member.
            rules: that decide.
            method: "vote", where the member is one, so that its shares are decided as votes are.
        """
        member = self.members[number]
        combined = self.cross_fit.as_they_are(self.chips.scores[number], Mean())
        return [self._measure((member,), method, rule, combined, f"{member.name} alone") for rule in rules]

    def fitted(self, method: str, rule: str = FIXED) -> Combiner:
        """Return the combiner of all members that a blend uses on chips to predict; nothing is measured."""
        combiner = make_combiner(method, self.setting, cut_rules(self.setting.competition, self.setting.tuning)[rule])
        if _learns(method, rule):
            return self.cross_fit.fit_on_all(combiner, self.chips.scores)
        return combiner.fit(self.chips.scores, self.chips.truth)

    def _measure(
        self, members: tuple[Member, ...], method: str, rule: str, combined: Combined, title: str
    ) -> Candidate:
        """Measure answers made of scores of these chips; decisions with the competition's rules as the last step."""
        competition = self.setting.competition

        def made(tuning: Tuning) -> Rule:
            if rule in SCORE_RULES:
                return make_rule(rule, competition, tuning, self.setting.calibration)
            if method == VOTE:
                decides: Rule = FixedRule(MAJORITY)
            else:
                decides = make_rule(rule, competition, tuning, self.setting.calibration)
            return Obedient(decides, competition, exclusive=self.exclusive, alone=self.alone)

        tuning = self.setting.tuning
        name = f"{title}, {display_name(rule, competition.metric, one_label=competition.is_multi_class)}"
        make = partial(made, tuning.in_memory)
        with threadpool_limits(1):  # rules are fitted to one label's scores: threads would wait for each other
            evaluation = self.cross_fit.evaluate(name, make, combined, final=made(tuning))
        return Candidate(members, method, rule, combined.measured, evaluation)

    def _combined(self, method: str, rule: str = FIXED) -> Combined:
        """Combine all members; `rule` finds the cuts of those of a vote."""

        def make(setting: Setting) -> Combiner:
            return make_combiner(method, setting, cut_rules(setting.competition, setting.tuning)[rule])

        final = make(self.setting)
        if _learns(method, rule):
            return self.cross_fit.combine(partial(make, self.setting.in_memory), self.chips.scores, final=final)
        fitted = final.fit(self.chips.scores, self.chips.truth)
        return self.cross_fit.as_they_are(fitted.predict(self.chips.scores), fitted)


def _learns(method: str, rule: str) -> bool:
    """Whether what a method makes of scores depends on the truth that it was fitted to."""
    return rule != FIXED if method == VOTE else METHODS[method].numbers(1, 1) > 0


def make_candidates(
    member_names: Sequence[str],
    workspace: Workspace,
    *,
    exclusive: bool | None = None,
    alone: bool = False,
    union: Sequence[str] = (),
    extras: Sequence[str] = (),
    calibration: str = PLATT,
    tuning: Tuning = IN_MEMORY,
) -> Candidates:
    """Load members and bring them to the chips that they share.

    Args:
        member_names: models and blends.
        workspace: of the competition.
        exclusive: give every chip exactly one label of each exclusive group; None: do not.
        alone: let a label that stands alone have no company.
        union: labels that are decided where any member that scores them would.
        extras: further columns of stacks.
        calibration: of the scores that a decoder takes.
        tuning: how Optuna tunes.

    Raises:
        UserError: if a member does not fit, no member scores a label, or there is no such label or extra column.
    """
    competition, store = workspace.competition, ScoreStore.of(workspace)
    (joined,) = to_multi_hot([union], competition)
    members = load_members(member_names, workspace, store)
    check_all_scored(members, competition)
    setting = Setting(competition, tuple(member_names), joined, tuple(extras), calibration, tuning)
    setting.columns()  # refuses what it does not know
    chips = share(members, workspace, store.table)
    return Candidates(on_shared(members, chips), chips, setting, bool(exclusive), alone)


def simplest(candidates: Sequence[Candidate]) -> Candidate:
    """Return the simplest candidate within one standard error of the best.

    Args:
        candidates: of the same chips, the simplest first.
    """
    evaluation = simplest_within_error([candidate.evaluation for candidate in candidates])
    return next(candidate for candidate in candidates if candidate.evaluation is evaluation)
