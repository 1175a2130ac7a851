"""The competition's F-beta as a Keras metric, streamed over batches."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from competition.spec.metric import Metric


class FBeta(keras.metrics.Metric):
    """F-beta of the scores cut at one value; `keras.metrics.FBetaScore` has no mean over chips.

    Equals `competition.metrics.f_beta.f_beta` on the same chips, however they are batched.

    Args:
        metric: the average and beta.
        num_labels: number of labels.
        cut: a label is decided where its score reaches this; default: the metric's prior cut.
        name: key of the figure in Keras' logs.
    """

    def __init__(self, metric: Metric, num_labels: int, cut: float | None = None, name: str = "f_beta") -> None:
        super().__init__(name=name)
        self.metric, self.cut = metric, metric.prior_cut if cut is None else cut
        # Samples: (sum of the chips' values, number of chips). Otherwise counts by label of hits, decided, carried.
        shape = (2,) if metric.average == "samples" else (3, num_labels)
        self.sums = self.add_weight(name="sums", shape=shape, initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: truth and scores of shape (num_chips, num_labels)."""
        truth = ops.cast(y_true, "float32")
        decisions = ops.cast(y_pred >= self.cut, "float32")
        axis = 1 if self.metric.average == "samples" else 0
        counts = ops.stack([ops.sum(part, axis=axis) for part in (truth * decisions, decisions, truth)])
        if self.metric.average == "samples":
            values = self._value(counts[0], counts[1], counts[2])
            counts = ops.stack([ops.sum(values), ops.sum(ops.ones_like(values))])
        self.sums.assign_add(counts)

    def result(self) -> Any:
        """Return the F-beta over everything added."""
        if self.metric.average == "samples":
            return ops.divide_no_nan(self.sums[0], self.sums[1])
        counts = ops.sum(self.sums, axis=1, keepdims=True) if self.metric.average == "micro" else self.sums
        return ops.mean(self._value(counts[0], counts[1], counts[2]))

    def _value(self, hits: Any, decided: Any, carried: Any) -> Any:
        weight = self.metric.beta**2
        return ops.divide_no_nan((1 + weight) * hits, decided + weight * carried)
