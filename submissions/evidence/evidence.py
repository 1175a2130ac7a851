"""What a report is about: models and blends compared on the chips they share, one of them looked at closely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.metrics.judge import measure
from competition.metrics.ranking import average_precision, roc_auc
from competition.spec.metric import DECISIONS
from competition.workspace import Workspace
from submissions.choose.candidates import Candidate, Candidates, make_candidates, simplest
from submissions.choose.compare import Comparison, compare, known_members, methods_for
from submissions.decide.cut_rules import FixedRule
from submissions.decide.decisions import decide
from submissions.decide.rules import cut_rules, default_rules
from submissions.evidence import quality
from submissions.evidence.given import Given
from submissions.measure.cross_fit import Rule
from submissions.measure.evaluation import Evaluation
from submissions.members.blend_files import written_as
from submissions.names import CALIBRATED, FIXED, MEAN, PLAIN, VOTE
from submissions.submit.entry import Entry
from submissions.submit.ledger import Ledger

# What is compared, of all that `compare` can: what won on real scores, and takes seconds.
METHODS = (MEAN, "log-loss")
UNIFORM, SHRUNK, STRUCTURED = "uniform", "shrunk", "structured"
CHEAP = (FIXED, UNIFORM, PLAIN)
RULES = (FIXED, UNIFORM, SHRUNK, STRUCTURED, PLAIN, CALIBRATED)  # cuts by label where no decoder serves
HALF = 0.5
# Chips times labels from which time and memory are spared: the mean alone blends, and a member by itself is measured by
# cheap rules. Of 2e7, cuts by label take 11 s, and weights and cuts for them 23 s and 500 MB.
MOST_CELLS = 2**23


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that a report shows, before it is drawn.

    Attributes:
        workspace: of the competition.
        comparison: of every member that scores all labels, and of blends of them.
        subject: what is looked at closely: the chosen one, or the one that was asked for.
        given: what is known of the models.
        entries: of the ledger.
    """

    workspace: Workspace
    comparison: Comparison
    subject: Candidate
    given: Given
    entries: tuple[Entry, ...]

    @property
    def source(self) -> Candidates:
        """What made the candidates."""
        return self.comparison.source

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of all columns."""
        return self.workspace.competition.labels

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of the labelled chips."""
        return self.source.chips.names

    @property
    def truth(self) -> NDArray[np.bool_]:
        """What the chips carry (num_chips, num_labels)."""
        return self.source.chips.truth

    @property
    def folds(self) -> NDArray[np.int64]:
        """The fold that holds each chip out (num_chips,)."""
        return self.source.chips.folds

    @property
    def scores(self) -> NDArray[Any]:
        """The subject's scores (num_chips, num_labels), of networks and combiners that did not see the chip.

        Where scores are judged, those that are: calibrated ones, if these were chosen.
        """
        return self.subject.combined.scores if self.decides else self.subject.evaluation.answers

    @property
    def num_test(self) -> int:
        """Chips to predict; 0 where there are none in the workspace."""
        competition = self.workspace.competition
        return len(self.workspace.test_names_of(competition.image_set(competition.default_images)))

    @property
    def decides(self) -> bool:
        """Whether the metric judges decided labels."""
        return self.workspace.competition.metric.judges == DECISIONS

    @cached_property
    def decisions(self) -> NDArray[np.bool_]:
        """The subject's decisions (num_chips, num_labels), cross-fitted; where scores are judged, from 0.5 on."""
        if self.decides:
            answers: NDArray[np.bool_] = self.subject.evaluation.answers
            return answers
        return decide(self.scores, HALF, self.workspace.competition, exclusive=False)

    @property
    def is_plain(self) -> bool:
        """Whether no truth was used for the subject's scores: those of one member, or the mean of several."""
        return self.subject.method == MEAN

    @cached_property
    def plain_scores(self) -> NDArray[Any]:
        """The mean of the subject's members' scores (num_chips, num_labels), for which no truth was used: for cuts."""
        if self.is_plain:
            return self.scores
        return np.mean([member.oof.aligned(self.names) for member in self.subject.members], axis=0)

    @cached_property
    def cuts(self) -> NDArray[np.float64]:
        """The subject's cuts (num_labels,); NaN where it decides otherwise."""
        found = getattr(self.subject.evaluation.fitted, "cuts", None)
        if found is None or not self.decides or self.workspace.competition.is_multi_class:
            return np.full(len(self.labels), np.nan)
        cuts: NDArray[np.float64] = found
        return cuts

    @cached_property
    def support(self) -> NDArray[np.int64]:
        """Chips that carry each label (num_labels,)."""
        return self.truth.sum(axis=0)

    @cached_property
    def precision_of_scores(self) -> NDArray[np.float64]:
        """The average precision of each label (num_labels,), whatever the cuts."""
        return average_precision(self.truth, self.scores)

    @cached_property
    def area(self) -> NDArray[np.float64]:
        """The area under the ROC curve of each label (num_labels,)."""
        return roc_auc(self.truth, self.scores)

    @cached_property
    def by_cuts(self) -> dict[str, Evaluation]:
        """The plain scores by a cut of 0.5, the best uniform one, and one by label, all cross-fitted."""
        competition = self.workspace.competition
        if not self.decides or competition.is_multi_class:
            return {}
        every, rules = np.ones(len(self.labels), dtype=bool), cut_rules(competition)
        makes: dict[str, Callable[[], Rule]] = {
            f"{HALF}": partial(FixedRule, HALF),
            "best uniform cut": partial(rules[UNIFORM], every),
            "cuts by label": partial(rules["per-label"], every),
        }
        fit = self.source.cross_fit
        plain = fit.as_they_are(self.plain_scores)
        return {name: fit.evaluate(name, make, plain) for name, make in makes.items()}

    def of_member(self, name: str) -> NDArray[np.float32]:
        """Return the scores (num_chips, num_labels) of a member; NaN for labels that it does not score."""
        numbers = [member.name for member in self.source.members]
        scores: NDArray[np.float32] = self.source.chips.scores[numbers.index(name)]
        return scores

    def by_member(self, name: str) -> NDArray[np.float64]:
        """Return what a member's scores of each label are worth (num_labels,); NaN where it has none.

        That is by the metric, or where it judges decisions the average precision.
        """
        scores, competition = self.of_member(name), self.workspace.competition
        scored = ~np.isnan(scores).any(axis=0)
        found = np.full(len(self.labels), np.nan)
        if self.decides:
            found[scored] = average_precision(self.truth[:, scored], scores[:, scored])
        elif scored.all():
            found = quality.of_scores(self.truth, scores, competition)
        elif not quality.needs_all_labels(competition):
            found[scored] = quality.of_scores(self.truth[:, scored], scores[:, scored], competition)
        return found

    def at_prior_cut(self, scores: NDArray[Any], rows: NDArray[np.bool_] | slice = slice(None)) -> float:
        """Return the metric of scores (num_chips, num_labels), on some rows, by the rule that learns nothing."""
        competition = self.workspace.competition
        scores, truth = scores[rows], self.truth[rows]
        if not self.decides:
            return measure(truth, scores, competition.metric)
        answers = decide(scores, competition.metric.prior_cut, competition, exclusive=False)
        return measure(truth, answers, competition.metric)


def gather(name: str | None, workspace: Workspace, given: Given) -> Evidence:
    """Compare what a workspace holds.

    Args:
        name: a model or blend to look at closely; None: the simplest within an error of the best.
        workspace: of the competition.
        given: what is known of the models.

    Raises:
        UserError: if no model has all its folds, or there is no such model or blend.
    """
    members = known_members(workspace)
    others = () if name is None or name in members else (name,)
    candidates = make_candidates((*members, *others), workspace)
    competition = workspace.competition
    known = default_rules(competition, len(candidates.chips.truth))
    rules = [rule for rule in known if rule in RULES and not (rule == SHRUNK and STRUCTURED in known)]
    named = None if name is None else _named(name, candidates, rules)
    compared = _without(others, candidates)
    if not compared.whole:
        raise UserError("No model or blend scores every label, so there is nothing to report yet.")
    methods = METHODS[:1] if is_large(candidates) else METHODS
    blended = [method for method in methods_for(competition) if method in methods]
    few = [rule for rule in rules if rule in CHEAP] if is_large(candidates) else None
    comparison = compare(compared, blended, rules, rules_alone=few)
    entries = tuple(Ledger.of(workspace).entries())
    return Evidence(workspace, comparison, named or comparison.chosen, given, entries)


def is_large(candidates: Candidates) -> bool:
    """Whether there is so much to compare that only what is cheap is."""
    return candidates.chips.truth.size > MOST_CELLS


def _named(name: str, candidates: Candidates, rules: Sequence[str]) -> Candidate:
    """Return a member by the rule that it was written with, if it is a blend, or the simplest one near the best."""
    number = [member.name for member in candidates.members].index(name)
    if number not in candidates.whole:
        raise UserError(
            f"'{name}' does not score every label: a report is about what does. Give another name, or none."
        )
    if own := written_as(candidates.members[number].folder):
        setting = replace(candidates.setting, calibration=own.calibration)
        source = replace(candidates, setting=setting, exclusive=own.exclusive, alone=own.alone)
        (candidate,) = source.singles(number, [own.rule], VOTE if own.method == VOTE else MEAN)
        return candidate
    return simplest(sorted(candidates.singles(number, rules), key=lambda candidate: candidate.simplicity))


def _without(names: Sequence[str], candidates: Candidates) -> Candidates:
    """Return candidates without some members: a blend is not compared with, or blended with, what it is made of."""
    kept = [number for number, member in enumerate(candidates.members) if member.name not in names]
    if len(kept) == len(candidates.members):
        return candidates
    members = tuple(candidates.members[number] for number in kept)
    chips = replace(candidates.chips, scores=candidates.chips.scores[kept])
    setting = replace(candidates.setting, members=tuple(member.name for member in members))
    return replace(candidates, members=members, chips=chips, setting=setting)
