"""A head of several members (TabM) by hand, which the Keras head and the engine that trains it are compared with."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
from numpy.typing import NDArray

Layer = Mapping[str, NDArray[np.floating]]


def layers_of(head: keras.Model) -> list[Layer]:
    """Return the weights of a head's dense layers by name, the first first, and of its last layer at the end."""
    dense = sorted((layer for layer in head.layers if layer.name.startswith("dense")), key=lambda layer: layer.name)
    shared = [dict(zip(("kernel", "r", "s", "bias"), layer.get_weights(), strict=True)) for layer in dense]
    last = head.get_layer("logits").get_weights()
    return [*shared, dict(zip(("kernel", "bias"), last, strict=True))]


def member_logits(features: NDArray[np.floating], layers: list[Layer]) -> NDArray[np.float64]:
    """Return the logits (num_chips, members, num_labels) of normalised features (num_chips, num_features)."""
    *dense, last = layers
    members = []
    for member in range(len(last["kernel"])):
        hidden = features.astype(np.float64)
        for layer in dense:
            hidden = (hidden * layer["r"][member]) @ layer["kernel"] * layer["s"][member] + layer["bias"][member]
            hidden = np.maximum(hidden, 0)
        members.append(hidden @ last["kernel"][member] + last["bias"][member])
    return np.stack(members, axis=1)


def mean_scores(features: NDArray[np.floating], layers: list[Layer]) -> NDArray[np.float64]:
    """Return the mean over the members of their scores (num_chips, num_labels), where no labels share a softmax."""
    return (1 / (1 + np.exp(-member_logits(features, layers)))).mean(axis=1)
