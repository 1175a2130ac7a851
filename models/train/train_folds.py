"""Training a model on its folds, one job after another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from competition.common.files import checked_name
from competition.workspace import Workspace
from folds.score_store import ScoreStore
from models.runs.folders import BusyError, begun, remove
from models.runs.model_recipe import recipe_of
from models.train.job import Job


def train_folds(
    workspace: Workspace,
    model: str,
    name: str | None,
    fold: int | None,
    *,
    restart: bool,
    recipes: Path | None,
    skip_broken: bool,
    no_test: bool,
    overrides: dict[str, Any],
) -> bool:
    """Train a model on one fold, or on all of them, one after another; return whether all have scores now.

    Args:
        workspace: chips, labels and runs.
        model: a recipe, or a model begun with one.
        name: name of the variant; None: the recipe's.
        fold: the fold; None: all, leaving those that another process is at.
        restart: remove what was made first.
        recipes: the user's own recipe file.
        skip_broken: leave broken chips out, instead of stopping.
        no_test: score held-out chips only.
        overrides: the recipe's values given by flags.
    """
    store, label = ScoreStore.of(workspace), name or model
    every, verb = range(store.table.num_folds), "train --models" if fold is None else f"fold --fold {fold} --model"
    chosen, again = every if fold is None else [fold], set[int]()
    if restart:  # all of it: also the folds of a fold table that had more of them
        again = {*every, *begun(workspace.runs / checked_name("model", label))} if fold is None else {fold}
    recipe = recipe_of(workspace, label, model if name else None, overrides, recipes, again, verb)
    # Refuse weights that are not there and unknown labels, before anything is removed.
    recipe.digest()
    recipe.task(workspace.competition)
    for number in sorted(again):
        remove(workspace, label, number)
    for number in chosen:
        try:
            Job(workspace, store, label, recipe, number, skip_broken, with_test=not no_test).run()
        except BusyError as busy:
            if fold is not None:
                raise
            print(f"{busy} Passing on to the next fold.")  # so that two processes share the folds of a model
    return store.folds_of(label) == list(every)
