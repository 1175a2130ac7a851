"""Members that score some of the labels only: what they are judged by, and what a blend needs beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.errors import UserError
from competition.spec import Competition, Metric
from submissions.evaluate import Evaluation, Ranking
from submissions.members import Member


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


def labels_of(competition: Competition, scored: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return the labels that bool `scored` (num_labels,) marks."""
    return tuple(label for label, has_scores in zip(competition.labels, scored, strict=True) if has_scores)


def metric_of(competition: Competition, scored: NDArray[np.bool_]) -> Metric:
    """Return what decisions on the labels that `scored` (num_labels,) marks are judged by.

    All labels: the competition's metric. Some: the mean over them, as a mean over chips says nothing where most chips
    carry none of them.
    """
    return competition.metric if scored.all() else Metric(average="macro", beta=competition.metric.beta)


def check_all_scored(members: Sequence[Member], competition: Competition) -> None:
    """Refuse members that leave a label without scores.

    Raises:
        UserError: if no member scores a label.
    """
    scored = np.any([member.oof.scored for member in members], axis=0)
    if not scored.all():
        names = " or ".join(f"'{member.name}'" for member in members)
        raise UserError(
            f"No scores of {', '.join(labels_of(competition, ~scored))} by {names}. Add a model that scores them, such "
            f"as one trained for all labels: --members MODEL,{','.join(member.name for member in members)}."
        )
