"""The labelled chips of one fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from competition.common.errors import UserError
from competition.common.text import first
from competition.task import Task
from folds.dealing.inner import inner_split
from folds.dealing.table import FoldTable
from folds.groups import kept_groups
from models.inputs.batches import Source, drawn_order
from models.inputs.sources import Sources
from models.networks.heads import Priors
from models.recipes.recipe import Recipe, softmax_groups


@dataclass(frozen=True)
class Examples:
    """The labelled chips of one fold, from which a network learns.

    Attributes:
        task: the labels to score.
        source: the chips, or features of them.
        truth: bool array (num_chips_in_source, num_scored_labels).
        training: positions of the chips to learn from.
        heldout: positions of the chips held out.
        inner: positions of the chips set aside of those to learn from, by which epochs are judged; None: by those held
            out.
    """

    task: Task
    source: Source
    truth: NDArray[np.bool_]
    training: NDArray[np.int64]
    heldout: NDArray[np.int64]
    inner: NDArray[np.int64] | None = None

    @classmethod
    def of_fold(cls, sources: Sources, table: FoldTable, fold: int) -> Examples:
        """Return the labelled chips of a workspace, those of one fold held out.

        Raises:
            UserError: if the fold table is of other chips, or leaves none to learn from or to hold out.
        """
        workspace, cache = sources.workspace, sources.cache("train")
        competition, labelled = workspace.competition, workspace.labelled
        if strangers := sorted(set(table.image_names) ^ set(labelled.image_names)):
            raise UserError(
                f"folds.csv and {', '.join(competition.tables.train)} name other chips: {first(strangers)}.",
                command="folds --force",
            )
        row = {name: i for i, name in enumerate(labelled.image_names)}
        held_names = {name for name, held in zip(table.image_names, table.heldout(fold), strict=True) if held}
        is_held = np.array([name in held_names for name in cache.names])
        if is_held.all() or not is_held.any():
            raise UserError(f"Fold {fold} leaves no chips to {'learn from' if is_held.all() else 'hold out'}.")
        task, rows = sources.recipe.task(competition), [row[name] for name in cache.names]
        truth = labelled.truth[rows][:, task.columns]
        examples = cls(task, sources.chips("train"), truth, np.flatnonzero(~is_held), np.flatnonzero(is_held))
        if sources.recipe.monitor == "heldout":
            return examples
        groups = kept_groups(workspace)
        return examples.with_inner(groups and [groups[place] for place in rows], sources.recipe.seed)

    def with_inner(self, groups: Sequence[Any] | None, seed: int) -> Examples:
        """Return the same with a part of the chips to learn from set aside, by which epochs are judged.

        Args:
            groups: the group of each chip in the source, which stays whole; None: each stands for itself.
            seed: of the split.

        Raises:
            UserError: if the chips to learn from cannot be divided.
        """
        of_training = None if groups is None else [groups[position] for position in self.training]
        aside = inner_split(self.training_truth, of_training, seed)
        return replace(self, training=self.training[~aside], inner=self.training[aside])

    def without_inner(self) -> Examples:
        """Return the same with all chips to learn from that are not held out."""
        if self.inner is None:
            return self
        return replace(self, training=np.sort(np.concatenate([self.training, self.inner])), inner=None)

    @property
    def judged(self) -> NDArray[np.int64]:
        """Positions of the chips by which epochs are judged: those held out, or those set aside."""
        return self.heldout if self.inner is None else self.inner

    @property
    def judged_by(self) -> str:
        """What figures of these chips are called."""
        return "held-out" if self.inner is None else "inner"

    def text(self) -> str:
        """Return how many chips there are to learn from, and which ones judge that, in one line."""
        learnt = f"{len(self.training):,} chips to learn from"
        if self.inner is None:
            return f"{learnt}."
        return f"{learnt}; {len(self.inner):,} more, set aside, judge the epochs: those held out have no say."

    @property
    def training_truth(self) -> NDArray[np.bool_]:
        """The labels (num_training_chips, num_scored_labels) of the chips to learn from."""
        return self.truth[self.training]

    def steps_per_epoch(self, recipe: Recipe) -> int:
        """Return the number of training steps per epoch."""
        return -(-len(self.training) // recipe.batch_size)

    def priors(self, recipe: Recipe) -> Priors:
        """Return how often the labels occur among the training chips, and in the batches where those are balanced.

        Args:
            recipe: sampling, seed, and whether exclusive labels share a softmax.
        """
        shared = [column for group in softmax_groups(recipe, self.task) for column in group]
        among_chips = _logits(self.training_truth, shared)
        if recipe.sampling == "uniform":
            return Priors(among_chips)
        drawn = drawn_order(self.training, self.truth, recipe, 0)
        return Priors(among_chips, _logits(self.truth[drawn], shared))


def smoothed_frequency(truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the frequency of each label, as if one more chip carried it and one more did not: never 0 or 1.

    Args:
        truth: bool array (num_chips, num_labels), or (num_chips,) of one label.
    """
    frequency: NDArray[np.float64] = (truth.sum(axis=0) + 1) / (len(truth) + 2)
    return frequency


def _logits(truth: NDArray[np.bool_], shared: list[int]) -> NDArray[np.float32]:
    """Return the logits (num_labels,) whose scores are the labels' frequencies.

    Args:
        truth: bool array (num_chips, num_labels).
        shared: columns that share a softmax: their logits are the logarithms alone, as a label of a softmax has no
            absence of its own.
    """
    frequency = smoothed_frequency(truth)
    logits = logit(frequency)
    logits[shared] = np.log(frequency[shared])
    return logits.astype(np.float32)
