"""Batches streamed from the chip cache, so that memory does not grow with the data set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from competition.chip_cache import ChipCache
from models.augment import augment
from models.recipes import Recipe


@dataclass(frozen=True)
class ChipReader:
    """Chips of a cache as a network takes them.

    Attributes:
        cache: decoded chips.
        columns: which of the cache's bands the network takes, in its order.
    """

    cache: ChipCache
    columns: tuple[int, ...]

    def __call__(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return the chips at `positions` as uint8 or float32 (num_positions, size, size, num_columns)."""
        return as_network_input(self.cache.read(positions), self.columns)


def as_network_input(chips: NDArray[Any], columns: tuple[int, ...]) -> NDArray[Any]:
    """Return some bands of the chips, in a data type that every backend takes: uint8, or float32 for 16 bits."""
    if columns != tuple(range(chips.shape[-1])):
        chips = chips[..., columns]
    return chips if chips.dtype == np.uint8 else chips.astype(np.float32)


class ChipBatches(keras.utils.PyDataset):
    """Chips with their labels, in order and unchanged: those of a fold that are held out.

    Args:
        read: the chips.
        positions: positions of the chips in the cache.
        truth: bool array (num_chips_in_cache, num_labels).
        batch_size: chips a batch; the last may be smaller.
    """

    def __init__(
        self, read: ChipReader, positions: NDArray[np.int64], truth: NDArray[np.bool_], batch_size: int
    ) -> None:
        super().__init__()
        self.read, self.positions, self.truth, self.batch_size = read, positions, truth, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.positions) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        positions = self.positions[index * self.batch_size :][: self.batch_size]
        return self.change(self.read(positions), index), self.truth[positions].astype(np.float32)

    def change(self, chips: NDArray[Any], index: int) -> NDArray[Any]:
        """Return the chips of batch `index` as the network is to see them."""
        return chips


class TrainingBatches(ChipBatches):
    """One epoch of shuffled, augmented chips.

    Order and augmentation depend on (seed, epoch, batch) alone, so that training which was interrupted and resumed
    sees the same batches as training which was not.

    Args:
        read: the chips.
        positions: positions of the training chips in the cache.
        truth: bool array (num_chips_in_cache, num_labels).
        recipe: batch size, augmentation and seed.
        epoch: number of the epoch, from 0.
    """

    def __init__(
        self, read: ChipReader, positions: NDArray[np.int64], truth: NDArray[np.bool_], recipe: Recipe, epoch: int
    ) -> None:
        shuffled = np.random.default_rng([recipe.seed, epoch]).permutation(positions)
        super().__init__(read, shuffled, truth, recipe.batch_size)
        self.recipe, self.epoch = recipe, epoch

    def change(self, chips: NDArray[Any], index: int) -> NDArray[Any]:
        """Return the chips of batch `index`, each under its own random view."""
        # From 1: NumPy pads seeds with zeros, so batch 0 would draw from the stream that dealt the order.
        random = np.random.default_rng([self.recipe.seed, self.epoch, index + 1])
        return augment(chips, self.recipe, random, 255.0 if chips.dtype == np.uint8 else 65535.0)
