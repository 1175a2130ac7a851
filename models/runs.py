"""What lies in a model's folder: its recipe, and one folder a fold that one process at a time may work in.

Layout of a model's folder:

    recipe.json                    the recipe, with every value; written before any long work
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
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from competition.errors import UserError, unknown_name
from competition.files import checked_name, write_json
from competition.workspace import Workspace
from models.flags import as_flags, shown
from models.recipes import Recipe, load_recipes, recipe_from, resolve

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
    verb: str = "train --models",
) -> Recipe:
    """Return the recipe of a model: the one it was begun with; for a new model the named one with the flags' values.

    Args:
        workspace: where the runs are.
        model: name of the model.
        recipe_name: name of the recipe, or of a model begun with one; None means the model's own name.
        overrides: values given by flags.
        extra: the user's own recipe file.
        restarted: folds to begin again; if the model has no others, the flags may change its recipe.
        verb: the command that asks, up to the model's name.

    Raises:
        UserError: if the recipe is unknown, the name is that of a blend, or the flags ask for other values than the
            model was begun with.
    """
    folder, source = workspace.runs / checked_name("model", model), recipe_name or model
    again = bool(restarted) and begun(folder) <= set(restarted)
    try:
        before = read_recipe(workspace, model).to_dict() if (folder / RECIPE).is_file() else None
    except UserError:
        if not again:
            raise
        before = None  # a damaged recipe is mended by beginning again
    if before is None:
        return _new_recipe(workspace, model, source, overrides, extra)
    named = load_recipes(extra).get(recipe_name, {}) if recipe_name and not again else {}
    asked = {**named, **overrides}
    if asked.get("images") == "first":
        asked["images"] = workspace.competition.default_images
    wanted = recipe_from({**before, **asked}, f"recipe of '{model}'")
    after = wanted.to_dict()
    if again or after == before:
        return wanted
    flags = as_flags({"recipes": extra, **overrides})
    changed = as_flags({name: value for name, value in after.items() if value != before[name]})
    raise UserError(
        f"Model '{model}' was begun with {_differences(before, after)}. To go on with it, run "
        f'"python run.py {verb} {model}"; for a variant, "python run.py {verb} {source} --name {model}-2{flags}"; '
        f'to begin it again, "python run.py train --models {model}{changed} --restart".'
    )


def _new_recipe(workspace: Workspace, model: str, source: str, overrides: dict[str, Any], extra: Path | None) -> Recipe:
    if (workspace.blends / model).exists():
        raise UserError(f"'{model}' is a blend. Give the model another --name.")
    if source not in load_recipes(extra) and (workspace.runs / source / RECIPE).is_file():
        values = {**read_recipe(workspace, source).to_dict(), **overrides}
        recipe = recipe_from(values, f"recipe of '{source}'")
    else:
        recipe = resolve(source, overrides, extra)
    first_images = workspace.competition.default_images
    return dataclasses.replace(recipe, images=first_images) if recipe.images == "first" else recipe


def _differences(before: dict[str, Any], after: dict[str, Any]) -> str:
    changed = [name for name in before if before[name] != after[name]]
    return ", ".join(f"{name} {shown(before[name])} (received {shown(after[name])})" for name in changed)


def record(workspace: Workspace, model: str, recipe: Recipe) -> None:
    """Write down what a model is begun with, so that no other process begins it with something else.

    Raises:
        UserError: if another process has.
    """
    path = workspace.runs / checked_name("model", model) / RECIPE
    with FileLock(path.with_name(f".{RECIPE}.lock")):
        if not path.is_file():
            write_json(path, recipe.to_dict())
    if changed := _differences(read_recipe(workspace, model).to_dict(), recipe.to_dict()):
        raise UserError(
            f"Another process has begun '{model}' with {changed}. Give the same flags, or this one another --name."
        )


def read_recipe(workspace: Workspace, model: str) -> Recipe:
    """Return the recipe that a model was begun with.

    Raises:
        UserError: if the model was not begun, or its recipe is damaged.
    """
    path = workspace.runs / checked_name("model", model) / RECIPE
    if (workspace.blends / model).is_dir() and not path.is_file():
        raise UserError(f"'{model}' is a blend, which has no recipe and no networks. Name one of its members.")
    if not path.is_file():
        if model in load_recipes():
            raise UserError(f"'{model}' is not trained yet. Run \"python run.py train --models {model}\".")
        raise unknown_name("model", model, [found.parent.name for found in workspace.runs.glob(f"*/{RECIPE}")])
    try:
        return recipe_from(json.loads(path.read_text(encoding="utf-8")), str(path))
    except (ValueError, AttributeError, TypeError) as error:
        raise UserError(f'{path} is damaged: {error}. Run "python run.py train --models {model} --restart".') from error


def remove(workspace: Workspace, model: str, fold: int) -> None:
    """Remove what was made of one fold of a model, and with the last fold the model.

    Raises:
        UserError: if another process is at it.
    """
    job = workspace.runs / checked_name("model", model) / f"fold{fold}"
    if job.is_dir():
        with alone(job):
            shutil.rmtree(job)
    _remove_if_empty(job.parent)


def _remove_if_empty(folder: Path) -> None:
    """Remove a model that has no folds left."""
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


@contextmanager
def attempt(folder: Path) -> Iterator[None]:
    """Work in a job's folder, alone. A start that ends before its first epoch leaves nothing, and binds to nothing.

    Raises:
        BusyError: if another process is at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        try:
            yield
        except BaseException:
            if not any(path.is_file() and path.name not in (JOB, LOG) for path in folder.rglob("*")):
                shutil.rmtree(folder)
                _remove_if_empty(folder.parent)
            raise


def begun(folder: Path) -> set[int]:
    """Return the folds of the model in `folder` that were begun."""
    return {int(job.name[4:]) for job in folder.glob("fold*") if job.name[4:].isdigit()}


def model_and_fold(path: Path) -> tuple[str, int]:
    """Return model and fold of the job in whose folder `path` lies, or which is that folder."""
    job = next(folder for folder in (path, *path.parents) if re.fullmatch(r"fold\d+", folder.name))
    return job.parent.name, int(job.name[4:])


def begin_again(path: Path) -> str:
    """Return what to do about a file in a model's folder, or in a job's, that is damaged: the command is in it."""
    if path.name == EXTRACTOR:  # the folds share it
        return f'Run "python run.py train --models {path.parent.name} --restart"'
    model, fold = model_and_fold(path)
    return f'Run "python run.py fold --model {model} --fold {fold} --restart"'


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
        raise UserError(f"{path} is missing or damaged. {begin_again(path)}.") from error
