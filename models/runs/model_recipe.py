"""The recipe that a model was begun with, and the flags that may change it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from competition.common.errors import UserError, spelled, unknown_name
from competition.common.files import checked_name
from competition.common.locks import locked
from competition.common.progress import reporter
from competition.common.records import DamagedError, read_record, write_record
from competition.flags import bands_flag
from competition.terminal.command_line import as_flags, shown
from competition.workspace import Workspace
from folds.store.chip_weights import read_weights
from folds.store.pseudo_labels import PseudoLabels
from models.recipes.joint import BROUGHT, over
from models.recipes.named import load_recipes, recipe_from, resolve
from models.recipes.recipe import Recipe
from models.recipes.values import DIGEST_OF, FLAGS, NONE
from models.runs.folders import FORMAT, RECIPE, begun, is_a_blend
from models.runs.kept_recipe import digests_of, values_of


@dataclass(frozen=True)
class ModelRequest:
    """The model that a command names, and what its flags say of the recipe.

    Attributes:
        source: a recipe, or a model begun with one.
        name: name of this variant of it; None: the source's own name.
        overrides: the recipe's values given by flags.
        recipes: the user's own recipe file.
        verb: the command that asks, up to the model's name.
    """

    source: str
    name: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    recipes: Path | None = None
    verb: str = "train --models"

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.name or self.source


def recipe_of(workspace: Workspace, request: ModelRequest, restarted: Collection[int] = ()) -> Recipe:
    """Return the recipe of a model: the one it was begun with; for a new model the named one with the flags' values.

    Args:
        workspace: where the runs are.
        request: the model, and the values given by flags.
        restarted: folds to begin again; if the model has no others, the flags may change its recipe.

    Raises:
        UserError: if the recipe is unknown, the name is that of a blend, or the flags ask for other values than the
            model was begun with.
    """
    folder = workspace.runs / checked_name("model", request.model)
    begins_again = bool(restarted) and begun(folder) <= set(restarted)
    if not (folder / RECIPE).is_file() and not digests_of(folder):
        return _new_recipe(workspace, request)
    try:
        before = read_recipe(workspace, request.model).to_dict()
    except DamagedError as lost:
        return _same_recipe(workspace, request, lost)
    named = load_recipes(request.recipes).get(request.source, {}) if request.name and not begins_again else {}
    source = f"recipe of '{request.model}'"
    asked = over(named, request.overrides, source)
    recipe = recipe_from(over(before, asked, source), source, request.recipes)
    recipe = with_digests(workspace, recipe.settled(workspace.competition), None if begins_again else before)
    if begins_again or recipe.to_dict() == before:
        return recipe
    flags: Mapping[str, Any] = request.overrides
    if not request.name:  # a variant starts from what is called as the model is, which may have other weights
        start = start_of(workspace, request).settled(workspace.competition)
        flags = flags_between(start.to_dict(), recipe.to_dict(), request.recipes)
    raise _begun_otherwise(request, before, recipe.to_dict(), flags)


def _new_recipe(workspace: Workspace, request: ModelRequest) -> Recipe:
    if (workspace.blends / request.model).exists():
        if not request.name:
            raise is_a_blend(workspace, request.model)
        raise UserError(f"'{request.model}' is a blend. Give the model another --name.")
    recipe = start_of(workspace, request, request.overrides)
    if recipe.pseudo == NONE and recipe.pseudo_weight != 1:  # nothing to mend in models that were begun so
        raise UserError(
            f"pseudo_weight is what a pseudo-label counts, and there are none; received {recipe.pseudo_weight:g}. Give "
            "--pseudo with the name of some, or --pseudo-weight 1."
        )
    return with_digests(workspace, recipe.settled(workspace.competition))


def with_digests(workspace: Workspace, recipe: Recipe, before: Mapping[str, Any] | None = None) -> Recipe:
    """Return a recipe with the digests of what else it learns by: of what it was begun with, or what there is now.

    Args:
        workspace: where pseudo-labels and the chips' weights are.
        recipe: that may name them.
        before: the values that the model was begun with; None if it begins now.

    Raises:
        UserError: if there are none, or they are damaged or not of this workspace's folds and chips.
    """
    found, now = {"pseudo_digest": _digest_of_pseudo, "weighted_digest": _digest_of_weights}, dict[str, Any]()
    for digest, name in DIGEST_OF.items():
        if before is None or before[name] != getattr(recipe, name):
            now[digest] = "" if getattr(recipe, name) == NONE else found[digest](workspace, recipe)
    return replace(recipe, **now)


def _digest_of_pseudo(workspace: Workspace, recipe: Recipe) -> str:
    found = PseudoLabels.open(workspace, recipe.pseudo)
    if changed := found.said_of_change(workspace):
        reporter.note(f"{changed} They are clean all the same; to make them of these: {spelled(found.made.command)}")
    return found.digest


def _digest_of_weights(workspace: Workspace, recipe: Recipe) -> str:
    return read_weights(workspace).digest


def start_of(workspace: Workspace, request: ModelRequest, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe that a new model starts from, a named one or another model's, with the values of flags."""
    source = request.source
    if source in load_recipes(request.recipes) or not (workspace.runs / source / RECIPE).is_file():
        return resolve(source, overrides or {}, request.recipes)
    values = over(read_recipe(workspace, source).to_dict(), overrides or {}, f"recipe of '{source}'")
    return recipe_from(values, f"recipe of '{source}'", request.recipes)


def _same_recipe(workspace: Workspace, request: ModelRequest, lost: DamagedError) -> Recipe:
    """Return the recipe asked for in the place of one that is lost, if the folds were made with the same.

    Raises:
        DamagedError: the one given, if they were not.
    """
    path = workspace.runs / request.model / RECIPE
    if not (digests := digests_of(path.parent)):  # nothing was made with it
        path.unlink(missing_ok=True)
        return _new_recipe(workspace, request)
    with suppress(UserError):
        recipe = _new_recipe(workspace, request)
        if digests == {recipe.digest()}:
            write_record(path, recipe.to_dict(), version=FORMAT)
            return recipe
    raise lost


def _begun_otherwise(
    request: ModelRequest, before: dict[str, Any], after: dict[str, Any], more: Mapping[str, Any]
) -> UserError:
    """Return the error that says what a model was begun with, and what goes with the values that are asked for.

    Args:
        request: the model, and the values given by flags.
        before: the values that it was begun with.
        after: those that are asked for.
        more: flags that make a variant of what it starts from.
    """
    model, flags = request.model, as_flags({"recipes": request.recipes, **more})
    changed = as_flags(flags_between(before, after, request.recipes))
    return UserError(
        f"Model '{model}' was begun with {_differences(before, after)}.",
        command={
            "to go on with it": f"{request.verb} {model}",
            "for a variant": f"{request.verb} {request.source} --name {model}-2{flags}",
            "to begin it again": f"train --models {model}{changed} --restart",
        },
    )


def flags_between(before: dict[str, Any], after: dict[str, Any], recipes: Path | None) -> dict[str, Any]:
    """Return the flags that make one recipe's values another's; what parts bring is no flag of a joint recipe."""
    begun = {**over(before, {"backbone": after["backbone"]}, "a flag"), "backbone": before["backbone"]}
    brought = BROUGHT if after["parts"] else ()
    changed = {name: after[name] for name in FLAGS if name not in brought and after[name] != begun.get(name)}
    return {**changed, "recipes": recipes} if after["parts"] and "backbone" in changed else changed


def _differences(before: dict[str, Any], after: dict[str, Any]) -> str:
    if before["backbone"] == after["backbone"]:
        before, after = spread(before), spread(after)
    changed = [name for name in before if name != "parts" and before[name] != after[name]]
    changed = [name for name in changed if DIGEST_OF.get(name) not in changed]  # which says it
    return ", ".join(f"{name} {shown(before[name])} (received {shown(after[name])})" for name in changed)


def spread(values: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe's values with those of each part by name."""
    parts = zip(values["backbone"].split(","), values["parts"], strict=False)
    return values | {
        f"{key} of {name}": value for name, part in parts for key, value in part.items() if key != "weights"
    }


def record_recipe(workspace: Workspace, model: str, recipe: Recipe) -> None:
    """Write down what a model is begun with, so that no other process begins it with something else.

    Raises:
        UserError: if another process has.
    """
    path = workspace.runs / checked_name("model", model) / RECIPE
    with locked(path.with_name(f".{RECIPE}.lock")):
        if not path.is_file():
            write_record(path, recipe.to_dict(), version=FORMAT)
    if changed := _differences(read_recipe(workspace, model).to_dict(), recipe.to_dict()):
        raise UserError(
            f"Another process has begun '{model}' with {changed}. Give the same flags, or this one another --name."
        )


def read_recipe(workspace: Workspace, model: str) -> Recipe:
    """Return the recipe that a model was begun with; where its file is lost, by what its folds were made with.

    Raises:
        UserError: if the model was not begun.
        DamagedError: if its recipe is lost, and its folds do not say what they were made with.
    """
    path = workspace.runs / checked_name("model", model) / RECIPE
    if (workspace.blends / model).is_dir() and not path.is_file():
        raise is_a_blend(workspace, model)
    if not path.is_file() and not digests_of(path.parent):
        if model in load_recipes():
            flag = bands_flag(workspace.competition)
            raise UserError(f"'{model}' is not trained yet.", command=f"train --models {model}{flag}")
        raise unknown_name("model", model, [recipe.parent.name for recipe in workspace.runs.glob(f"*/{RECIPE}")])

    try:
        return check_recipe(path)
    except DamagedError as error:
        return _had_back(path, error)


def check_recipe(path: Path) -> Recipe:
    """Return the recipe in a model's file.

    Raises:
        DamagedError: if it is damaged, or another one than that which the model's folds were made with.
    """

    def parse(content: dict[str, Any]) -> Recipe:
        try:
            return recipe_from(content, str(path))
        except UserError as error:  # a value that no recipe has was never written
            raise ValueError(str(error)) from error

    recipe = read_record(path, parse, version=FORMAT)
    made_with = None
    with suppress(UserError):  # a recipe of another version
        values = values_of(path.parent)
        made_with = recipe_from(values, str(path)) if values is not None else None
    if made_with and made_with.without_paths() != recipe.without_paths():
        raise DamagedError(f"{path} is not the recipe that the folds of '{path.parent.name}' were made with.")
    return recipe


def _had_back(path: Path, error: DamagedError) -> Recipe:
    """Return the recipe that folds were made with, and write it where its file was lost."""
    model = path.parent.name
    if (values := values_of(path.parent)) is None:
        told = " Its folds do not say what they were made with." if digests_of(path.parent) else ""
        raise DamagedError(
            f"{error.text}{told} Restore it from a copy.",
            command={"with the recipe and flags it was begun with (others are refused)": _begin(model)},
        ) from error
    recipe = recipe_from(values, str(path))
    with suppress(OSError), locked(path.with_name(f".{RECIPE}.lock")):
        write_record(path, recipe.to_dict(), version=FORMAT)
        reporter.note(f"{error.text} It is written again: the folds of '{model}' say what they were made with.")
    return recipe


def _begin(model: str) -> str:
    return f"train --models RECIPE --name {model} FLAGS"


def summaries(workspace: Workspace, models: Iterable[str]) -> dict[str, str]:
    """Return what each model is made by, in a few words; those whose recipe is damaged are left out."""
    found = {}
    for model in models:
        with suppress(UserError):
            found[model] = read_recipe(workspace, model).summary().rstrip(".")
    return found
