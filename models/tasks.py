"""What a network has to say: which labels, and how it is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from competition.errors import UserError, unknown_name
from competition.spec import Competition, Metric
from models.recipes import Recipe


@dataclass(frozen=True)
class Task:
    """The labels that a network scores.

    Attributes:
        competition: the competition.
        labels: the labels scored, in the competition's order.
    """

    competition: Competition
    labels: tuple[str, ...]

    @classmethod
    def of(cls, recipe: Recipe, competition: Competition) -> Task:
        """Return the task of a recipe: all labels, or those of a specialist.

        Raises:
            UserError: if the recipe names a label that the competition does not have, or asks for a softmax over
                exclusive labels of which no group is scored.
        """
        for name in (name for name in recipe.only_labels if name not in competition.labels):
            raise unknown_name("label of --only-labels", name, list(competition.labels))
        chosen = recipe.only_labels or competition.labels
        task = cls(competition, tuple(label for label in competition.labels if label in chosen))
        if recipe.groups == "softmax" and not task.exclusive_columns:
            groups = "; or ".join(", ".join(group) for group in competition.exclusive)
            raise UserError(
                "A softmax over exclusive labels needs every label of a group: expected "
                f"{groups or 'a competition with exclusive groups'}; received {', '.join(task.labels)}. "
                "Give --groups sigmoid."
            )
        return task

    @property
    def columns(self) -> NDArray[np.int64]:
        """Columns of the labels among the competition's."""
        return np.array([self.competition.labels.index(label) for label in self.labels])

    @property
    def exclusive_columns(self) -> tuple[tuple[int, ...], ...]:
        """Columns, among the labels scored, of each exclusive group of which every label is scored."""
        whole = [group for group in self.competition.exclusive if set(group) <= set(self.labels)]
        return tuple(tuple(self.labels.index(label) for label in group) for group in whole)

    @property
    def is_whole(self) -> bool:
        """Whether every label is scored."""
        return self.labels == self.competition.labels

    @property
    def metric(self) -> Metric:
        """The metric that training watches: a specialist's is a mean over labels, as most chips carry none of them."""
        metric = self.competition.metric
        return metric if self.is_whole else metric.model_copy(update={"average": "macro"})

    def spread(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores (num_chips, num_scored) with a column for every label, NaN where it is not scored."""
        if self.is_whole:
            return scores
        spread = np.full((len(scores), len(self.competition.labels)), np.nan, dtype=np.float32)
        spread[:, self.columns] = scores
        return spread
