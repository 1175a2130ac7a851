"""Members that score some of the labels only: what they are worth on those."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from competition.spec.metric import SCORES
from competition.task import Task
from submissions.choose.candidates import Candidate, Candidates
from submissions.choose.report import LabelFigures
from submissions.decide.rules import cut_rules
from submissions.decide.score_rules import ScoreRule
from submissions.measure.cross_fit import CrossFit
from submissions.measure.evaluation import Evaluation, Ranking
from submissions.names import FIXED


@dataclass(frozen=True, eq=False)
class Specialist:
    """What a member that does not score every label is worth on those that it scores.

    Attributes:
        name: of the member.
        task: the labels that it scores, and what judges them.
        evaluation: on these labels.
        ranking: of its scores of these labels.
    """

    name: str
    task: Task
    evaluation: Evaluation
    ranking: Ranking

    def text(self) -> str:
        """Return the figures for a terminal."""
        table = LabelFigures(self.evaluation, self.ranking, self.task).text()
        by = ", by cuts" if self.evaluation.labels is not None else ""
        return f"{self.name} alone{by}, on the labels that it scores:\n\n{table}"

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, for JSON."""
        return {"labels": list(self.task.labels), **self.evaluation.as_dict(), **self.ranking.as_dict()}


def evaluate_specialists(candidate: Candidate, candidates: Candidates) -> tuple[Specialist, ...]:
    """Evaluate every member that does not score all labels on those that it scores, by cuts alone or as scored."""
    competition, chips = candidates.setting.competition, candidates.chips
    rules = cut_rules(competition, candidates.setting.tuning.in_memory)
    make_cut_rule, specialists = rules.get(candidate.rule, rules[FIXED]), []
    for member in (member for member in candidate.members if not member.oof.scored.all()):
        scored = member.oof.scored
        scores, truth = member.oof.aligned(chips.names)[:, scored], chips.truth[:, scored]
        task = Task.of(competition, scored)
        cross_fit = CrossFit(truth, chips.folds, task.metric)
        make = ScoreRule if task.metric.judges == SCORES else partial(make_cut_rule, scored)
        evaluation = cross_fit.evaluate(f"{member.name} alone", make, cross_fit.as_they_are(scores))
        specialists.append(Specialist(member.name, task, evaluation, Ranking.of(scores, truth, task.metric)))
    return tuple(specialists)
