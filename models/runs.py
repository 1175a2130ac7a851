"""What lies in a model's folder: its recipe, and one folder a fold that one process at a time may work in.

Layout of a model's folder:

    recipe.json                    the recipe, with every value
    fold<k>/job.json               what the job is made with: digests of fold table, recipe, labels and chips
    fold<k>/train.log              what was shown
    fold<k>/checkpoints/, parts/   what is being made; removed at the end
    fold<k>/history.json           the finished epochs
    fold<k>/network.weights.h5     the network of the best epoch
    fold<k>/scores.json            see folds/scores.py
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from competition.errors import UserError
from competition.files import checked_name
from competition.workspace import Workspace
from models.recipes import Recipe, load_recipes, recipe_from, resolve
from models.training_state import state_of

RECIPE, JOB, NETWORK, HISTORY, LOG = "recipe.json", "job.json", "network.weights.h5", "history.json", "train.log"
PARTS = "parts"  # scores made so far


def recipe_of(
    workspace: Workspace, model: str, recipe_name: str | None, overrides: dict[str, Any], extra: Path | None = None
) -> Recipe:
    """Return the recipe of a model: the one it was begun with; for a new model the named one with the flags' values.

    Args:
        workspace: where the runs are.
        model: name of the model.
        recipe_name: name of the recipe; None means the model's own name.
        overrides: values given by flags.
        extra: the user's own recipe file.

    Raises:
        UserError: if the recipe is unknown, or the flags ask for other values than the model was begun with.
    """
    # A start that failed, for want of weights or of a band, binds the model to nothing.
    if not is_begun(workspace.runs / checked_name("model", model)):
        recipe = resolve(recipe_name or model, overrides, extra)
        first_images = workspace.competition.default_images
        return dataclasses.replace(recipe, images=first_images) if recipe.images == "first" else recipe
    begun = read_recipe(workspace, model)
    asked = {**(load_recipes(extra).get(recipe_name, {}) if recipe_name else {}), **overrides}
    if asked.get("images") == "first":
        asked["images"] = workspace.competition.default_images
    before = begun.to_dict()
    after = recipe_from({**before, **asked}, f"recipe of '{model}'").to_dict()
    if changed := [f"{name} {before[name]} (received {after[name]})" for name in before if before[name] != after[name]]:
        raise UserError(
            f"Model '{model}' was begun with {', '.join(changed)}. To go on, give --model {model} without these flags; "
            f'for a variant, another --name; to begin again, "python run.py train --models {model} --restart".'
        )
    return begun


def read_recipe(workspace: Workspace, model: str) -> Recipe:
    """Return the recipe that a model was begun with.

    Raises:
        UserError: if the model was not begun, or its recipe is damaged.
    """
    path = workspace.runs / model / RECIPE
    try:
        return recipe_from(json.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise UserError(
            f"No model '{model}' in {workspace.runs}. Run \"python run.py train --models {model}\"."
        ) from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is damaged: {error}. Begin the model again with --restart.") from error


def restart(workspace: Workspace, model: str, fold: int | None = None) -> None:
    """Remove what was made of one fold of a model, or of all of them.

    Raises:
        UserError: if another process is at one of them.
    """
    folder = workspace.runs / checked_name("model", model)
    for job in sorted(folder.glob("fold*" if fold is None else f"fold{fold}")):
        with alone(job):
            shutil.rmtree(job)
    if not any(folder.glob("fold*")):
        shutil.rmtree(folder, ignore_errors=True)


class BusyError(UserError):
    """Another process is at the job."""


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from a job's folder.

    Raises:
        BusyError: if another process is at it.
    """
    try:
        # Beside the folder, so that removing the folder does not remove the lock that guards it.
        with FileLock(folder.with_name(f".{folder.name}.lock"), timeout=0):
            yield
    except Timeout as error:
        job = f"'{folder.parent.name}' {folder.name.replace('fold', 'fold ')}"
        raise BusyError(f"Another process is at {job}. Wait for it to end.") from error


def is_begun(folder: Path) -> bool:
    """Whether any fold of the model in `folder` has finished an epoch."""
    return any(state_of(job).epochs for job in folder.glob("fold*"))
