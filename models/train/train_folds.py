"""Training a model on its folds, one job after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

from competition.workspace import Workspace
from folds.score_store import ScoreStore
from models.backend.load import load_backend
from models.networks.input_spec import columns_of
from models.recipes.recipe import Recipe
from models.runs.folders import begun, remove
from models.runs.model_recipe import ModelRequest, recipe_of
from models.train.job import Job
from models.train.run_jobs import run_jobs


def train_models(
    workspace: Workspace, requests: Sequence[ModelRequest], *, restart: bool = False, **options: Any
) -> bool:
    """Train models on all folds, one after another; return whether all have all their scores now.

    Nothing is trained, and nothing removed, before the names and recipes of all of them are known to be right.

    Args:
        workspace: chips, labels and runs.
        requests: the models, and the values given by flags.
        restart: remove what was made first.
        options: the others of `train_folds`.
    """
    if len(requests) > 1:
        load_backend()
        from models.networks.backbones import check_backbone

        for request in requests:
            check_backbone(_checked_recipe(workspace, request, _restarted(workspace, request) if restart else ()))
    are_whole = [train_folds(workspace, request, restart=restart, **options) for request in requests]
    return all(are_whole)


def train_folds(
    workspace: Workspace,
    request: ModelRequest,
    fold: int | None = None,
    *,
    restart: bool = False,
    skip_broken: bool = False,
    no_test: bool = False,
    keep: Callable[[str], None] = lambda _: None,
) -> bool:
    """Train a model on one fold, or on all of them; return whether all have scores now.

    Args:
        workspace: chips, labels and runs.
        request: the model, and the values given by flags.
        fold: the fold; None: all, leaving those that another process is at.
        restart: remove what was made first.
        skip_broken: leave broken chips out, instead of stopping.
        no_test: score held-out chips only.
        keep: called with the model after jobs that were done, and at the end.
    """
    store, model = ScoreStore.of(workspace), request.model
    every = range(store.table.num_folds)
    restarted = set[int]()
    if restart:
        restarted = _restarted(workspace, request) if fold is None else {fold}
    recipe = _checked_recipe(workspace, request, restarted)
    for number in sorted(restarted):
        remove(workspace, model, number)
    numbers = every if fold is None else [fold]
    jobs = [Job(workspace, store, model, recipe, number, skip_broken, with_test=not no_test) for number in numbers]
    run_jobs(jobs, pass_on=fold is None, keep=keep)
    keep(model)  # also what was done before
    return store.folds_of(model) == list(every)


def _restarted(workspace: Workspace, request: ModelRequest) -> set[int]:
    """Return all folds of a model: also those of a fold table that had more of them."""
    return {*range(ScoreStore.of(workspace).table.num_folds), *begun(workspace.runs / request.model)}


def _checked_recipe(workspace: Workspace, request: ModelRequest, restarted: Collection[int]) -> Recipe:
    """Return the recipe of a model; refuse weights that are not there, unknown labels, renderings and bands."""
    recipe = recipe_of(workspace, request, restarted)
    recipe.digest()
    recipe.task(workspace.competition)
    columns_of(recipe, workspace.competition.image_set(recipe.images))
    return recipe
