"""The labelled chips of one fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from competition.common.errors import UserError
from competition.common.text import first, short
from competition.task import Task
from folds.dealing.inner import inner_split
from folds.dealing.table import FoldTable
from folds.groups import kept_groups
from folds.store.chip_weights import FILE, effective, read_weights
from folds.store.provenance import PseudoLearnt
from folds.store.pseudo_labels import LABELLED, PseudoLabels
from folds.store.scores import FoldLabels
from models.inputs.batches import Source, Taught, drawn_order, targets_of
from models.inputs.sources import Sources
from models.networks.heads import Priors
from models.recipes.recipe import Recipe, softmax_groups
from models.recipes.values import NONE

TINY = np.float32(1e-12)


@dataclass(frozen=True)
class Examples:
    """The labelled chips of one fold, from which a network learns.

    Attributes:
        task: the labels to score.
        source: the chips, or features of them.
        truth: bool array (num_labelled_chips, num_scored_labels).
        training: positions of the chips to learn from.
        heldout: positions of the chips held out.
        inner: positions of the chips set aside of those to learn from, by which epochs are judged; None: by those held
            out.
        taught: what is learnt of the chips, and of which that follow on these in the source; None: the truth.
        learnt: which pseudo-labels are learnt from, for the records.
    """

    task: Task
    source: Source
    truth: NDArray[np.bool_]
    training: NDArray[np.int64]
    heldout: NDArray[np.int64]
    inner: NDArray[np.int64] | None = None
    taught: Taught | None = None
    learnt: PseudoLearnt | None = None

    @classmethod
    def of_fold(cls, sources: Sources, table: FoldTable, fold: int, model: str = "") -> Examples:
        """Return the labelled chips of a workspace, those of one fold held out.

        Args:
            sources: the chips, and the recipe, which may name pseudo-labels.
            table: who is held out.
            fold: that is.
            model: name of the model, for messages.

        Raises:
            UserError: if the fold table is of other chips, or leaves none to learn from or to hold out; or if
                pseudo-labels are not clean, damaged, or not those that the model was begun with; or if the weights
                of chips are not, or a chip to learn from has none.
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
        if sources.recipe.monitor == "inner":
            groups = kept_groups(workspace)
            examples = examples.with_inner(groups and [groups[place] for place in rows], sources.recipe.seed)
        if sources.recipe.weighted_to != NONE:
            examples = examples._weighed(sources, model)
        return examples if sources.recipe.pseudo == NONE else examples._with_pseudo(sources, table, fold, model)

    def with_inner(self, groups: Sequence[Any] | None, seed: int) -> Examples:
        """Return the same with a part of the chips to learn from set aside, by which epochs are judged.

        Args:
            groups: the group of each chip in the source, which stays whole; None: each stands for itself.
            seed: of the split.

        Raises:
            UserError: if the chips to learn from cannot be divided.
        """
        of_training = None if groups is None else [groups[position] for position in self.training]
        aside = inner_split(self.truth[self.training], of_training, seed)
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
        learnt = f"{len(self.training):,} chips to learn from{self._worth}"
        if self.taught and self.learnt and len(self.taught.behind):
            which = f"the pseudo-labels '{self.learnt.name}', round {self.learnt.round}"
            return f"{learnt}, and {len(self.taught.behind):,} with {which}."
        if self.learnt:
            return f"{learnt}, with labels corrected by '{self.learnt.name}'."
        if self.inner is None:
            return f"{learnt}."
        return f"{learnt}; {len(self.inner):,} more, set aside, judge the epochs: those held out have no say."

    @property
    def _worth(self) -> str:
        """How many chips of the same weight they stand for, where they weigh more or less."""
        if self.taught is None:
            return ""
        worth = effective(self.taught.weights[self.training])
        return f" (weighed, worth {worth:,.0f})" if round(worth) < len(self.training) else ""

    def _weighed(self, sources: Sources, model: str) -> Examples:
        """Return the same with each chip to learn from weighed by how much it looks like those to predict.

        Their mean is 1, so that the loss keeps its size. So a chip with pseudo-labels, which keeps the recipe's
        `pseudo_weight`, counts for that share of the mean labelled chip.
        """
        found, expected = read_weights(sources.workspace), sources.recipe.weighted_digest
        if found.digest != expected:
            raise UserError(
                f"The weights of chips in {FILE} are others than those with which '{model}' was begun (expected "
                f"{short(expected)}, received {short(found.digest)}).",
                command={
                    "to find those again, by the model that they were found by": "adversarial MODEL",
                    "to begin it again with those there are now": f"train --models {model} --restart",
                },
            )
        names, known = np.array(sources.cache("train").names), self.without_inner().training
        weights = np.ones(len(names))
        weights[known] = found.of(names[known].tolist())  # also of those aside, from which a search learns
        weights[known] /= found.of(names[self.training].tolist()).mean()
        return replace(self, taught=Taught.of(self.truth).weighed(weights))

    def _with_pseudo(self, sources: Sources, table: FoldTable, fold: int, model: str) -> Examples:
        """Return the same with the pseudo-labels that the recipe names, those for this fold."""
        recipe, made = sources.recipe, PseudoLabels.open(sources.workspace, sources.recipe.pseudo, table)
        if made.digest != recipe.pseudo_digest:
            raise UserError(
                f"The pseudo-labels '{recipe.pseudo}' are others than those with which '{model}' was begun (expected "
                f"{short(recipe.pseudo_digest)}, received {short(made.digest)}).",
                command={"to begin it again with those there are now": f"train --models {model} --restart"},
            )
        labels, before = made.of_fold(fold), self.taught or Taught.of(self.truth)
        learnt = PseudoLearnt(recipe.pseudo, fold, made.digest, made.made.round, recipe.without_pseudo().digest())
        if made.made.of == LABELLED:
            planes = planes_of(labels, sources.cache("train").names, recipe, self.task)
            return replace(self, taught=before.corrected(planes), learnt=learnt)
        names = [name for split in sources.unlabelled for name in sources.cache(split).names]
        taught = before.followed_by(planes_of(labels, names, recipe, self.task))
        if not len(taught.behind):
            text = f"The workspace has none of the chips that the pseudo-labels '{recipe.pseudo}' are of."
            raise UserError(text, command="data prepare --from DIR")
        return replace(self, source=sources.chips_to_learn(), taught=taught, learnt=learnt)

    @property
    def training_truth(self) -> NDArray[np.bool_]:
        """Which labels the chips to learn from rather carry than not, (num_training_chips, num_scored_labels)."""
        return self.carried[self.training]

    @property
    def carried(self) -> NDArray[np.bool_]:
        """The same of all chips in the source that have labels of whatever kind."""
        return self.truth if self.taught is None else self.taught.carried

    def steps_per_epoch(self, recipe: Recipe) -> int:
        """Return the number of training steps per epoch."""
        return -(-(len(self.training) + (len(self.taught.behind) if self.taught else 0)) // recipe.batch_size)

    def order(self, recipe: Recipe, epoch: int) -> NDArray[np.int64]:
        """Return the positions of the chips to learn from in the order of an epoch, see `drawn_order`."""
        return drawn_order(self.training, self.truth, recipe, epoch, self.taught)

    def targets(self, positions: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return what is to be learnt of chips, see `targets_of`."""
        return targets_of(positions, self.truth, self.taught)

    def priors(self, recipe: Recipe) -> Priors:
        """Return how often the labels occur among the training chips, and in the batches where those are balanced.

        Args:
            recipe: sampling, seed, and whether exclusive labels share a softmax.
        """
        shared = [column for group in softmax_groups(recipe, self.task) for column in group]
        among_chips = _logits(self.training_truth, shared)
        if recipe.sampling == "uniform":
            return Priors(among_chips)
        return Priors(among_chips, _logits(self.carried[self.order(recipe, 0)], shared))


def planes_of(labels: FoldLabels, names: Sequence[str], recipe: Recipe, task: Task) -> NDArray[np.float32]:
    """Return pseudo-labels as they are learnt from, see `Taught.planes`; those of chips that have none are 0.

    The labels of a softmax count together: where one of them is not sure, none counts; their targets are shares of 1.

    Args:
        labels: those for the training of the fold.
        names: of the chips.
        recipe: what the chips weigh, and whether exclusive labels share a softmax.
        task: the labels to score.
    """
    row = {name: number for number, name in enumerate(labels.names)}
    found = [(number, row[name]) for number, name in enumerate(names) if name in row]
    rows, taken = np.array(found, dtype=np.int64).reshape(-1, 2).T
    targets, counted = (part[taken][:, task.columns] for part in (labels.targets, labels.counted))
    for group in map(list, softmax_groups(recipe, task)):
        counted[:, group] = counted[:, group].all(axis=1, keepdims=True)
        targets[:, group] /= np.maximum(targets[:, group].sum(axis=1, keepdims=True), TINY)
    weights = counted * np.float32(recipe.pseudo_weight)
    planes = np.zeros((len(names), 2 * targets.shape[1]), dtype=np.float32)
    planes[rows] = np.concatenate([targets * weights, (1 - targets) * weights], axis=1)
    return planes


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
