"""Heads of one recipe on one fold, one for each seed: what they learn from, their weights, and how far they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.heads.losses import HeadLoss, head_loss
from models.heads.stack import VARIANCE, Floats, HeadShape
from models.heads.steps import num_slots
from models.heads.tabm import TabmShape
from models.inputs.examples import Examples
from models.inputs.feature_bank import FeatureBank
from models.networks.heads import Priors
from models.recipes.recipe import Recipe
from models.runs.training_state import TrainingState

ENOUGH = 4096  # chips, for the moments of features


@dataclass(frozen=True)
class Moments:
    """Mean and variance of the features of a fold's own training chips: float32 arrays (num_features,)."""

    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, bank: FeatureBank, training: NDArray[np.int64]) -> Moments:
        """Return the moments of some training chips; those held out have no part in them."""
        features = bank.read(training[:: -(-len(training) // ENOUGH)])
        mean = features.mean(axis=0, dtype=np.float64)
        features -= mean.astype(np.float32)
        return cls(mean.astype(np.float32), np.square(features, out=features).mean(axis=0))

    @property
    def factor(self) -> Floats:
        """By what features less their mean are multiplied."""
        return 1 / np.sqrt(self.variance + np.float32(VARIANCE))


@dataclass(eq=False)
class HeadGroup:
    """Heads that see the same chips in the same order, and differ by their seeds.

    Attributes:
        recipe: dense layers, loss, steps and seed of all of them.
        examples: the chips to learn from and those held out; their source is a bank.
        states: how far each head has come.
        of: model and fold, where they have one.
        stopped: whether they are not to be trained any further, however far they have come.
        values: float32 array (num_weights,), the weights now.
        slots: float32 array (num_slots, num_weights) of the optimiser.
        kept: float32 array (num_kept, num_weights), of each head the weights of its best epochs, the best first.
        judged_scores: float32 array (num_heads, num_chips, num_labels) of the chips by which epochs are judged, after
            the last one; empty before the first.
    """

    recipe: Recipe
    examples: Examples
    states: list[TrainingState] = field(default_factory=list)
    of: tuple[str, int] = ("", -1)
    stopped: bool = False
    values: Floats = field(init=False)
    slots: Floats = field(init=False)
    kept: Floats = field(init=False)
    judged_scores: Floats = field(init=False, default_factory=lambda: np.empty((0, 0, 0), dtype=np.float32))

    def __post_init__(self) -> None:
        seeds = [self.recipe.seed + number for number in range(self.recipe.seeds)]
        self.states = self.states or [TrainingState() for _ in seeds]
        self.values = self.shape.begin(self.priors.among_chips, seeds)
        self.slots = np.zeros((num_slots(self.recipe), len(self.values)), dtype=np.float32)
        self.kept = np.repeat(self.values[None], self.recipe.swa or 1, axis=0)

    @property
    def bank(self) -> FeatureBank:
        """The features."""
        bank = self.examples.source
        assert isinstance(bank, FeatureBank)
        return bank

    @cached_property
    def shape(self) -> HeadShape:
        """Sizes of the heads."""
        recipe, units = self.recipe, (*self.recipe.dense, len(self.examples.task.labels))
        if recipe.members > 1:
            return TabmShape(self.bank.num_features, units, recipe.seeds, recipe.members)
        return HeadShape(self.bank.num_features, units, recipe.seeds)

    @cached_property
    def moments(self) -> Moments | None:
        """By what features are standardised; None if they are taken as they are."""
        return Moments.of(self.bank, self.examples.training) if self.recipe.head_norm == "batch" else None

    @cached_property
    def loss(self) -> HeadLoss:
        """The recipe's loss."""
        return head_loss(self.recipe, self.examples.task, self.examples.training_truth)

    @cached_property
    def priors(self) -> Priors:
        """How often the labels occur."""
        return self.examples.priors(self.recipe)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch."""
        return self.examples.steps_per_epoch(self.recipe)

    @property
    def epochs(self) -> int:
        """Number of finished epochs."""
        return max(state.epochs for state in self.states)

    @property
    def taken(self) -> int:
        """Number of steps taken, of finished epochs."""
        return self.epochs * self.steps_per_epoch

    @property
    def is_over(self) -> bool:
        """Whether every head is trained to its end, or they were stopped."""
        return self.stopped or all(self.is_head_over(number) for number in range(len(self.states)))

    def is_head_over(self, number: int) -> bool:
        """Whether a head has had all epochs, or waited too long for a better one."""
        return self.states[number].is_over(self.recipe.epochs, self.recipe.patience)

    def standardise(self, features: Floats, factor: float = 1.0) -> None:
        """Standardise features (num_chips, num_features) in place, and multiply them by a factor."""
        if self.moments is not None:
            features -= self.moments.mean
            features *= self.moments.factor * np.float32(factor)
        elif factor != 1:
            features *= np.float32(factor)

    @property
    def judged(self) -> Floats:
        """The weights (num_weights,) that are judged and kept: their moving averages, or those of now."""
        return self.slots[-1] if self.recipe.ema else self.values

    def keep(self, number: int, place: int = 0) -> None:
        """Keep a head's weights at a place among its best ones; those that were there, and behind, move back."""
        now, *rows = (self.arrays(values, number) for values in (self.judged, *self.kept[place:]))
        for better, worse in reversed(list(zip([now, *rows], rows, strict=False))):
            for array, weights in zip(worse, better, strict=True):
                array[...] = weights

    @property
    def best(self) -> Floats:
        """The weights (num_weights,) that are the result: of each head its best epoch's, or the mean of several."""
        if not self.recipe.swa:
            return self.kept[0]
        mean = self.values.copy()
        for number, state in enumerate(self.states):
            rows = [self.arrays(values, number) for values in self.kept[: state.epochs or 1]]
            for array, *several in zip(self.arrays(mean, number), *rows, strict=True):
                array[...] = np.mean(several, axis=0, dtype=np.float64)
        return mean

    def arrays(self, values: Floats, number: int) -> list[Floats]:
        """Return all arrays of one head's weights, or of their gradients: views into a buffer (num_weights,)."""
        return [array for layer in self.shape.layers(values, number) for array in layer]
