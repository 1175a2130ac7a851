"""Training a model on its folds, one job after another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.backend.load import load_backend
from models.networks.input_spec import columns_of
from models.recipes.recipe import Recipe
from models.runs.folders import begun
from models.runs.model_recipe import ModelRequest, recipe_of
from models.runs.restarts import Restart
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
        restart: begin again; what was made stays until the new is complete.
        options: the others of `train_folds`.
    """
    if len(requests) > 1:
        recipes = [_recipe_to_come(workspace, request, restart=restart) for request in requests]
        load_backend()  # which takes longer than all that may be refused before
        from models.networks.backbones import check_backbone

        for recipe in recipes:
            check_backbone(recipe)
    are_whole = [train_folds(workspace, request, restart=restart, **options) for request in requests]
    return all(are_whole)


def _recipe_to_come(workspace: Workspace, request: ModelRequest, *, restart: bool) -> Recipe:
    """Return the recipe that a model will be trained with; refuse folds of it that training would not go on with."""
    store, again, every = ScoreStore.of(workspace), Restart(workspace, request.model), _restarted(workspace, request)
    anew = every if restart else again.folds(store)
    for fold in store.folds_of(request.model):
        if fold not in anew:
            store.provenance(request.model, fold)
    goes_on = not restart and anew >= every
    return _checked_recipe(again.beside if goes_on else workspace, request, every if restart else ())


def train_folds(
    workspace: Workspace,
    request: ModelRequest,
    fold: int | None = None,
    *,
    only: int | None = None,
    keep: Callable[[str], None] = lambda _: None,
    **options: bool,
) -> bool:
    """Train a model on one fold, or on all of them; return whether all have scores now.

    Args:
        workspace: chips, labels and runs.
        request: the model, and the values given by flags.
        fold: the fold; None: all, leaving those that another process is at.
        only: the network of this seed alone, from 0, without scores; None: all of them, and the scores.
        keep: called with the model after jobs that were done, and at the end.
        options: the others of `jobs_of`.
    """
    store, model = ScoreStore.of(workspace), request.model
    for jobs in jobs_of(workspace, request, fold, **options):
        some = [dataclasses.replace(job, only=only) for job in jobs]
        if only is not None:
            _check_seed(some[0])
        is_kept = jobs[0].workspace is workspace  # what is made again is not where it is looked for before all of it is
        run_jobs(some, pass_on=fold is None, keep=keep if is_kept else lambda _: None)
        Restart(workspace, model).settle(store)
    keep(model)  # also what was done before
    return store.folds_of(model) == list(range(store.table.num_folds))


def jobs_of(
    workspace: Workspace,
    request: ModelRequest,
    fold: int | None = None,
    *,
    restart: bool = False,
    skip_broken: bool = False,
    no_test: bool = False,
) -> Iterator[list[Job]]:
    """Yield the jobs of a model: first those of folds that are made again, beside what there is, then the others.

    Those that are yielded are to be done before the next are asked for.

    Args:
        workspace: chips, labels and runs.
        request: the model, and the values given by flags.
        fold: the fold; None: all.
        restart: begin again; what was made stays until the new is complete.
        skip_broken: leave broken chips out, instead of stopping.
        no_test: score held-out chips only.
    """
    store, model = ScoreStore.of(workspace), request.model
    numbers = list(range(store.table.num_folds) if fold is None else [fold])
    again = Restart(workspace, model)
    again.settle(store)  # what a killed process had complete
    fresh = _begin_again(again, request, fold, store) if restart else None
    anew = [number for number in numbers if number in again.folds(store)]
    for here, some in ((again.beside, anew), (workspace, [number for number in numbers if number not in anew])):
        if some and (some is anew or not again.holds_up_others(store)):
            recipe = fresh or _checked_recipe(here, request, ())
            made = dataclasses.replace(store, root=here.runs)
            yield [Job(here, made, model, recipe, number, skip_broken, with_test=not no_test) for number in some]


def jobs_to_come(workspace: Workspace, request: ModelRequest, **options: bool) -> list[list[Job]]:
    """Return the jobs that `jobs_of` yields while none of them is done, and behind them those that wait for these.

    Where all that there is of a model is made again, its other folds wait, and then have the recipe of that.
    """
    found = [job for some in jobs_of(workspace, request, **options) for job in some]
    store, again = ScoreStore.of(workspace), Restart(workspace, request.model)
    anew = again.folds(store)
    if not (found and again.holds_up_others(store) and begun(again.old) <= anew):
        return [found]
    others = [number for number in range(store.table.num_folds) if number not in anew]
    return [found, [dataclasses.replace(found[0], workspace=workspace, store=store, fold=fold) for fold in others]]


def _check_seed(job: Job) -> None:
    """Refuse a seed that a model does not have, or that is not trained by itself."""
    if job.recipe.on_bank:
        raise UserError(f"'{job.model}' learns from features: all its seeds learn at once. Leave --only-seed out.")
    if (job.only or 0) >= job.recipe.seeds:
        raise UserError(f"--only-seed: '{job.model}' has the seeds 0 to {job.recipe.seeds - 1}, received {job.only}.")


def begin_again(workspace: Workspace, request: ModelRequest) -> None:
    """Begin all folds of a model again, and do nothing more: `train` goes on with them."""
    store, again = ScoreStore.of(workspace), Restart(workspace, request.model)
    again.settle(store)
    _begin_again(again, request, None, store)


def jobs_to_begin_again(workspace: Workspace, request: ModelRequest) -> list[Job]:
    """Return the jobs of a model as `begin_again` would have them; nothing is begun."""
    store = ScoreStore.of(workspace)
    recipe = _checked_recipe(workspace, request, _restarted(workspace, request))
    return [Job(workspace, store, request.model, recipe, fold) for fold in range(store.table.num_folds)]


def _begin_again(again: Restart, request: ModelRequest, fold: int | None, store: ScoreStore) -> Recipe:
    """Begin folds of a model again, beside what there is of them; return the recipe that they are made with now."""
    workspace = again.workspace
    asked = _restarted(workspace, request) if fold is None else {fold}
    # Of a model that is being made again already, one fold begins again with the recipe of that.
    within = fold is not None and again.folds(store) > asked
    recipe = _checked_recipe(again.beside if within else workspace, request, asked)
    if asked & (begun(again.old) | again.folds(store)):
        again.begin(asked, recipe, store)
    return recipe


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
