"""Between heads in flat buffers and Keras networks, as which they are kept, exported and read again."""

from __future__ import annotations

import keras
import numpy as np

from models.heads.group import HeadGroup
from models.networks.heads import build_head


def best_head(group: HeadGroup, number: int) -> keras.Model:
    """Return a head of a group with the weights of its best epoch, or epochs, standardising included."""
    head = build_head(group.recipe, group.shape.num_features, group.examples.task, group.priors)
    layers = group.shape.layers(group.best, number)
    for name, weights in zip([*(f"dense{place}" for place in range(len(layers) - 1)), "logits"], layers, strict=True):
        head.get_layer(name).set_weights(weights)
    if group.moments is not None:
        ones, zeros = np.ones_like(group.moments.mean), np.zeros_like(group.moments.mean)
        head.get_layer("norm").set_weights([ones, zeros, group.moments.mean, group.moments.variance])
    return head
