"""The flags that every verb in a workspace shares."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from competition.common.command_line import FOLDER
from competition.common.errors import FLAGS


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
