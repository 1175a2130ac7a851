"""Scores of labelled chips for the training of each fold, by heads that saw neither the chip's own fold nor that one.

Networks that held a chip's fold j out have learnt from fold k, all but one: by what they say of the chip, the truth of
fold k would reach what learns from it. So each pair of folds has its heads, logistic regressions on features that know
no labels. They learn from the other folds alone, and serve both: j's chips for the training of k, and k's for j's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from competition.common.errors import UserError
from competition.common.interrupts import heeded
from competition.common.progress import reporter
from competition.common.text import counted
from competition.workspace import Workspace
from folds.store.chip_weights import checksums_of
from folds.store.score_store import ScoreStore
from folds.store.scores import NestedScores, Scores
from models.backend.load import load_backend
from models.inputs.fill_banks import AS_THEY_ARE, check_filled, check_on_bank
from models.linear.plan import Plan, Training
from models.linear.rows import Head, Rows
from models.linear.solvers import Logistic, best_of, judged_on
from models.runs.model_recipe import ModelRequest, recipe_of

if TYPE_CHECKING:  # its module imports Keras
    from models.inputs.feature_bank import FeatureBank

Nested = dict[int, tuple[NDArray[np.int64], NDArray[np.float32]]]


def nested_scores(workspace: Workspace, model: str, skip_broken: bool = False) -> NestedScores:
    """Return scores of the labelled chips for the training of each fold, by heads on the features of a model.

    Args:
        workspace: the chips and folds.
        model: a recipe or model that learns from features, which have been made of all labelled chips.
        skip_broken: leave broken chips out, as the model did.

    Raises:
        UserError: if it learns from no features, scores some labels only, or its features are not made yet; or there
            are too few chips.
    """
    recipe = recipe_of(workspace, ModelRequest(model, verb="pseudo NAME --of labelled --from"))
    check_on_bank(workspace, recipe, model)
    if not recipe.task(workspace.competition).is_whole:
        raise UserError(
            f"'{model}' scores some labels only: {', '.join(recipe.only_labels)}. Name a model that scores all; only "
            "its features count, to which heads are fitted anew."
        )
    table = ScoreStore.of(workspace).table
    load_backend()
    from models.inputs.sources import Sources

    with heeded():
        sources = Sources(workspace, recipe, skip_broken)
        check_filled(sources, model, ["train"])
        bank, names = sources.bank("train", (AS_THEY_ARE,)), sources.cache("train").names
        row = {name: number for number, name in enumerate(workspace.labelled.image_names)}
        truth = workspace.labelled.truth[[row[name] for name in names]]
        found = Nested()
        for repeat in range(table.num_repeats):  # of each repeat other folds hold the chips out
            found |= nested(bank, truth, table.folds_of(names, repeat))
    folds = {
        fold: Scores(tuple(names[position] for position in positions), scores)
        for fold, (positions, scores) in found.items()
    }
    return NestedScores(model, recipe.digest(), checksums_of(sources.arrays("train", AS_THEY_ARE), workspace), folds)


def nested(bank: FeatureBank, truth: NDArray[np.bool_], fold_of: NDArray[np.int64]) -> Nested:
    """Return by fold the positions of all other chips, in rising order, and their scores (num_others, num_labels).

    They depend on nothing of the fold's chips: the penalty of each label is chosen by what the heads of its pairs say
    of the other folds' chips. Where there are two folds only, each half of one is scored by heads on its other half.

    Args:
        bank: features of the chips as they are.
        truth: bool array (num_chips, num_labels).
        fold_of: int array (num_chips,), the fold that holds each chip out.

    Raises:
        UserError: if a fold leaves nothing to learn from besides what is to be scored.
    """
    plan = Plan.of(fold_of, seed=0)
    solver = Logistic(Rows(bank, truth, plan, (AS_THEY_ARE,), np.zeros((1, len(truth)), dtype=np.int64)))
    pairs = {fold: plan.inner(fold, reach=len(plan.parts)) for fold in dict.fromkeys(plan.folds)}
    if any(len(parts) < len(plan.training(fold)) for fold, parts in pairs.items()):
        raise UserError(
            f"{counted(len(truth), 'labelled chip')}: too few to score each by heads that saw neither its fold nor the "
            "one held out."
        )
    trainings = list(dict.fromkeys(training for parts in pairs.values() for training in parts.values()))
    solver.rows.prepare(range(len(plan.parts)))
    heads: dict[Training, Head] = {}
    with reporter.bar(len(trainings), "heads", "fit") as bar:
        for training in trainings:
            heads[training] = solver.inner(training)
            bar.update(1)
    return {fold: _of_fold(solver, parts, heads) for fold, parts in pairs.items()}


def _of_fold(
    solver: Logistic, parts: dict[int, Training], heads: dict[Training, Head]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the positions of a fold's other chips, and what is said of them by the penalties that do best there.

    Args:
        solver: of the heads.
        parts: those to be scored, each with what is learnt from for that.
        heads: by what they learnt from.
    """
    judged = judged_on(parts, heads, solver)
    best = best_of(judged, solver)
    said = np.concatenate([part.said[:, best, np.arange(len(best))] for part in judged])
    positions = solver.rows.plan.positions(parts)
    order = np.argsort(positions)
    return positions[order], expit(said[order])
