"""The flags of `fold`, `train` and `features`: one for each value of a recipe, and those of the work itself."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

import click

from competition.common.command_line import FILE, Words
from competition.common.errors import UserError
from models.recipes.recipe import Recipe

ESSENTIAL = ("model", "models", "fold", "name", "epochs", "input_size", "bands", "images")
HEADINGS = {  # of help, each by the first value of a recipe that stands under it
    "backbone": "The network",
    "loss": "The loss",
    "optimizer": "The steps of training",
    "batch_size": "The chips of a step",
}


class RecipeCommand(click.Command):
    """A verb with the flags of a recipe, whose help shows first what is given most often, and the rest by headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flags."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": [], "The work": []}
        heading, values = "", {field.name for field in dataclasses.fields(Recipe)}
        for flag in self.get_params(ctx):
            heading = HEADINGS.get(flag.name or "", heading) if flag.name in values else "The work"
            if record := flag.get_help_record(ctx):
                sections.setdefault("Options" if flag.name in ESSENTIAL else heading, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


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


def model_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb `--models`, and `--name` for a variant of one of them."""

    @click.option("--models", type=Words(needed=True), required=True, help="recipes, or models begun with one")
    @click.option("--name", help="name of this variant, where one model is given")
    @functools.wraps(verb)
    def wrapped(*arguments: Any, models: tuple[str, ...], name: str | None, **options: Any) -> None:
        if name and len(models) > 1:
            raise UserError(f"--models: expected one model with --name, received {', '.join(models)}.")
        verb(*arguments, models=models, name=name, **options)

    return wrapped


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
