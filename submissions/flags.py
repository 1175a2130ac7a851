"""Flags that the verbs on members share. Names are written out, so that `--help` need not import what they name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from competition.common.command_line import Words

_FLAGS = (
    click.option("--union", type=Words(), default=(), help="labels decided where any member that scores them would"),
    click.option(
        "--extras", type=Words(), default=(), help="columns for stacks: groups,entropy,spread,neighbours; default: none"
    ),
    click.option(
        "--one-weather/--any-weather",
        "exclusive",
        default=None,
        help="one label of each exclusive group for every chip, or any number of them",
    ),
    click.option("--alone", is_flag=True, help="no company for labels that stand alone, such as cloudy"),
    click.option(
        "--calibration",
        type=click.Choice(["platt", "beta", "isotonic"]),
        default="platt",
        show_default=True,
        help="of the scores from which expected and structured decide",
    ),
    click.option(
        "--trials", type=click.IntRange(min=1), default=200, show_default=True, help="Optuna's, of each study"
    ),
)


def bench_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Add the flags on how members are combined and decided, whatever the method."""
    for flag in reversed(_FLAGS):
        verb = flag(verb)
    return verb


def shown(options: dict[str, Any]) -> str:
    """Return the flags of `bench_flags` as they were given, to repeat them in a command."""
    words = {"--union": options["union"], "--extras": options["extras"]}
    flags = [f" {flag} {','.join(given)}" for flag, given in words.items() if given]
    if options["exclusive"] is not None:
        flags.append(" --one-weather" if options["exclusive"] else " --any-weather")
    if options["calibration"] != "platt":
        flags.append(f" --calibration {options['calibration']}")
    return "".join([*flags, " --alone" if options["alone"] else ""])
