"""The heads of a model's folds, fitted together on its feature bank, and kept as Keras networks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from competition.common.progress import reporter
from folds.store.alone import model_and_fold
from models.heads.checkpoints import Keeper
from models.heads.group import HeadGroup
from models.heads.together import train_together
from models.heads.training import FEATURES, figures_of, scores_of
from models.inputs.examples import Examples
from models.inputs.feature_bank import FeatureBank
from models.linear.fit import fit_linear
from models.recipes.recipe import Recipe
from models.runs.folders import HISTORY, NETWORK, seed_folders
from models.runs.training_state import Epoch, TrainingState
from models.train.checkpoints import write_network
from models.train.keras_heads import best_head


@dataclass(frozen=True)
class FoldOfHeads:
    """One fold of a model whose heads are fitted.

    Attributes:
        fold: its number.
        examples: the chips to learn from and those held out; their source is a bank.
        folder: of its job.
    """

    fold: int
    examples: Examples
    folder: Path


def fit_heads(recipe: Recipe, folds: Sequence[FoldOfHeads], fold_of: NDArray[np.int64]) -> None:
    """Fit the heads of some folds together, and write each one's weights and history into its job's folder.

    Args:
        recipe: of all of them.
        folds: whose heads are fitted, all of one repeat of the fold table.
        fold_of: int array (num_chips_in_source,), the fold that holds each chip out.

    Raises:
        UserError: if a loss is no longer a number.
    """
    if recipe.solver == "gradient":
        _by_gradient(recipe, folds)
    else:
        _by_solver(recipe, folds, fold_of)


def fit_head(recipe: Recipe, examples: Examples, folder: Path) -> keras.Model:
    """Return one head, trained; its checkpoint stays in `folder`, so that it is not trained again."""
    (group,) = _trained(recipe, [FoldOfHeads(0, examples, folder)])
    return best_head(group, 0)


def _trained(recipe: Recipe, folds: Sequence[FoldOfHeads]) -> list[HeadGroup]:
    groups = [HeadGroup(recipe, fold.examples, of=model_and_fold(fold.folder)) for fold in folds]
    keepers = {id(group): Keeper(group, fold.folder) for group, fold in zip(groups, folds, strict=True)}
    for keeper in keepers.values():
        keeper.resume()
    train_together(groups, lambda group: keepers[id(group)].after_epoch())
    return groups


def _by_gradient(recipe: Recipe, folds: Sequence[FoldOfHeads]) -> None:
    for group, fold in zip(_trained(recipe, folds), folds, strict=True):
        for number, folder in enumerate(seed_folders(fold.folder, recipe)):
            _write(best_head(group, number), group.states[number], folder)


def _by_solver(recipe: Recipe, folds: Sequence[FoldOfHeads], fold_of: NDArray[np.int64]) -> None:
    """Fit linear heads at once; the figures are written as those of one epoch."""
    bank, truth = folds[0].examples.source, folds[0].examples.truth
    assert isinstance(bank, FeatureBank)  # a recipe with a solver is always on the bank
    for number in range(recipe.seeds):
        started, seeded = time.monotonic(), replace(recipe, seed=recipe.seed + number, seeds=1, ema=0.0)
        fitted = fit_linear(bank, truth, fold_of, [fold.fold for fold in folds], seeded)
        seconds = (time.monotonic() - started) / len(folds)
        for (kernel, bias), fold in zip(fitted, folds, strict=True):
            group = HeadGroup(seeded, fold.examples)
            for array, made in zip(group.arrays(group.values, 0), (kernel, bias), strict=True):
                array[...] = made
            group.keep(0)
            (learnt,), (held,) = (
                figures_of(group, truth[positions], scores_of(group, positions))
                for positions in (fold.examples.training, fold.examples.heldout)
            )
            state = TrainingState([Epoch(0, *learnt, *held, 0.0, seconds, FEATURES)], best=0)
            _write(best_head(group, 0), state, seed_folders(fold.folder, recipe)[number])
            metric = f"{fold.examples.task.metric.title} {held.metric:.4f}"
            reporter.say(f"Fold {fold.fold} fitted by {recipe.solver} in {seconds:.0f} s; held-out {metric}.")


def _write(head: keras.Model, state: TrainingState, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    state.write(folder / HISTORY)
    write_network(head, folder / NETWORK)
