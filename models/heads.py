"""Heads: from pooled features to scores."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from models.losses import Scores, softmax_groups
from models.recipes import Recipe
from models.tasks import Task


def build_head(
    recipe: Recipe, num_features: int, task: Task, prior_shift: NDArray[np.float32] | None = None
) -> keras.Model:
    """Return the head of a recipe: dense layers with dropout before each, then one score a label.

    Args:
        recipe: the recipe; without dense layers the head is a linear probe.
        num_features: length of a feature vector.
        task: the labels to score.
        prior_shift: see `PriorShift`; None where the batches carry labels as often as the chips do.

    Returns:
        A network from features (num_chips, num_features) to scores (num_chips, num_labels) in [0, 1].
    """
    features = hidden = keras.Input((num_features,), name="features")
    if recipe.head_norm == "batch":
        hidden = layers.BatchNormalization(momentum=0.95, name="norm")(hidden)
    for number, units in enumerate(recipe.dense):
        hidden = layers.Dropout(recipe.dropout, name=f"dropout{number}")(hidden)
        hidden = layers.Dense(units, activation="relu", name=f"dense{number}")(hidden)
    hidden = layers.Dropout(recipe.dropout, name="dropout")(hidden)
    hidden = layers.Dense(len(task.labels), dtype="float32", name="logits")(hidden)
    if recipe.sampling == "balanced":
        hidden = PriorShift(prior_shift, name="prior_shift")(hidden)
    return keras.Model(features, Scores(softmax_groups(recipe, task), name="scores")(hidden), name="head")


@keras.saving.register_keras_serializable(package="planet")
class PriorShift(layers.Layer):
    """Add to each logit, while training only, the log of how much better the odds of its label are in the batches.

    A network that is shown a rare label more often than it occurs learns scores that are too high. With the shift the
    logits before it stay those of the true frequencies (logit adjustment, Menon et al. 2021; King and Zeng 2001).

    Args:
        shift: array (num_labels,), the log of the odds in the batches over those among the chips.
    """

    def __init__(self, shift: NDArray[np.float32] | None = None, **options: Any) -> None:
        super().__init__(dtype="float32", **{key: value for key, value in options.items() if key != "dtype"})
        self.initial = shift

    def build(self, input_shape: tuple[int | None, int]) -> None:
        """Make the weight that holds the shift."""
        self.shift = self.add_weight(shape=(input_shape[-1],), initializer="zeros", trainable=False, name="shift")
        if self.initial is not None:
            self.shift.assign(self.initial)

    def call(self, logits: Any, training: bool = False) -> Any:
        """Return the logits, shifted while training."""
        return logits + self.shift if training else logits
