"""The flags that every verb in a workspace shares."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from competition.common.command_line import FOLDER
from competition.common.errors import FLAGS

if TYPE_CHECKING:
    from competition.spec.competition import Competition

MOST_PROPOSED = 12  # bands in a command that is shown


def in_workspace(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb `--workspace`, `--competition` and `--debug`, and its first argument: the Workspace."""

    @click.option("--workspace", type=FOLDER, default="workspace", show_default=True, help="folder of every artefact")
    @click.option("--competition", default="planet", show_default=True, help="a known name, Kaggle's, or a .toml file")
    @click.option("--debug", is_flag=True, help="show where an error came from")
    @functools.wraps(verb)
    def wrapped(workspace: Path, competition: str, debug: bool, **options: Any) -> None:
        from competition.workspace import Workspace

        context = click.get_current_context()
        context.meta["debug"] = debug
        given = {"--workspace": str(workspace), "--competition": competition}
        defaults = {"--workspace": "workspace", "--competition": "planet"}
        context.meta[FLAGS] = [part for flag in given if given[flag] != defaults[flag] for part in (flag, given[flag])]
        verb(Workspace.open(workspace, competition), **options)

    return wrapped


def as_bands(bands: Sequence[str]) -> str:
    """Return bands as the flag `--bands` takes them: letters as one word, or names with commas."""
    if all(len(band) == 1 for band in bands):
        return "".join(bands)
    return ",".join(bands) + ("," if len(bands) == 1 else "")  # by which a single name is told from letters


def bands_flag(competition: Competition) -> str:
    """Return the flag `--bands`, after a blank, with which any recipe takes the chips of a competition.

    "" where these have R, G and B, which recipes ask for by themselves, or more bands than fit a command.
    """
    bands = competition.image_set(competition.default_images).bands
    needed = not {"R", "G", "B"} <= set(bands) and len(bands) <= MOST_PROPOSED
    return f" --bands {as_bands(bands)}" if needed else ""
