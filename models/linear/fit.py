"""The linear heads of any folds, fitted together: one pass over the bank, each inner head for two folds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from competition.common.progress import reporter
from models.linear.plan import Plan, Training
from models.linear.rows import Head, Rows
from models.linear.solvers import Logistic, Ridge, Solver, best_of, judged_on
from models.recipes.recipe import Recipe

if TYPE_CHECKING:  # its module imports Keras, which nothing here needs
    from models.inputs.feature_bank import FeatureBank


def fit_linear(
    bank: FeatureBank, truth: NDArray[np.bool_], fold_of: NDArray[np.int64], folds: Sequence[int], recipe: Recipe
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Return one linear head for each fold, which depends neither on its chips nor on which others are asked for.

    Penalties are chosen for each label by what inner heads say of chips that they have not learnt from.

    Memory: for each pair of features 8 bytes a fold, 8 more, and 4 a penalty that is being worked at (one a core);
    logistic: also 4 bytes for each training chip and feature. For 36,037 chips, 3,840 features and five folds 1.0 GB of
    ridge and 1.4 GB of logistic, the bank not counted, which is read block by block. Hundreds of labels add more: each
    takes 4 bytes a penalty and chip, and several times as much while losses are made.

    Args:
        bank: features, under the views that the recipe draws and as they are.
        truth: bool array (num_chips, num_labels).
        fold_of: int array (num_chips,), the number of the fold that holds each chip out.
        folds: numbers of the folds whose heads are asked for.
        recipe: solver, ridge or logistic; the drawn views; seed.

    Returns:
        By fold, kernel (num_features, num_labels) and bias (num_labels,) of the logits of features as they are in the
        bank: that the training chips' are standardised is part of both.

    Raises:
        ValueError: if a fold leaves no chips to learn from.
    """
    plan = Plan.of(fold_of, recipe.seed)
    trainings = [plan.training(fold) for fold in folds]
    solver = _solver(bank, truth, plan, recipe)
    inner = [plan.inner(fold, solver.reach) for fold in folds]
    distinct = list(dict.fromkeys(training for parts in inner for training in parts.values()))
    solver.rows.prepare(part for training in trainings for part in training)
    heads: dict[Training, Head] = {}
    fitted: list[Head] = []
    with reporter.bar(len(distinct) + len(folds), "heads", "fit") as bar:
        for training in distinct:
            heads[training] = solver.inner(training)
            bar.update(1)
        for training, parts in zip(trainings, inner, strict=True):
            judged = judged_on(parts, heads, solver)
            fitted.append(solver.final(training, best_of(judged, solver), judged))
            bar.update(1)
    return [(head.kernel, head.bias.astype(np.float32)) for head in fitted]


def _solver(bank: FeatureBank, truth: NDArray[np.bool_], plan: Plan, recipe: Recipe) -> Solver:
    """Return the recipe's solver, on the rows that it learns from."""
    views, size = recipe.drawn_views, len(truth)
    if recipe.solver == "ridge":
        every = np.repeat(np.arange(len(views))[:, None], size, axis=1)
        return Ridge(Rows(bank, truth, plan, views, every))
    drawn = np.random.default_rng([recipe.seed, 1]).integers(len(views), size=(1, size))
    return Logistic(Rows(bank, truth, plan, views, drawn))
