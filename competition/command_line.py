"""What every verb of the command line shares: one-line errors, `--workspace` and `--competition`, the next command."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from competition.errors import UserError

INTERRUPTED = 130
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


class Verbs(click.Group):
    """Shows a mistake the user can mend as one line; `--debug` shows where it came from."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; 1 is the exit code of a mistake, 130 of an interruption."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            if ctx.meta.get("debug"):
                raise
            click.echo(f"Error: {_with_flags(str(error), ctx)}", err=True)
            ctx.exit(1)
        except OSError as error:  # a disk that is full, read-only or not ours
            if ctx.meta.get("debug") or isinstance(error, BrokenPipeError):
                raise
            click.echo(f"Error: {error.strerror or error}: {error.filename or 'no file named'}.", err=True)
            ctx.exit(1)
        except KeyboardInterrupt as stopped:
            said = str(stopped) or "Stopped. What was finished is kept; run the same command to go on."
            click.echo(f"\n{_with_flags(said, ctx)}", err=True)
            ctx.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the pipeline."""
        return list(self.commands)


def _with_flags(text: str, ctx: click.Context) -> str:
    """Add the flags of the workspace to the commands that an error names, so that they can be pasted."""
    flags = shlex.join(ctx.meta.get("flags", []))
    return re.sub(r'"(python run\.py [^"]+)"', rf'"\1 {flags}"', text) if flags else text


class Words(click.ParamType):
    """Words joined by commas; "none" stands for no word, where that is allowed.

    Args:
        kind: what each word is read as.
        needed: refuse "none".
    """

    name = "a,b"

    def __init__(self, kind: type = str, *, needed: bool = False) -> None:
        self.kind = kind
        self.needed = needed

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        """Return the words as a tuple.

        Raises:
            UserError: if there is none.
        """
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in value.split(",") if word.strip()]
        if not words or (self.needed and words == ["none"]):
            flag, none = param.opts[0] if param else self.name, "" if self.needed else ', or "none"'
            raise UserError(f"{flag}: expected words joined by commas{none}; received {value!r}.")
        try:
            return () if words == ["none"] else tuple(self.kind(word) for word in words)
        except ValueError:
            self.fail(f"{value!r} is not {self.kind.__name__} values joined by commas", param, ctx)


def in_workspace(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb `--workspace`, `--competition` and `--debug`, and its first argument: the Workspace."""

    @click.option("--workspace", type=FOLDER, default="workspace", show_default=True, help="folder of every artefact")
    @click.option("--competition", default="planet", show_default=True, help="a known name, or a .toml file")
    @click.option("--debug", is_flag=True, help="show where an error came from")
    @functools.wraps(verb)
    def wrapped(workspace: Path, competition: str, debug: bool, **options: Any) -> None:
        from competition.spec import load
        from competition.workspace import Workspace

        context = click.get_current_context()
        context.meta["debug"] = debug
        given = {"--workspace": str(workspace), "--competition": competition}
        defaults = {"--workspace": "workspace", "--competition": "planet"}
        context.meta["flags"] = [
            part for flag in given if given[flag] != defaults[flag] for part in (flag, given[flag])
        ]
        verb(Workspace(workspace, load(competition)), **options)

    return wrapped


def show_next(command: str) -> None:
    """Show the command that comes next, in the same workspace."""
    flags = shlex.join(click.get_current_context().meta.get("flags", []))
    click.echo(f"Next: python run.py {command} {flags}".rstrip())
