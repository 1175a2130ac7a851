"""The flags of `fold`, `train`, `features` and `tune`: one for each value of a recipe, and those of the work itself."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Collection, Iterable
from types import NoneType
from typing import Any, Union, get_args, get_origin, get_type_hints

import rich_click as click
from click.types import convert_type

from competition.common.errors import UserError
from competition.terminal.command_line import FILE, Words
from competition.terminal.completion import names_in
from competition.tracking.flag import track_flag
from models.recipes.recipe import Recipe
from models.recipes.values import FLAGS

SEVERAL = (  # values of a head's training, of which `tune` takes several each
    *(
        "head_norm",
        "dense",
        "dropout",
        "input_dropout",
        "members",
        "loss",
        "gamma",
        "label_smoothing",
        "class_weights",
        "optimizer",
    ),
    *("learning_rate", "schedule", "warmup", "weight_decay", "clip", "ema", "batch_size", "epochs", "patience"),
    *("mixup", "sampling"),
)
OFTEN = "Options"  # heading of what is given most often
ESSENTIAL = ("epochs", "input_size", "bands", "images")
HEADINGS = {  # of help, each by the first value of a recipe that stands under it
    "backbone": "The network",
    "loss": "The loss",
    "optimizer": "The steps of training",
    "batch_size": "The chips of a step",
}


class Several(click.ParamType):
    """Values joined by commas.

    Args:
        kind: of each.
    """

    def __init__(self, kind: Any) -> None:
        self.kind = convert_type(kind)
        self.name = "|".join(kind.choices) if isinstance(kind, click.Choice) else "a,b"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Return the values as a tuple."""
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in value.split(",") if word.strip()]
        if not words:
            self.fail(f"{value!r} is no value.", param, ctx)
        return tuple(self.kind.convert(word, param, ctx) for word in words)


def _known_recipes() -> Iterable[str]:
    from models.recipes.named import load_recipes

    return load_recipes()


of_recipes = names_in("runs/[!.]*", further=_known_recipes)


def recipe_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb one flag for each value of a recipe, and the argument `overrides` with the values of those given."""

    @functools.wraps(verb)
    def wrapped(*arguments: Any, **options: Any) -> None:
        values = {name: options.pop(name) for name in FLAGS}
        verb(*arguments, **options, overrides={name: value for name, value in values.items() if value is not None})

    return _flagged(wrapped)


def recipe_lists(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the flags of recipes, of which those in `SEVERAL` take several values.

    They are joined by commas, or, also where a value has commas itself, given by the flag again. The argument
    `overrides` has the values of flags given one, `choices` by name the different values of those given several.
    """

    @functools.wraps(verb)
    def wrapped(*arguments: Any, **options: Any) -> None:
        overrides, choices = dict[str, Any](), dict[str, tuple[Any, ...]]()
        for name, value in ((name, options.pop(name)) for name in FLAGS):
            values = tuple(dict.fromkeys(value)) if name in SEVERAL else () if value is None else (value,)
            if len(values) > 1:
                choices[name] = values
            elif values:
                overrides[name] = values[0]
        verb(*arguments, **options, overrides=overrides, choices=choices)

    return _flagged(wrapped, SEVERAL)


def _flagged(verb: Callable[..., None], several: Collection[str] = ()) -> Callable[..., None]:
    """Give a verb one flag for each value of a recipe, of which those in `several` collect their values in a tuple."""
    kinds = get_type_hints(Recipe)
    help_of = {field.name: field.metadata.get("help") for field in dataclasses.fields(Recipe)}
    panels, heading = dict[str, str](), ""
    for name in FLAGS:
        heading = HEADINGS.get(name, heading)
        panels[name] = OFTEN if name in ESSENTIAL else heading
    for name in reversed(FLAGS):
        flag, kind, more = f"--{name.replace('_', '-')}", _flag_type(kinds[name]), dict[str, Any]()
        if name in several:
            more = {"multiple": True}
            if not isinstance(kind, Words):
                kind, more["callback"] = Several(kind), lambda _, __, given: tuple(itertools.chain(*given))
        verb = click.option(flag, name, type=kind, help=help_of[name], panel=panels[name], **more)(verb)
    return verb


def model_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb `--models`, and `--name` for a variant of one of them."""

    @click.option(
        "--models",
        type=Words(needed=True),
        required=True,
        shell_complete=of_recipes,
        help="recipes, or models begun with one",
    )
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
        click.option("--restart", is_flag=True, help="begin again; what was made stays until the new is complete"),
        click.option("--recipes", type=FILE, help="your own recipe file, merged in"),
        track_flag,
    ):
        verb = option(verb)
    return verb


def _flag_type(kind: Any) -> Any:
    if NoneType in get_args(kind):
        (kind,) = set(get_args(kind)) - {NoneType}
    if get_origin(kind) is Union:  # numbers, or a word that stands for them
        words, of_words = sorted(get_args(kind), key=lambda one: get_origin(one) is tuple)
        return Words(get_args(of_words)[0], alone=get_args(words))
    if get_origin(kind) is tuple:
        one = get_args(kind)[0]
        return Words(str if get_args(one) else one)  # of known words, the recipe's own check names them
    return click.Choice(get_args(kind)) if get_args(kind) else kind
