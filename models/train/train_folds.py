"""Training a model on its folds, one job after another."""

from __future__ import annotations

from competition.common.progress import reporter
from competition.workspace import Workspace
from folds.score_store import ScoreStore
from models.runs.folders import BusyError, begun, remove
from models.runs.model_recipe import ModelRequest, recipe_of
from models.train.job import Job


def train_folds(
    workspace: Workspace,
    request: ModelRequest,
    fold: int | None = None,
    *,
    restart: bool = False,
    skip_broken: bool = False,
    no_test: bool = False,
) -> bool:
    """Train a model on one fold, or on all of them, one after another; return whether all have scores now.

    Args:
        workspace: chips, labels and runs.
        request: the model, and the values given by flags.
        fold: the fold; None: all, leaving those that another process is at.
        restart: remove what was made first.
        skip_broken: leave broken chips out, instead of stopping.
        no_test: score held-out chips only.
    """
    store, model = ScoreStore.of(workspace), request.model
    every = range(store.table.num_folds)
    restarted = set[int]()
    if restart:  # all of it: also the folds of a fold table that had more of them
        restarted = {*every, *begun(workspace.runs / model)} if fold is None else {fold}
    recipe = recipe_of(workspace, request, restarted)
    # Refuse weights that are not there and unknown labels, before anything is removed.
    recipe.digest()
    recipe.task(workspace.competition)
    for number in sorted(restarted):
        remove(workspace, model, number)
    for number in every if fold is None else [fold]:
        try:
            Job(workspace, store, model, recipe, number, skip_broken, with_test=not no_test).run()
        except BusyError as busy:
            if fold is not None:
                raise
            reporter.say(f"{busy} Passing on to the next fold.")  # so that two processes share the folds of a model
    return store.folds_of(model) == list(every)
