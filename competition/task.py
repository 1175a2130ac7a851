"""What a model scores, and what judges it: all labels by the competition's metric, or a specialist's few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.spec.competition import Competition
from competition.spec.metric import DECISIONS, Metric


@dataclass(frozen=True)
class Task:
    """The labels that a model or a blend scores.

    Attributes:
        competition: the competition.
        labels: the labels scored, in the competition's order.
    """

    competition: Competition
    labels: tuple[str, ...]

    @classmethod
    def of(cls, competition: Competition, scored: NDArray[np.bool_]) -> Task:
        """Return the task of scores of the labels that bool `scored` (num_labels,) marks."""
        return cls(competition, tuple(label for label, has in zip(competition.labels, scored, strict=True) if has))

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
        """What judges the labels scored.

        All labels: the competition's metric. Some: F-beta, average precision and log loss as the mean over them, as a
        mean over chips says nothing where most chips carry none of them.
        """
        metric = self.competition.metric
        if not self.is_whole and metric.name in ("f_beta", "average_precision", "log_loss"):
            metric = metric.model_copy(update={"average": "macro"})
        return metric.of_labels(self.labels)

    @property
    def is_multi_class(self) -> bool:
        """Whether a chip carries exactly one of the labels scored."""
        return self.is_whole and self.competition.is_multi_class

    @property
    def cut(self) -> float | None:
        """The cut by which `answers` decides; None where nothing is cut."""
        return None if self.metric.judges != DECISIONS or self.is_multi_class else self.metric.prior_cut

    def answers(self, scores: NDArray[np.floating]) -> NDArray[Any]:
        """Return what the metric judges, if nothing was fitted to the scores.

        The scores themselves, if it judges scores. Or else bool decisions: of a multi-class competition the label that
        scores highest, otherwise the labels that reach the metric's prior cut.

        Args:
            scores: float array (num_chips, num_scored).

        Returns:
            Array of the same shape.
        """
        if self.metric.judges != DECISIONS:
            return scores
        if self.is_multi_class:
            return scores.argmax(axis=1)[:, None] == np.arange(scores.shape[1])
        return scores >= self.metric.prior_cut

    def spread(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return scores (num_chips, num_scored) with a column for every label, NaN where it is not scored."""
        if self.is_whole:
            return scores
        spread = np.full((len(scores), len(self.competition.labels)), np.nan, dtype=np.float32)
        spread[:, self.columns] = scores
        return spread
