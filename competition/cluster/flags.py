"""The flags that say where work is done. They know names only, so that `--help` need not import what they name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import rich_click as click

from competition.common.errors import UserError

HERE, RAY, SLURM = "here", "ray", "slurm"
HEADING = "Several machines"


def place_flags(*places: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what gives a verb `--on`, with these places beside here, and how a Ray cluster is reached."""
    flags = (
        click.option(
            "--on",
            type=click.Choice([HERE, *places]),
            default=HERE,
            show_default=True,
            panel=HEADING,
            help="where the work is done: by this process, or by many",
        ),
        click.option(
            "--address",
            panel=HEADING,
            help="of the Ray cluster: auto, or host:port; default: this machine's cores",
        ),
        click.option(
            "--cpus",
            type=click.IntRange(min=1),
            panel=HEADING,
            help="cores to keep for each task; default: as many as this machine has, if others do",
        ),
    )

    def flagged(verb: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(verb)
        def wrapped(*arguments: Any, on: str, address: str | None, cpus: int | None, **options: Any) -> None:
            if address and on != RAY:
                raise UserError(f"--address is that of a Ray cluster: expected --on ray with it, received --on {on}.")
            if cpus and on == HERE:
                raise UserError(f"--cpus is of tasks: expected --on {' or '.join(places)} with it, received --on {on}.")
            verb(*arguments, on=on, address=address, cpus=cpus, **options)

        for flag in reversed(flags):
            wrapped = flag(wrapped)
        return wrapped

    return flagged
