"""What training makes small: cross-entropies, soft F-beta, and the scores of exclusive labels that share a softmax."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from competition.spec.metric import Metric
from competition.task import Task
from models.networks.monitor import mean_over_labels
from models.recipes.loss_terms import EPSILON, MARGIN, balanced_weights, planes
from models.recipes.recipe import Columns, Recipe, softmax_groups


def make_loss(recipe: Recipe, task: Task, truth: NDArray[np.bool_]) -> keras.losses.Loss:
    """Return the loss of a recipe.

    Args:
        recipe: the loss and its values.
        task: the labels that are scored, and the metric that a soft F-beta follows.
        truth: bool array (num_training_chips, num_labels) of the labels that are scored.

    Raises:
        UserError: if the recipe asks for what the loss cannot do.
        ValueError: if `truth` has not a column for each label that is scored.
    """
    if truth.shape[1] != len(task.labels):
        raise ValueError(f"truth has {truth.shape[1]} columns for {len(task.labels)} labels")
    if recipe.loss == "soft_f_beta":
        return SoftFBeta(task.metric)
    weights = balanced_weights(truth) if recipe.class_weights == "balanced" else np.ones(len(task.labels), np.float32)
    crossentropy = CrossEntropy(recipe, weights, softmax_groups(recipe, task))
    if recipe.loss == "crossentropy_and_f_beta":
        return Sum(crossentropy, SoftFBeta(task.metric))
    return crossentropy


class CrossEntropy(keras.losses.Loss):
    """Cross-entropy of the scores, plain, focal or asymmetric: one value per chip, the mean over its labels.

    Sources: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017 (balanced by `weights`, not by its alpha);
    Ridnik et al., "Asymmetric Loss for Multi-Label Classification", ICCV 2021, with gamma+ = 0.

    Targets may lie anywhere in [0, 1], as mixed chips have them: each counts as that share of a chip with the label and
    the rest of one without. A group that shares a softmax gives the categorical loss of the labels carried, which in
    the asymmetric loss is the plain one, as there are no absent labels to pass over. Of several labels in a group, each
    is the target by an equal share; a chip without any says nothing about the group, and its loss there is 0. They may
    be two planes, see `planes`: the loss of a chip is as many times as large as it weighs.

    Args:
        recipe: loss, gamma and label smoothing.
        weights: float32 array (num_labels,), by which a label's positives count.
        groups: columns of each group that shares a softmax.
    """

    def __init__(self, recipe: Recipe, weights: NDArray[np.float32], groups: Columns) -> None:
        super().__init__(name=recipe.loss, dtype="float32")
        self.kind, self.gamma, self.smoothing = recipe.loss, recipe.gamma, recipe.label_smoothing
        self.weights, self.groups = weights, groups
        grouped = {column for group in groups for column in group}
        self.single = tuple(column for column in range(len(weights)) if column not in grouped)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss (num_chips,) of targets and scores (num_chips, num_labels)."""
        # Keras' function, as TensorFlow's looks behind a plain sigmoid for the logits: there a score that is wrong by
        # more than its clipping still learns.
        carried = ops.binary_crossentropy(ops.ones_like(y_pred), y_pred)
        absent = ops.binary_crossentropy(ops.zeros_like(y_pred), y_pred)
        if self.kind == "focal":
            carried, absent = carried * _power(1 - y_pred, self.gamma), absent * _power(y_pred, self.gamma)
        elif self.kind == "asymmetric":
            shifted = ops.maximum(y_pred - MARGIN, 0.0)
            absent = ops.binary_crossentropy(ops.zeros_like(shifted), shifted) * _power(shifted, self.gamma)
        shares = planes(y_true, len(self.weights))
        parts = [self._shared(shares, carried, group) for group in self.groups]
        if self.single:
            parts.append(self._single(shares, carried, absent))
        return sum(parts[1:], parts[0]) / len(self.weights)

    def _single(self, shares: tuple[Any, Any], carried: Any, absent: Any) -> Any:
        parts = (*shares, carried, absent)
        targets, others, carried, absent = (ops.take(x, self.single, axis=1) for x in parts) if self.groups else parts
        moved, kept = self.smoothing / 2, 1 - self.smoothing / 2
        losses = self._weights(self.single) * targets * (kept * carried + moved * absent)
        return ops.sum(losses + others * (kept * absent + moved * carried), axis=1)

    def _shared(self, shares: tuple[Any, Any], carried: Any, group: tuple[int, ...]) -> Any:
        targets, others, carried = (ops.take(part, group, axis=1) for part in (*shares, carried))
        several = ops.sum(targets, axis=1, keepdims=True) / ops.maximum(targets + others, EPSILON)
        uniform = ops.mean(carried, axis=1, keepdims=True)
        losses = (1 - self.smoothing) * carried + self.smoothing * uniform
        return ops.sum(self._weights(group) * (targets / ops.maximum(several, 1.0)) * losses, axis=1)

    def _weights(self, columns: tuple[int, ...]) -> Any:
        return ops.convert_to_tensor(self.weights[list(columns)])


class SoftFBeta(keras.losses.Loss):
    """1 - F-beta, by the competition's own average, of scores counted as if they were shares of decisions.

    Each chip is given one value. Averaged over chips, that is its own; averaged over labels, or pooled, the batch has
    one value for all of its chips. As in the metric, nothing decided where nothing is carried counts as 0: chips (or
    labels in a batch) without positives teach nothing, which is why `crossentropy_and_f_beta` exists; so too where the
    metric counts such as 1. Of targets in two planes, see `planes`, a chip that weighs 2 counts as two do.

    Args:
        metric: average, beta, and the weights of the labels.
    """

    def __init__(self, metric: Metric) -> None:
        super().__init__(name="soft_f_beta", dtype="float32")
        self.metric = metric

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss (num_chips,) of targets and scores (num_chips, num_labels)."""
        axis = {"samples": 1, "macro": 0, "micro": None}[self.metric.average]
        targets, others = planes(y_true, y_pred.shape[-1])
        counted = targets + others
        parts = (targets * y_pred, counted * y_pred, targets)
        hits, decided, carried = (ops.sum(part, axis=axis) for part in parts)
        weight = self.metric.beta**2
        values = (1 + weight) * hits / ops.maximum(decided + weight * carried, EPSILON)
        if self.metric.average == "macro":
            values = mean_over_labels(values, self.metric)
        if self.metric.average == "samples":
            return (1 - values) * ops.max(counted, axis=1)
        return 1 - values * ops.ones_like(y_pred[:, 0])


class Sum(keras.losses.Loss):
    """The sum of two losses, chip by chip."""

    def __init__(self, one: keras.losses.Loss, other: keras.losses.Loss) -> None:
        super().__init__(name=f"{one.name}_and_{other.name}", dtype="float32")
        self.one, self.other = one, other

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss (num_chips,) of targets and scores (num_chips, num_labels)."""
        return self.one.call(y_true, y_pred) + self.other.call(y_true, y_pred)


def _power(scores: Any, gamma: float) -> Any:
    # The gradient of a root is infinite at 0.
    return ops.power(ops.clip(scores, EPSILON, 1.0), gamma)
