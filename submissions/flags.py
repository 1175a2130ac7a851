"""Flags that the verbs on scores share. They know names only, so that `--help` need not import what they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rich_click as click

from competition.terminal.command_line import Finite, Words
from competition.tracking.flag import track_flag
from submissions.names import CALIBRATIONS, EXTRAS, PLATT

OF_GROUP = ("--exclusive/--any-of-group", "--one-weather/--any-weather")  # the latter: before they had their names
with_trials = click.option(
    "--trials", type=click.IntRange(min=1), default=200, show_default=True, help="size of each Optuna study"
)
_BLEND_FLAGS = (
    click.option(
        "--union", type=Words(), default=(), help="decide these labels wherever any member that scores them would"
    ),
    click.option(
        "--extras", type=Words(), default=(), help=f"further columns for stacks, of {', '.join(EXTRAS)}; default: none"
    ),
    click.option(
        *OF_GROUP,
        "exclusive",
        default=None,
        help="give every chip exactly one label of each exclusive group, or any number",
    ),
    click.option("--alone", is_flag=True, help="let labels that stand alone, such as cloudy, have no company"),
    click.option(
        "--calibration",
        type=click.Choice(CALIBRATIONS),
        default=PLATT,
        show_default=True,
        help="how scores are calibrated for the rules expected, structured and calibrated",
    ),
    with_trials,
)

_COMPARE_FLAGS = (
    click.option("--top", type=click.IntRange(min=0), default=30, show_default=True, help="rows to show; 0: all"),
    click.option(
        "--public",
        type=Finite(0, 1, True, True),
        help="simulate the shake-up, with this share of the chips public; Planet's was 0.34",
    ),
    click.option(
        "--weighted-to",
        type=click.Choice(["test"]),
        help="also measure with chips weighed to look like those to predict, by `adversarial`",
    ),
    track_flag,
)


def compare_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Add the flags on what is done with a comparison."""
    for flag in reversed(_COMPARE_FLAGS):
        verb = flag(verb)
    return verb


def blend_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Add the flags on how members are combined and labels decided, whatever the method."""
    for flag in reversed(_BLEND_FLAGS):
        verb = flag(verb)
    return verb


def shown(options: dict[str, Any]) -> str:
    """Return the flags of `blend_flags` as they were given, to repeat them in a command; all but `--trials`."""
    words = {"--union": options["union"], "--extras": options["extras"]}
    flags = [f" {flag} {','.join(given)}" for flag, given in words.items() if given]
    if options["exclusive"] is not None:
        flags.append(" --exclusive" if options["exclusive"] else " --any-of-group")
    if options["calibration"] != PLATT:
        flags.append(f" --calibration {options['calibration']}")
    return "".join([*flags, " --alone" if options["alone"] else ""])
