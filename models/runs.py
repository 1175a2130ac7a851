"""What lies in a model's folder: its recipe, and one folder a fold that one process at a time may work in.

Layout of a model's folder:

    recipe.json                    the recipe, with every value
    extractor.weights.h5           the backbone, where it is frozen: the folds share it
    fold<k>/job.json               what the job is made with: digests of fold table, recipe, labels and chips
    fold<k>/train.log              what was shown
    fold<k>/checkpoints/, head/, parts/   what is being made; removed at the end
    fold<k>/history.json           the finished epochs
    fold<k>/network.weights.h5     the network of the best epoch; its head, where the backbone is frozen
    fold<k>/seed<n>/               the same of further seeds
    fold<k>/scores.json            see folds/scores.py
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from competition.errors import UserError
from competition.files import checked_name
from competition.workspace import Workspace
from models.recipes import Recipe, load_recipes, recipe_from, resolve
from models.training_state import has_begun

RECIPE, JOB, NETWORK, HISTORY, LOG = "recipe.json", "job.json", "network.weights.h5", "history.json", "train.log"
PARTS = "parts"  # scores made so far
EXTRACTOR = "extractor.weights.h5"


def recipe_of(
    workspace: Workspace,
    model: str,
    recipe_name: str | None,
    overrides: dict[str, Any],
    extra: Path | None = None,
    restarted: Collection[int] = (),
) -> Recipe:
    """Return the recipe of a model: the one it was begun with; for a new model the named one with the flags' values.

    Args:
        workspace: where the runs are.
        model: name of the model.
        recipe_name: name of the recipe; None means the model's own name.
        overrides: values given by flags.
        extra: the user's own recipe file.
        restarted: folds to begin again; if the model has no others, the flags may change its recipe.

    Raises:
        UserError: if the recipe is unknown, the name is that of a blend, or the flags ask for other values than the
            model was begun with.
    """
    # A start that failed, for want of weights or of a band, binds the model to nothing.
    begun_folds = begun(workspace.runs / checked_name("model", model))
    if not begun_folds:
        if (workspace.blends / model).exists():
            raise UserError(f"'{model}' is a blend. Give the model another --name.")
        recipe = resolve(recipe_name or model, overrides, extra)
        first_images = workspace.competition.default_images
        return dataclasses.replace(recipe, images=first_images) if recipe.images == "first" else recipe
    before = read_recipe(workspace, model).to_dict()
    again = begun_folds <= set(restarted)
    named = load_recipes(extra).get(recipe_name, {}) if recipe_name and not again else {}
    asked = {**named, **overrides}
    if asked.get("images") == "first":
        asked["images"] = workspace.competition.default_images
    wanted = recipe_from({**before, **asked}, f"recipe of '{model}'")
    after = wanted.to_dict()
    if again:
        return wanted
    if changed := [f"{name} {before[name]} (received {after[name]})" for name in before if before[name] != after[name]]:
        raise UserError(
            f"Model '{model}' was begun with {', '.join(changed)}. To go on, give --model {model} without these flags; "
            f'for a variant, another --name; to begin again, "python run.py train --models {model} --restart".'
        )
    return wanted


def read_recipe(workspace: Workspace, model: str) -> Recipe:
    """Return the recipe that a model was begun with.

    Raises:
        UserError: if the model was not begun, or its recipe is damaged.
    """
    path = workspace.runs / checked_name("model", model) / RECIPE
    if (workspace.blends / model).is_dir() and not path.is_file():
        raise UserError(f"'{model}' is a blend, which has no recipe and no networks. Name one of its members.")
    try:
        return recipe_from(json.loads(path.read_text(encoding="utf-8")), str(path))
    except OSError as error:
        raise UserError(
            f"No model '{model}' in {workspace.runs}. Run \"python run.py train --models {model}\"."
        ) from error
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(f"{path} is damaged: {error}. Begin the model again with --restart.") from error


def remove(workspace: Workspace, model: str, fold: int) -> None:
    """Remove what was made of one fold of a model, and with the last fold the model.

    Raises:
        UserError: if another process is at it.
    """
    folder = workspace.runs / checked_name("model", model)
    job = folder / f"fold{fold}"
    if job.is_dir():
        with alone(job):
            shutil.rmtree(job)
    if not any(folder.glob("fold*")):
        shutil.rmtree(folder, ignore_errors=True)


def seed_folders(folder: Path, recipe: Recipe) -> list[Path]:
    """Return the folder of each seed's network in a job's folder: of the first, that folder itself."""
    return [folder, *(folder / f"seed{number}" for number in range(1, recipe.seeds))]


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


def begun(folder: Path) -> set[int]:
    """Return the folds of the model in `folder` that have finished an epoch."""
    return {int(job.name[4:]) for job in folder.glob("fold*") if job.name[4:].isdigit() and has_begun(job)}


def read_job(folder: Path) -> dict[str, Any]:
    """Return what the job in `folder` is made with.

    Raises:
        UserError: if that is missing or damaged.
    """
    path = folder / JOB
    try:
        job: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {**job, "inputs": dict(job["inputs"]), "dtype": str(job["dtype"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is missing or damaged. Begin the fold again with --restart.") from error
