"""Members that score some of the labels only: what they are judged by, and what a blend needs beside them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from competition.task import Task
from submissions.choose.candidates import Bench, Candidate
from submissions.decide.rules import FIXED, cut_rules
from submissions.measure.cross_fit import Combined, evaluate
from submissions.measure.evaluation import Evaluation, Ranking


@dataclass(frozen=True, eq=False)
class Specialist:
    """What a member that does not score every label is worth on those that it scores.

    Attributes:
        name: of the member.
        labels: that it scores, in the competition's order.
        evaluation: on these labels.
        ranking: of its scores of these labels.
    """

    name: str
    labels: tuple[str, ...]
    evaluation: Evaluation
    ranking: Ranking

    def figures(self) -> dict[str, Any]:
        """Return the figures for a JSON file."""
        return {"labels": list(self.labels), **self.evaluation.figures(), **self.ranking.figures()}


def evaluate_specialists(candidate: Candidate, bench: Bench) -> tuple[Specialist, ...]:
    """Evaluate every member that does not score all labels on those that it scores, by cuts alone."""
    competition, chips = bench.setting.competition, bench.chips
    rules = cut_rules(competition, trials=bench.setting.trials)
    make_cuts, found = rules.get(candidate.rule, rules[FIXED]), []
    for member in (member for member in candidate.members if not member.oof.scored.all()):
        scored = member.oof.scored
        scores, truth = member.oof.aligned(chips.names)[:, scored], chips.truth[:, scored]
        plain, task = Combined.unlearnt(scores, chips.folds), Task.of(competition, scored)
        each = evaluate(f"{member.name} alone", partial(make_cuts, scored), plain, truth, chips.folds, task.metric)
        found.append(Specialist(member.name, task.labels, each, Ranking.of(scores, truth)))
    return tuple(found)
