"""The flags of `fold` and `train`: one for each value of a recipe, and those of the work itself."""

from __future__ import annotations

import dataclasses
import functools
import shlex
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

import click

from competition.command_line import FILE, Words
from models.recipes import Recipe


def recipe_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb one flag for each value of a recipe, and the argument `overrides` with the values of those given."""
    fields = dataclasses.fields(Recipe)

    @functools.wraps(verb)
    def wrapped(*arguments: Any, **options: Any) -> None:
        values = {field.name: options.pop(field.name) for field in fields}
        verb(*arguments, **options, overrides={name: value for name, value in values.items() if value is not None})

    kinds = get_type_hints(Recipe)
    for field in reversed(fields):
        flag, kind = f"--{field.name.replace('_', '-')}", _flag_type(kinds[field.name])
        wrapped = click.option(flag, field.name, type=kind, help=field.metadata["help"])(wrapped)
    return wrapped


def as_flags(overrides: dict[str, Any]) -> str:
    """Return the flags, each with a space before it, that give a recipe these values."""

    def shown(value: Any) -> str:
        return (",".join(map(str, value)) or "none") if isinstance(value, tuple | list) else str(value)

    return "".join(f" --{name.replace('_', '-')} {shlex.quote(shown(value))}" for name, value in overrides.items())


def job_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the flags of training that are no values of a recipe."""
    for option in (
        click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping"),
        click.option("--no-test", is_flag=True, help="score held-out chips only; without it the test chips follow"),
        click.option("--restart", is_flag=True, help="remove what was made of it, and begin again"),
        click.option("--recipes", type=FILE, help="your own recipe file, merged in"),
    ):
        verb = option(verb)
    return verb


def _flag_type(kind: Any) -> Any:
    if get_origin(kind) is tuple:
        one = get_args(kind)[0]
        return Words(str if get_args(one) else one)  # of known words, the recipe's own check names them
    return click.Choice(get_args(kind)) if get_args(kind) else kind
