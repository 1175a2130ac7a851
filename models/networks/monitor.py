"""The competition's metric as a Keras metric, streamed over batches: training shows it, and keeps its best epoch.

It equals `competition.metrics.judge.measure` on the same chips, however they are batched; ROC AUC and average precision
over chips within .002, as their scores are counted in bins. Targets may lie anywhere in [0, 1], as mixed chips have
them: each counts as that share of a chip with the label and the rest of one without.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from competition.metrics.counts import counted_by
from competition.metrics.over_labels import label_weights
from competition.spec.metric import DECISIONS, Metric
from competition.task import Task
from models.recipes.loss_terms import planes

KEY = "metric"  # of the figure in Keras' logs
LOWEST, HIGHEST = -40.0, 18.0  # log odds that bins tell apart; a softmax of many labels has scores of 1e-17
BINS = 2000
SMALLEST = 1e-37  # above which float32 is precise


def monitor(task: Task) -> keras.metrics.Metric:
    """Return the metric of a task; it judges decisions that nothing was fitted to, as `Task.answers` makes them."""
    metric, num_labels = task.metric, len(task.labels)
    if metric.judges == DECISIONS:
        return OfDecisions(metric, num_labels, task.cut)
    if metric.name == "roc_auc" or (metric.name == "average_precision" and metric.average != "samples"):
        return OfBins(metric, num_labels)
    return OfChips(metric, num_labels)


class OfDecisions(keras.metrics.Metric):
    """A metric of decisions, by counts.

    Args:
        metric: the metric.
        num_labels: number of labels.
        cut: a label is decided where its score reaches this; None: the label that scores highest, of each chip.
    """

    def __init__(self, metric: Metric, num_labels: int, cut: float | None) -> None:
        super().__init__(name=KEY)
        self.metric, self.num_labels, self.cut = metric, num_labels, cut
        self.by_chip = counted_by(metric) == "samples"
        # Samples: (sum of the chips' values, number of chips). Otherwise counts by label of hits, decided, carried.
        shape = (2,) if self.by_chip else (3, num_labels)
        self.sums = self.add_weight(name="sums", shape=shape, initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: truth and scores of shape (num_chips, num_labels)."""
        truth = _truth(y_true, y_pred)
        decisions = ops.cast(y_pred >= self.cut, "float32") if self.cut is not None else _highest(y_pred)
        axis = 1 if self.by_chip else 0
        counts = ops.stack([ops.sum(part, axis=axis) for part in (truth * decisions, decisions, truth)])
        if self.by_chip:
            values = self._value(counts[0], counts[1], counts[2])
            counts = ops.stack([ops.sum(values), ops.sum(ops.ones_like(values))])
        self.sums.assign_add(counts)

    def result(self) -> Any:
        """Return the metric of everything added."""
        if self.by_chip:
            return ops.divide_no_nan(self.sums[0], self.sums[1])
        if self.metric.average == "micro":
            counts = ops.sum(self.sums, axis=1, keepdims=True)
            return ops.mean(self._value(counts[0], counts[1], counts[2]))
        return mean_over_labels(self._value(self.sums[0], self.sums[1], self.sums[2]), self.metric)

    def _value(self, hits: Any, decided: Any, carried: Any) -> Any:
        """Return what `competition.metrics.counts.of_counts` does."""
        if self.metric.name == "f_beta":
            weight = self.metric.beta**2
            under = decided + weight * carried
            values = ops.divide_no_nan((1 + weight) * hits, under)
            return ops.where(under > 0, values, 1.0) if self.metric.empty else values
        wrong = decided + carried - 2 * hits
        if self.metric.name == "accuracy" and self.metric.average == "micro":
            return 1 - wrong / self.num_labels
        return ops.cast(wrong < 0.5, "float32")


class OfChips(keras.metrics.Metric):
    """A metric of scores that is a mean over chips: log loss, or how well each chip's labels are ranked.

    Args:
        metric: the metric.
        num_labels: number of labels.
    """

    def __init__(self, metric: Metric, num_labels: int) -> None:
        super().__init__(name=KEY)
        self.metric, self.num_labels = metric, num_labels
        self.sums = self.add_weight(name="sums", shape=(2,), initializer="zeros")  # of the values and their weights

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: truth and scores of shape (num_chips, num_labels)."""
        truth, scores = _truth(y_true, y_pred), ops.cast(y_pred, "float32")
        if self.metric.name == "log_loss":
            if self.metric.average == "samples":
                shares = ops.sum(truth * scores, axis=1) / ops.maximum(ops.sum(scores, axis=1), SMALLEST)
                values = -ops.log(ops.clip(shares, max(self.metric.clip, SMALLEST), 1.0))
            else:
                values = mean_over_labels(self._losses(truth, scores), self.metric)
            weights = ops.ones_like(values)
        else:
            values, weights = self._precisions(truth, scores)
        self.sums.assign_add(ops.stack([ops.sum(values), ops.sum(weights)]))

    def result(self) -> Any:
        """Return the metric of everything added."""
        return ops.divide_no_nan(self.sums[0], self.sums[1])

    def _losses(self, truth: Any, scores: Any) -> Any:
        least = max(self.metric.clip, SMALLEST)
        carried, absent = (ops.log(ops.clip(part, least, 1 - least)) for part in (scores, 1 - scores))
        return -(truth * carried + (1 - truth) * absent)

    def _precisions(self, truth: Any, scores: Any) -> tuple[Any, Any]:
        """Return what each chip adds, and how much it weighs; see `competition.metrics.label_ranking`."""
        order = ops.argsort(-scores, axis=1)
        ranked, carried = (ops.take_along_axis(part, order, axis=1) for part in (scores, truth))
        # Of equal scores, each is ranked where the last of them is: the least of the places that follow, by doubling,
        # as XLA cannot compile Keras' associative scan on TensorFlow.
        is_last = ops.concatenate([ranked[:, 1:] < ranked[:, :-1], ops.ones_like(ranked[:, :1], dtype=bool)], axis=1)
        last = ops.where(is_last, ops.arange(self.num_labels), self.num_labels - 1)
        for step in (2**power for power in range((self.num_labels - 1).bit_length())):
            follow = ops.pad(last[:, step:], [[0, 0], [0, step]], constant_values=self.num_labels - 1)
            last = ops.minimum(last, follow)
        hits = ops.take_along_axis(ops.cumsum(carried, axis=1), last, axis=1)
        sums = ops.sum(carried * hits / ops.cast(last + 1, "float32"), axis=1)
        count = ops.sum(truth, axis=1)
        if self.metric.average == "micro":
            return sums, count
        values = ops.divide_no_nan(sums, count)
        if self.metric.name == "label_ranking":
            values = ops.where(count > 0, values, 1.0)
        return values, ops.ones_like(values)


class OfBins(keras.metrics.Metric):
    """ROC AUC and average precision over chips, of scores counted in bins.

    Bins are evenly spaced in log odds, so that small scores are told apart as well as large ones. They take 16 kB a
    label.

    Args:
        metric: the metric.
        num_labels: number of labels.
    """

    def __init__(self, metric: Metric, num_labels: int) -> None:
        super().__init__(name=KEY)
        self.metric = metric
        self.rows = 1 if metric.average == "micro" else num_labels
        # How many chips in each bin carry the label, and how many there are.
        self.counts = self.add_weight(name="counts", shape=(2, self.rows * BINS), initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: truth and scores of shape (num_chips, num_labels)."""
        truth, scores = _truth(y_true, y_pred), ops.cast(y_pred, "float32")
        odds = ops.log(ops.maximum(scores, SMALLEST)) - ops.log(ops.maximum(1 - scores, SMALLEST))
        bins = ops.cast(ops.clip((odds - LOWEST) * (BINS / (HIGHEST - LOWEST)), 0, BINS - 1), "int32")
        if self.rows > 1:
            bins = bins + BINS * ops.arange(self.rows)
        places = ops.reshape(bins, (-1,))
        added = [
            ops.segment_sum(ops.reshape(part, (-1,)), places, num_segments=self.rows * BINS)
            for part in (truth, ops.ones_like(truth))
        ]
        self.counts.assign_add(ops.stack(added))

    def result(self) -> Any:
        """Return the metric of everything added."""
        carried, every = (ops.reshape(self.counts[number], (self.rows, BINS)) for number in range(2))
        values, has_value = self._area(carried, every - carried) if self._is_area else self._precision(carried, every)
        return mean_over_labels(values, self.metric, has_value)

    @property
    def _is_area(self) -> bool:
        return self.metric.name == "roc_auc"

    def _area(self, carried: Any, others: Any) -> tuple[Any, Any]:
        """Return the ROC AUC by label, pairs within a bin counting half, and whether it has one."""
        below = ops.cumsum(others, axis=1) - others / 2
        pairs = ops.sum(carried, axis=1) * ops.sum(others, axis=1)
        return ops.divide_no_nan(ops.sum(carried * below, axis=1), pairs), ops.cast(pairs > 0, "float32")

    def _precision(self, carried: Any, every: Any) -> tuple[Any, Any]:
        """Return the average precision by label, 0 where nothing carries it; positives lie evenly in their bin."""
        above = [ops.sum(part, axis=1, keepdims=True) - ops.cumsum(part, axis=1) for part in (carried, every)]
        hits = above[0] + (carried + ops.minimum(carried, 1.0)) / 2
        reached = above[1] + (every + 1) / 2
        values = ops.divide_no_nan(ops.sum(carried * hits / reached, axis=1), ops.sum(carried, axis=1))
        return values, ops.ones_like(values)


def mean_over_labels(values: Any, metric: Metric, has_value: Any = None) -> Any:
    """Return the mean (...,) of values (..., num_labels) as `competition.metrics.over_labels` takes it, 0 of none.

    Args:
        values: by label.
        metric: gives the weights of the labels.
        has_value: 1 for labels that have one, and 0 for those left out; default: all have.
    """
    weights = label_weights(metric, values.shape[-1])
    if weights is None and has_value is None:
        return ops.mean(values, axis=-1)
    weights = ops.convert_to_tensor(np.ones(values.shape[-1]) if weights is None else weights, dtype="float32")
    weights = weights if has_value is None else weights * has_value
    return ops.divide_no_nan(ops.sum(values * weights, axis=-1), ops.sum(weights))


def _truth(targets: Any, scores: Any) -> Any:
    """Return targets (num_chips, num_labels); of two planes, the share carried, and where nothing counts the score."""
    if targets.shape[-1] == scores.shape[-1]:
        return ops.cast(targets, "float32")
    carried, absent = planes(targets, scores.shape[-1])
    return ops.where(carried + absent > 0, ops.divide_no_nan(carried, carried + absent), ops.cast(scores, "float32"))


def _highest(scores: Any) -> Any:
    return ops.one_hot(ops.argmax(scores, axis=1), scores.shape[1], dtype="float32")
