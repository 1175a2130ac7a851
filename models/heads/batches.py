"""The batches of an epoch for a group of heads; of large ones the next is made while one is computed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.heads.group import HeadGroup
from models.heads.stack import Floats
from models.inputs.augment import mix

AHEAD = 2**20  # numbers in a batch from which it is made ahead: handing over a smaller one takes longer than it saves
IN_CACHE = 2**16  # numbers standardised at once: they stay in a core's cache
LEVELS = 2**16  # of the random numbers that decide what dropout drops


@dataclass(frozen=True)
class Batch:
    """One step's chips.

    Attributes:
        features: float32 array (num_chips, num_features), standardised, some of them dropped.
        targets: float32 array (num_chips, num_labels), or two planes, see `models.recipes.loss_terms.planes`.
        masks: for each dense layer, which units are kept; none without dropout.
        labelled: bool array (num_chips,), which of them have labels and no pseudo-labels.
    """

    features: Floats
    targets: Floats
    masks: list[NDArray[np.bool_]]
    labelled: NDArray[np.bool_]


def batches_of(group: HeadGroup, epoch: int) -> Iterator[Batch]:
    """Yield the batches of an epoch. A batch's features are overwritten when the next one is asked for.

    Order, views, mixing and dropout depend on (seed, epoch, batch) alone, so that training which was interrupted and
    resumed, or goes on beside other folds, sees what it would have seen. All heads of a group see the same.

    Args:
        group: the heads.
        epoch: number of the epoch, from 0.
    """
    order = group.examples.order(group.recipe, epoch)
    size, total = min(group.recipe.batch_size, len(order)), group.steps_per_epoch
    is_ahead = total > 1 and size * group.shape.num_features >= AHEAD
    buffers = np.empty((1 + is_ahead, size, group.shape.num_features), dtype=np.float32)

    def made(index: int) -> Batch:
        positions = order[index * size : (index + 1) * size]
        # From 1: NumPy pads seeds with zeros, so batch 0 would draw from the stream that drew the order.
        random = np.random.Generator(np.random.SFC64([group.recipe.seed, epoch, index + 1]))
        return _batch(group, positions, buffers[index % len(buffers)][: len(positions)], random)

    if not is_ahead:
        yield from map(made, range(total))
        return
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(made, 0)
        for index in range(total):
            batch = coming.result()
            if index + 1 < total:
                coming = ahead.submit(made, index + 1)
            yield batch


def _batch(group: HeadGroup, positions: NDArray[np.int64], features: Floats, random: np.random.Generator) -> Batch:
    recipe, shape, views = group.recipe, group.shape, group.recipe.drawn_views
    drawn = np.sort(random.integers(len(views), size=len(positions)))  # the chips of one view are read at once
    bounds = np.searchsorted(drawn, np.arange(len(views) + 1))
    for view, start, stop in zip(views, bounds, bounds[1:], strict=False):
        group.bank.read_into(view, positions[start:stop], features[start:stop])
    targets = group.examples.targets(positions)
    if recipe.mixup:
        features[...], targets = mix(features, targets, recipe, random)
    rows = max(1, IN_CACHE // shape.num_features)
    for start in range(0, len(features), rows):
        part = features[start : start + rows]
        group.standardise(part, 1 / (1 - recipe.feature_dropout))
        if recipe.feature_dropout:
            part *= _kept(part.shape, recipe.feature_dropout, random)
    hidden = shape.mask_shapes(len(features)) if recipe.dropout else []
    masks = [_kept(sizes, recipe.dropout, random) for sizes in hidden]
    return Batch(features, targets, masks, positions < len(group.examples.truth))


def _kept(shape: tuple[int, ...], dropout: float, random: np.random.Generator) -> NDArray[np.bool_]:
    """Return which units dropout keeps: 16 random bits decide for each, so that its share is right to 1 in 65,536."""
    number = math.prod(shape)
    bits = random.bit_generator.random_raw(-(-number // 4)).view(np.uint16)[:number]
    return np.greater_equal(bits, round(dropout * LEVELS)).reshape(shape)
