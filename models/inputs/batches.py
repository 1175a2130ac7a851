"""Batches streamed from disk, so that memory does not grow with the data set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import keras
import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from competition.data.chip_cache import ChipCache
from models.backend.devices import num_gpus
from models.inputs.augment import OF_8_BITS, Span, augment, balanced_order, mix
from models.inputs.views import apply_view
from models.networks.input_spec import as_network_input
from models.recipes.recipe import Recipe

HEADS_AT_ONCE = 2048  # chips whose features are scored at once


def slices(positions: NDArray[np.int64], size: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield `positions` in slices of `size`, each with where it starts."""
    for start in range(0, len(positions), size):
        yield start, positions[start : start + size]


class Source(Protocol):
    """What a network is given of each chip: its pixels, or features made of them."""

    @property
    def batch_size(self) -> int:
        """How many chips to predict at once."""

    def read(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return the chips at `positions` as they are, one row per chip."""

    def views(self, positions: NDArray[np.int64], views: Sequence[str]) -> Iterator[NDArray[Any]]:
        """Yield the chips at `positions` under one view after another."""

    def augmented(self, positions: NDArray[np.int64], recipe: Recipe, random: np.random.Generator) -> NDArray[Any]:
        """Return the chips at `positions`, each changed at random as the recipe says."""


@dataclass(frozen=True)
class Chips:
    """Chips of a cache as a network takes them, uint8 or float32 (num_positions, size, size, num_columns).

    Attributes:
        cache: decoded chips.
        columns: which of the cache's bands the network takes, in its order.
        batch_size: how many chips to predict at once.
        span: what the values of the columns span, within which augmentation changes them.
        more: further chips of the same kind, behind these; None if there are none.
    """

    cache: ChipCache
    columns: tuple[int, ...]
    batch_size: int
    span: Span = OF_8_BITS
    more: Chips | None = None

    def followed_by(self, more: Chips) -> Chips:
        """Return these chips and behind them others, whose positions go on where these end."""
        return replace(self, more=more)

    def read(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Return the chips at `positions` as they are."""
        if self.more is None or not (behind := positions >= (end := len(self.cache))).any():
            return as_network_input(self.cache.read(positions), self.columns)
        others = self.more.read(positions[behind] - end)
        chips = np.empty((len(positions), *others.shape[1:]), dtype=others.dtype)
        chips[behind] = others
        if not behind.all():
            chips[~behind] = self.read(positions[~behind])
        return chips

    def views(self, positions: NDArray[np.int64], views: Sequence[str]) -> Iterator[NDArray[Any]]:
        """Yield the chips at `positions` under one view after another."""
        chips = self.read(positions)
        for view in views:
            yield apply_view(chips, view)

    def augmented(self, positions: NDArray[np.int64], recipe: Recipe, random: np.random.Generator) -> NDArray[Any]:
        """Return the chips at `positions`, each under its own random view."""
        chips = self.read(positions)
        return augment(chips, recipe, random, self.span)


@dataclass(frozen=True)
class Pseudo:
    """Chips with pseudo-labels that are learnt from too; in the source they follow on those that have labels.

    Attributes:
        rows: which of the chips that follow.
        planes: float32 array (num_chips_that_follow, 2 * num_labels): how much each label is carried, and how much it
            is absent; both together are the weight of the chip, or 0 of a label that does not count.
    """

    rows: NDArray[np.int64]
    planes: NDArray[np.float32]

    @property
    def carried(self) -> NDArray[np.bool_]:
        """Which labels are rather carried than absent, bool (num_chips_that_follow, num_labels)."""
        half = self.planes.shape[1] // 2
        return np.asarray(self.planes[:, :half] > self.planes[:, half:])


def targets_of(
    positions: NDArray[np.int64], truth: NDArray[np.bool_], pseudo: Pseudo | None = None
) -> NDArray[np.float32]:
    """Return the targets of chips: (num_positions, num_labels), or where some have pseudo-labels two planes.

    Args:
        positions: of the chips in their source.
        truth: bool array (num_labelled_chips, num_labels).
        pseudo: the chips that follow on these; None if there are none.
    """
    if pseudo is None:
        return truth[positions].astype(np.float32)
    targets, behind = np.empty((len(positions), 2 * truth.shape[1]), dtype=np.float32), positions >= len(truth)
    own = truth[positions[~behind]]
    targets[~behind] = np.concatenate([own, ~own], axis=1)
    targets[behind] = pseudo.planes[positions[behind] - len(truth)]
    return targets


class Batches(keras.utils.PyDataset):
    """Chips with their labels, in order and unchanged: those of a fold that are held out.

    Args:
        source: the chips.
        positions: positions of the chips in the source.
        truth: bool array (num_chips_in_source, num_labels).
        batch_size: chips per batch; the last may be smaller.
    """

    def __init__(self, source: Source, positions: NDArray[np.int64], truth: NDArray[np.bool_], batch_size: int) -> None:
        super().__init__(workers=min(8, cpu_count()) if num_gpus() else 1)
        self.source, self.positions, self.truth, self.batch_size = source, positions, truth, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self.positions) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        positions = self.positions[index * self.batch_size :][: self.batch_size]
        if num_gpus() > 1:  # they take equal shares: the first chips fill the last batch up
            positions = np.concatenate([positions, self.positions[: -len(positions) % num_gpus()]])
        return self.batch(positions, self.targets(positions), index)

    def targets(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what is to be learnt of chips."""
        return targets_of(positions, self.truth)

    def batch(
        self, positions: NDArray[np.int64], targets: NDArray[np.float32], index: int
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return batch `index` as the network is to see it."""
        return self.source.read(positions), targets


def drawn_order(
    positions: NDArray[np.int64], truth: NDArray[np.bool_], recipe: Recipe, epoch: int, pseudo: Pseudo | None = None
) -> NDArray[np.int64]:
    """Return the positions of the training chips in the order of an epoch; balanced, a chip may come several times.

    Args:
        positions: of the training chips in their source.
        truth: bool array (num_chips_in_source, num_labels).
        recipe: sampling and seed.
        epoch: number of the epoch, from 0.
        pseudo: chips that are learnt from too; None if there are none.
    """
    random = np.random.default_rng([recipe.seed, epoch])
    if pseudo is not None:
        positions = np.concatenate([positions, len(truth) + pseudo.rows])
        truth = np.concatenate([truth, pseudo.carried]) if recipe.sampling == "balanced" else truth
    if recipe.sampling == "balanced":
        return balanced_order(truth, positions, random)
    return random.permutation(positions)


class TrainingBatches(Batches):
    """One epoch of shuffled, augmented chips.

    Order and augmentation depend on (seed, epoch, batch) alone, so that training which was interrupted and resumed
    sees the same batches as training which was not.

    Args:
        source: the chips.
        positions: positions of the training chips in the source.
        truth: bool array (num_chips_in_source, num_labels).
        recipe: batch size, augmentation and seed.
        epoch: number of the epoch, from 0.
        pseudo: chips that are learnt from too; None if there are none.
    """

    def __init__(
        self,
        source: Source,
        positions: NDArray[np.int64],
        truth: NDArray[np.bool_],
        recipe: Recipe,
        epoch: int,
        pseudo: Pseudo | None = None,
    ) -> None:
        super().__init__(source, drawn_order(positions, truth, recipe, epoch, pseudo), truth, recipe.batch_size)
        self.recipe, self.epoch, self.pseudo = recipe, epoch, pseudo

    def targets(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what is to be learnt of chips, also of those with pseudo-labels."""
        return targets_of(positions, self.truth, self.pseudo)

    def batch(
        self, positions: NDArray[np.int64], targets: NDArray[np.float32], index: int
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return batch `index`, each chip changed at random, and perhaps mixed with another."""
        # From 1: NumPy pads seeds with zeros, so batch 0 would draw from the stream that drew the order.
        random = np.random.default_rng([self.recipe.seed, self.epoch, index + 1])
        return mix(self.source.augmented(positions, self.recipe, random), targets, self.recipe, random)
