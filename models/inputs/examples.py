"""The labelled chips of one fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from competition.task import Task
from models.inputs.batches import Source, TrainingBatches
from models.inputs.sources import Sources
from models.networks.heads import Priors
from models.recipes.recipe import Recipe, softmax_groups


@dataclass(frozen=True)
class Examples:
    """The labelled chips of one fold.

    Attributes:
        source: the chips, or features of them.
        truth: bool array (num_chips_in_source, num_labels).
        training: positions of the chips to learn from.
        heldout: positions of the chips held out.
    """

    source: Source
    truth: NDArray[np.bool_]
    training: NDArray[np.int64]
    heldout: NDArray[np.int64]

    def steps_per_epoch(self, recipe: Recipe) -> int:
        """Return the number of training steps an epoch."""
        return -(-len(self.training) // recipe.batch_size)

    def priors(self, recipe: Recipe, task: Task) -> Priors:
        """Return how often the labels occur among the training chips, and in the batches where those are balanced.

        Args:
            recipe: sampling, batches and seed.
            task: the labels scored, of which some may share a softmax.
        """
        # A label of a softmax has no absence of its own: the others of its group are that.
        shared = [column for group in softmax_groups(recipe, task) for column in group]
        among_chips = _logits(self.truth[self.training], shared)
        if recipe.sampling == "uniform":
            return Priors(among_chips)
        shown = TrainingBatches(self.source, self.training, self.truth, recipe, 0).positions
        return Priors(among_chips, _logits(self.truth[shown], shared))


def _logits(truth: NDArray[np.bool_], shared: list[int]) -> NDArray[np.float32]:
    """Return the logits (num_labels,) of frequencies, as if one more chip carried each label and one more did not.

    Args:
        truth: bool array (num_chips, num_labels).
        shared: columns that share a softmax, whose logits are the logarithms alone.
    """
    frequency = (truth.sum(axis=0) + 1) / (len(truth) + 2)
    absence = 1 - frequency
    absence[shared] = 1
    return np.log(frequency / absence).astype(np.float32)


@dataclass(frozen=True)
class Material:
    """What the network of one fold learns from.

    Attributes:
        task: the labels to score.
        sources: the chips.
        truth: bool array (num_chips, num_scored_labels).
        training: positions of the chips to learn from.
        heldout: positions of the chips held out.
    """

    task: Task
    sources: Sources
    truth: NDArray[np.bool_]
    training: NDArray[np.int64]
    heldout: NDArray[np.int64]
