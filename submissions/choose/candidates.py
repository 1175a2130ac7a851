"""Where every blend, stack and model is measured alike: on the same chips and folds, decided in the same way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from submissions.combine.means import Mean
from submissions.combine.methods import MEAN, METHODS, VOTE, Setting, make_combiner
from submissions.combine.vote import MAJORITY
from submissions.decide.decisions import Obedient
from submissions.decide.rules import CUTS, FIXED, cut_rules, display_name, make_rule, numbers_fitted
from submissions.decide.thresholds import FixedCut
from submissions.measure.cross_fit import Combined, Combiner, DecisionRule, combine, evaluate
from submissions.measure.evaluation import Evaluation
from submissions.members.members import Member, SharedChips


@dataclass(frozen=True, eq=False)
class Candidate:
    """Members, the way they are combined, and the rule that decides: all that makes a submission of scores.

    Attributes:
        members: one or more.
        method: how they are combined; of one member, the mean.
        rule: how the labels are decided; of a vote, how each member's cuts are found.
        combined: the scores of the labelled chips.
        evaluation: of the decisions.
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


@dataclass(frozen=True, eq=False)
class Bench:
    """Measures candidates made of some members.

    Attributes:
        members: that candidates are made of.
        chips: that all of them have scored.
        setting: what combiners are made with.
        exclusive: give every chip exactly one label of each exclusive group.
        alone: let a label that stands alone have no company.
    """

    members: tuple[Member, ...]
    chips: SharedChips
    setting: Setting
    exclusive: bool = False
    alone: bool = False

    @cached_property
    def reference(self) -> Evaluation:
        """What others are compared with: the mean of all members at the prior cut."""
        (reference,) = self.blends(MEAN, [FIXED])
        return reference.evaluation

    def blends(self, method: str, rules: Sequence[str]) -> list[Candidate]:
        """Measure a blend or stack of all members by each rule; a vote is by rules for cuts alone."""
        if method != VOTE:
            return self._candidates(self.members, method, rules, self._combined(method, FIXED), method)
        return [
            self._candidate(self.members, VOTE, rule, self._combined(VOTE, rule), VOTE)
            for rule in rules
            if rule in CUTS
        ]

    def singles(self, number: int, rules: Sequence[str]) -> list[Candidate]:
        """Measure one of the members by itself, which must score every label."""
        member, scores = self.members[number], self.chips.scores[number]
        combined = Combined.unlearnt(scores, self.chips.folds, Mean())
        return self._candidates((member,), MEAN, rules, combined, f"{member.name} alone")

    @property
    def whole(self) -> list[int]:
        """The numbers of the members that score every label."""
        return [number for number, member in enumerate(self.members) if member.oof.scored.all()]

    def evaluate(self, name: str, make: Callable[[], DecisionRule], combined: Combined, **final: Any) -> Evaluation:
        """Evaluate decisions on scores of these chips, with the competition's rules as the last step."""

        def obedient(rule: DecisionRule) -> Obedient:
            return Obedient(rule, self.setting.competition, exclusive=self.exclusive, alone=self.alone)

        chips, metric = self.chips, self.setting.competition.metric
        last = {key: obedient(rule) for key, rule in final.items()}
        return evaluate(name, lambda: obedient(make()), combined, chips.truth, chips.folds, metric, **last)

    def _candidates(
        self, members: tuple[Member, ...], method: str, rules: Sequence[str], combined: Combined, title: str
    ) -> list[Candidate]:
        return [self._candidate(members, method, rule, combined, title) for rule in rules]

    def _candidate(
        self, members: tuple[Member, ...], method: str, rule: str, combined: Combined, title: str
    ) -> Candidate:
        setting = self.setting
        name = f"{title}, {display_name(rule, setting.competition.metric)}"
        if method == VOTE:
            found = self.evaluate(name, lambda: FixedCut(MAJORITY), combined)
        else:
            make = partial(make_rule, rule, setting.competition, calibration=setting.calibration, trials=setting.trials)
            found = self.evaluate(name, make, combined, final=make(studies=setting.studies, title=setting.title))
        return Candidate(members, method, rule, combined, found)

    def _combined(self, method: str, rule: str) -> Combined:
        """Combine all members; `rule` finds the cuts of a vote's."""
        scores, truth, folds = self.chips.scores, self.chips.truth, self.chips.folds

        def make(studies: Path | None = None) -> Combiner:
            competition, setting = self.setting.competition, replace(self.setting, studies=studies)
            cuts = cut_rules(competition, trials=setting.trials, studies=studies, title=setting.title)
            return make_combiner(method, setting, cuts[rule])

        learns = rule != FIXED if method == VOTE else METHODS[method].numbers(1, 1) > 0
        final = make(self.setting.studies)
        if learns:
            return combine(make, scores, truth, folds, final=final)
        fitted = final.fit(scores, truth)
        return Combined.unlearnt(fitted.predict(scores), folds, fitted)
