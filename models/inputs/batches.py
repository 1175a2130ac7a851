"""Batches streamed from disk, so that memory does not grow with the data set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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
class Taught:
    """What is learnt of chips, where that is not the bare truth of the labelled ones.

    Held-out chips, and those that judge epochs, are judged by the truth all the same.

    Attributes:
        planes: float32 array (num_chips_in_source, 2 * num_labels): how much each label is carried, and how much it is
            absent; both together are the weight of the chip, or 0 of a label that does not count.
        behind: positions of chips behind the labelled ones that are learnt from too.
    """

    planes: NDArray[np.float32]
    behind: NDArray[np.int64]

    @classmethod
    def of(cls, truth: NDArray[np.bool_]) -> Taught:
        """Return the bare truth (num_labelled_chips, num_labels) as planes: every chip weighs 1."""
        return cls(np.concatenate([truth, ~truth], axis=1).astype(np.float32), np.empty(0, dtype=np.int64))

    def followed_by(self, planes: NDArray[np.float32]) -> Taught:
        """Return the same with the planes (num_chips, 2 * num_labels) of chips behind; those that count are learnt."""
        counts = len(self.planes) + np.flatnonzero(planes.any(axis=1))
        return Taught(np.concatenate([self.planes, planes]), np.concatenate([self.behind, counts]))

    def corrected(self, planes: NDArray[np.float32]) -> Taught:
        """Return the same with other planes (num_labelled_chips, 2 * num_labels) of labelled chips, where these count.

        A label that is replaced so weighs what its chip does, times what the planes say.
        """
        weights, counts = (np.tile(_weights_in(part), 2) for part in (self.planes, planes))
        return replace(self, planes=np.where(counts > 0, weights * planes, self.planes))

    def weighed(self, weights: NDArray[np.floating]) -> Taught:
        """Return the same with each chip in the source counting so many times, (num_chips_in_source,)."""
        return Taught(self.planes * weights.astype(np.float32)[:, None], self.behind)

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """How many times each chip counts, (num_chips_in_source,): as the label does that counts most."""
        return np.asarray(_weights_in(self.planes).max(axis=1))

    @cached_property
    def carried(self) -> NDArray[np.bool_]:
        """Which labels are rather carried than absent, bool (num_chips_in_source, num_labels)."""
        half = self.planes.shape[1] // 2
        return np.asarray(self.planes[:, :half] > self.planes[:, half:])


def _weights_in(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much each label of each chip counts, (num_chips, num_labels)."""
    half = planes.shape[1] // 2
    return planes[:, :half] + planes[:, half:]


def targets_of(
    positions: NDArray[np.int64], truth: NDArray[np.bool_], taught: Taught | None = None
) -> NDArray[np.float32]:
    """Return the targets of chips: (num_positions, num_labels), or where more than the truth is taught two planes.

    Args:
        positions: of the chips in their source.
        truth: bool array (num_labelled_chips, num_labels).
        taught: what is learnt; None: the truth.
    """
    return truth[positions].astype(np.float32) if taught is None else taught.planes[positions]


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
    positions: NDArray[np.int64], truth: NDArray[np.bool_], recipe: Recipe, epoch: int, taught: Taught | None = None
) -> NDArray[np.int64]:
    """Return the positions of the training chips in the order of an epoch; balanced, a chip may come several times.

    Args:
        positions: of the training chips in their source.
        truth: bool array (num_labelled_chips, num_labels).
        recipe: sampling and seed.
        epoch: number of the epoch, from 0.
        taught: what is learnt of the chips, and of which behind them; None: the truth.
    """
    random = np.random.default_rng([recipe.seed, epoch])
    if taught is not None:
        positions = np.concatenate([positions, taught.behind])
    if recipe.sampling == "balanced":
        return balanced_order(truth if taught is None else taught.carried, positions, random)
    return random.permutation(positions)


class TrainingBatches(Batches):
    """One epoch of shuffled, augmented chips.

    Order and augmentation depend on (seed, epoch, batch) alone, so that training which was interrupted and resumed
    sees the same batches as training which was not.

    Args:
        source: the chips.
        positions: positions of the training chips in the source.
        truth: bool array (num_labelled_chips, num_labels).
        recipe: batch size, augmentation and seed.
        epoch: number of the epoch, from 0.
        taught: what is learnt of the chips, and of which behind them; None: the truth.
    """

    def __init__(
        self,
        source: Source,
        positions: NDArray[np.int64],
        truth: NDArray[np.bool_],
        recipe: Recipe,
        epoch: int,
        taught: Taught | None = None,
    ) -> None:
        super().__init__(source, drawn_order(positions, truth, recipe, epoch, taught), truth, recipe.batch_size)
        self.recipe, self.epoch, self.taught = recipe, epoch, taught

    def targets(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what is to be learnt of chips, see `targets_of`."""
        return targets_of(positions, self.truth, self.taught)

    def batch(
        self, positions: NDArray[np.int64], targets: NDArray[np.float32], index: int
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Return batch `index`, each chip changed at random, and perhaps mixed with another."""
        # From 1: NumPy pads seeds with zeros, so batch 0 would draw from the stream that drew the order.
        random = np.random.default_rng([self.recipe.seed, self.epoch, index + 1])
        return mix(self.source.augmented(positions, self.recipe, random), targets, self.recipe, random)
