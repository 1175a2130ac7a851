"""Scoring with many heads at once: the heads of all folds and seeds are one product of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from competition.common.interrupts import check
from competition.task import Task
from models.heads.losses import HeadLoss
from models.heads.stack import VARIANCE, HeadShape
from models.recipes.recipe import Recipe

if TYPE_CHECKING:
    import keras

AT_ONCE = 512  # chips scored at once, neither fewer nor more: BLAS adds up in an order that depends on their number


@dataclass(frozen=True)
class HeadLayers:
    """The dense layers of a head, as they take features that are not standardised.

    Attributes:
        kernels: float32 arrays (num_inputs, units).
        biases: float32 arrays (units,).
    """

    kernels: list[NDArray[np.float32]]
    biases: list[NDArray[np.float32]]

    @classmethod
    def of(cls, head: keras.Model) -> HeadLayers:
        """Return those of a Keras head of `build_head`."""
        dense = [layer.get_weights() for layer in head.layers if layer.name.startswith(("dense", "logits"))]
        norm = [weights for layer in head.layers if layer.name == "norm" for weights in layer.get_weights()]
        return cls([kernel for kernel, _ in dense], [bias for _, bias in dense]).after(norm)

    def after(self, norm: Sequence[NDArray[np.float32]]) -> HeadLayers:
        """Return the layers with what standardises the features in the first.

        Args:
            norm: gamma, beta, mean and variance (num_features,) of a batch normalisation; nothing if there is none.
        """
        if not norm:
            return self
        gamma, beta, mean, variance = (weights.astype(np.float64) for weights in norm)
        factor = gamma / np.sqrt(variance + VARIANCE)
        bias = (self.biases[0] + (beta - mean * factor) @ self.kernels[0]).astype(np.float32)
        kernel = (self.kernels[0] * factor[:, None]).astype(np.float32)
        return HeadLayers([kernel, *self.kernels[1:]], [bias, *self.biases[1:]])


class HeadScorer:
    """Runs heads of one recipe, and returns the mean of their scores; a runner, as those of networks are.

    A chip's scores do not depend on which chips are scored with it, but for the last bits on some processors.

    Args:
        heads: their layers.
        recipe: of all of them.
        task: the labels scored.
    """

    def __init__(self, heads: Sequence[HeadLayers], recipe: Recipe, task: Task) -> None:
        shape = HeadShape(len(heads[0].kernels[0]), (*recipe.dense, len(task.labels)), len(heads))
        values = np.zeros(shape.num_weights, dtype=np.float32)
        for number, head in enumerate(heads):
            for layer, weights, shift in zip(shape.layers(values, number), head.kernels, head.biases, strict=True):
                layer[0][...], layer[1][...] = weights, shift
        self._num_labels, self._stack, self._loss = len(task.labels), shape.stack(values), HeadLoss(recipe, task)

    def __call__(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the mean scores (num_chips, num_labels) of features (num_chips, num_features)."""
        scores = np.empty((len(features), self._num_labels), dtype=np.float32)
        for start in range(0, len(features), AT_ONCE):
            check()
            part = np.asarray(features[start : start + AT_ONCE], dtype=np.float32)
            lacking = AT_ONCE - len(part)
            logits = self._stack.logits(np.pad(part, ((0, lacking), (0, 0))) if lacking else part)
            of_part = self._loss.scores(logits).mean(axis=0)
            scores[start : start + len(part)] = of_part[: len(part)]
        return scores
