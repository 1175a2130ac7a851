"""The recipe that a model was begun with, and the flags that may change it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from filelock import FileLock

from competition.common.command_line import as_flags, shown
from competition.common.errors import UserError, unknown_name
from competition.common.files import checked_name, write_json
from competition.workspace import Workspace
from models.recipes.named import load_recipes, recipe_from, resolve
from models.recipes.recipe import Recipe
from models.runs.folders import RECIPE, begun


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
