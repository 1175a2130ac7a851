"""Named recipes: those that ship and those of the user's own file."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from competition.common.errors import UserError, unknown_name
from competition.common.files import read_toml
from competition.terminal.command_line import shown
from competition.terminal.tables import table
from models.recipes.joint import BROUGHT, over, with_parts
from models.recipes.recipe import Recipe
from models.recipes.values import FLAGS, NOTED

BUILT_IN = Path(__file__).parent / "recipes.toml"


def load_recipes(extra: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return the values of every named recipe, those of the user's own file merged over the built-in ones.

    Args:
        extra: a TOML file of recipes. One with a new name that sets `base = "NAME"` starts from that recipe.

    Raises:
        UserError: if a file is missing, not valid TOML, or names an unknown base or value.
    """
    recipes: dict[str, dict[str, Any]] = {}
    for path in (BUILT_IN, extra) if extra else (BUILT_IN,):
        for name, values in _read(path).items():
            base = values.pop("base", name if name in recipes else None)
            values.pop("licence", None)  # see `licences`
            if base is not None and base not in list(recipes):  # a list, as TOML may give what cannot be a key
                raise unknown_name("base recipe", base, list(recipes))
            for noted in (noted for noted in NOTED if noted in values):  # other values name what they are of
                raise unknown_name(f"value of recipe {name!r}", noted, list(FLAGS))
            recipes[name] = over(recipes[base] if base else {}, values, f"recipe {name!r}")
    return recipes


def licences(extra: Path | None = None) -> dict[str, str]:
    """Return the licence of the weights of each named recipe that says one; it is no part of the recipe."""
    paths = (BUILT_IN, extra) if extra else (BUILT_IN,)
    every = [(name, values) for path in paths for name, values in _read(path).items()]
    return {name: str(values["licence"]) for name, values in every if "licence" in values}


def resolve(name: str, overrides: Mapping[str, Any], extra: Path | None = None) -> Recipe:
    """Return the recipe called `name` with some values replaced.

    Args:
        name: name of a recipe.
        overrides: values by field, such as those of the flags given.
        extra: the user's own recipe file.

    Raises:
        UserError: if the recipe is unknown or a value is not valid.
    """
    recipes = load_recipes(extra)
    if name not in recipes:
        raise unknown_name("recipe", name, list(recipes))
    values = over(recipes[name], overrides, f"a variant of {name!r}")
    return recipe_from(values, f"recipe {name!r}", extra)


def listing(extra: Path | None = None) -> str:
    """Return a table of the recipes: the values in which each differs from the one it starts from, or the defaults."""
    paths = (BUILT_IN, extra) if extra else (BUILT_IN,)
    bases = {name: str(values["base"]) for path in paths for name, values in _read(path).items() if "base" in values}
    defaults, of = {field.name: field.default for field in dataclasses.fields(Recipe)}, licences(extra)
    known = {name: resolve(name, {}, extra).to_dict() for name in load_recipes(extra)}

    def row(name: str, values: dict[str, Any]) -> tuple[str, str]:
        before = known.get(bases.get(name, ""), defaults)
        brought = BROUGHT if values["parts"] else ()
        own = {key: values[key] for key in FLAGS if key not in brought and values[key] != before[key]}
        own |= {"licence": of[name]} if name in of else {}
        starts = [f"as {bases[name]}:"] if name in bases else []
        return name, "  ".join([*starts, *(f"{key}={shown(value)}" for key, value in own.items())])

    return table(["recipe", "what it sets"], [row(*each) for each in known.items()], "ll")


def recipe_from(values: Mapping[str, Any], source: str, extra: Path | None = None) -> Recipe:
    """Return a recipe from plain values, checking each one.

    Args:
        values: by name.
        source: what they are of, for the line that refuses them.
        extra: the user's own recipe file, in which a joint recipe's parts are looked up that it does not have yet.

    Raises:
        UserError: if a value is missing, unknown or of the wrong kind; the line names it and `source`.
    """
    from pydantic import TypeAdapter, ValidationError

    from competition.spec.load import describe

    if unknown := sorted(values.keys() - {*FLAGS, *NOTED}):
        raise unknown_name(f"value of {source}", unknown[0], list(FLAGS))

    def part(name: str) -> Recipe:
        return resolve(name, {}, extra)

    whole = with_parts(values, source, functools.partial(load_recipes, extra), part)
    try:
        return TypeAdapter(Recipe).validate_python(whole)
    except ValidationError as error:
        raise UserError(f"{source} is not valid: {describe(error).removesuffix('.')}.") from error


def _read(path: Path) -> dict[str, dict[str, Any]]:
    content = read_toml(path, "recipe file")
    for name in (name for name, values in content.items() if not isinstance(values, dict)):
        raise UserError(f"{path} must hold one table per recipe, such as [{name}]; received the bare value {name!r}.")
    return content
