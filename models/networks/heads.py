"""Heads: from pooled features to scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from competition.task import Task
from models.networks.layers import OwnDense, PriorShift, ScoreLayer, SharedDense
from models.recipes.recipe import Recipe, softmax_groups


@dataclass(frozen=True)
class Priors:
    """How often the labels occur, in logits: float32 arrays (num_labels,).

    Attributes:
        among_chips: logits whose scores are the labels' frequencies among the training chips. Biases that begin there
            spare the first steps the way from a half to a rare label's frequency, and the backbone the large gradients
            of that way (the prior of Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017).
        in_batches: those of the frequencies in batches, if they are other ones; None if not.
    """

    among_chips: NDArray[np.float32]
    in_batches: NDArray[np.float32] | None = None

    @property
    def shift(self) -> NDArray[np.float32] | None:
        """How much better the odds are in batches than among the chips, in logits; None if they are the same."""
        return None if self.in_batches is None else self.in_batches - self.among_chips


def build_head(recipe: Recipe, num_features: int, task: Task, priors: Priors | None = None) -> keras.Model:
    """Return the head of a recipe: dense layers with dropout before each, then one score per label.

    A head of several members (TabM, Gorishniy et al., "TabM: Advancing Tabular Deep Learning with Parameter-Efficient
    Ensembling", ICLR 2025) has layers of the same names, the dense ones of which are `SharedDense` and the last
    `OwnDense`, and ends in the mean of the members' scores.

    Args:
        recipe: the recipe; without dense layers the head is a linear probe.
        num_features: length of a feature vector.
        task: the labels to score.
        priors: where its biases begin, and what `PriorShift` adds; None where weights are loaded next.

    Returns:
        A network from features (num_chips, num_features) to scores (num_chips, num_labels) in [0, 1].
    """
    features = hidden = keras.Input((num_features,), name="features")
    if recipe.head_norm == "batch":
        hidden = layers.BatchNormalization(momentum=0.95, name="norm")(hidden)
    for number, units in enumerate(recipe.dense):
        hidden = layers.Dropout(recipe.dropout if number else recipe.feature_dropout, name=f"dropout{number}")(hidden)
        hidden = _dense(units, recipe.members, f"dense{number}")(hidden)
    last = recipe.dropout if recipe.dense else recipe.feature_dropout
    hidden = layers.Dropout(last, name="dropout")(hidden)
    hidden = _logits(len(task.labels), recipe.members, priors)(hidden)
    if recipe.sampling == "balanced":
        hidden = PriorShift(priors.shift if priors else None, name="prior_shift")(hidden)
    scores = ScoreLayer(softmax_groups(recipe, task), name="scores")(hidden)
    if recipe.members > 1:
        mean = layers.GlobalAveragePooling1D(data_format="channels_last", dtype="float32", name="mean")
        scores = mean(scores)
    return keras.Model(features, scores, name="head")


def _dense(units: int, members: int, name: str) -> keras.Layer:
    if members > 1:
        return SharedDense(units, members, name=name)
    return layers.Dense(units, activation="relu", name=name)


def _logits(num_labels: int, members: int, priors: Priors | None) -> keras.Layer:
    if members > 1:
        return OwnDense(num_labels, priors.among_chips if priors else None, dtype="float32", name="logits")
    bias = keras.initializers.Constant(priors.among_chips if priors else 0.0)
    return layers.Dense(num_labels, bias_initializer=bias, dtype="float32", name="logits")


def standardize(head: keras.Model, features: NDArray[np.floating[Any]]) -> None:
    """Begin a head's batch normalisation with the moments of its features, which moving averages find in 100 steps.

    Args:
        head: a head of `build_head`; nothing happens to one without normalisation.
        features: array (num_chips, num_features) of some training chips.
    """
    for layer in head.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.moving_mean.assign(features.mean(axis=0, dtype=np.float32))
            layer.moving_variance.assign(features.var(axis=0, dtype=np.float32))
