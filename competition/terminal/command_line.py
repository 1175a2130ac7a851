"""What every verb of the command line shares: mistakes as one line, exit codes, types of flags."""

from __future__ import annotations

import errno
import importlib
import io
import os
import shlex
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

import click
from rich_click import RichGroup

from competition.common.errors import GIVEN, UserError
from competition.common.interrupts import exit_code, heeded
from competition.terminal.output import DEBUG

FULL = (errno.ENOSPC, errno.EDQUOT)
FOLDER = click.Path(file_okay=False, path_type=Path)


class _File(click.Path):
    """The path of a file, which need not be there; in the place of one of ours may lie a folder by now."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the path."""
        if Path(value).is_dir():
            self.fail(f"{value} is a folder. Give the path of a file, or move it away.", param, ctx)
        return super().convert(value, param, ctx)


FILE = _File(path_type=Path)


class Verbs(RichGroup):
    """Shows a mistake the user can mend as one line; `--debug` shows where it came from."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run as any group of click: rich-click would draw a box around each mistake."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a "?" for what an encoding lacks, such as ±, ends no verb
        return click.Command.main(self, *arguments, **options)

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        """Return the context of a command, which knows the arguments as they were given."""
        given = list(args)
        try:
            context = super().make_context(info_name, args, *more, **extra)
        except OSError as error:  # of --help or --version, before `invoke`
            if isinstance(error, BrokenPipeError):
                raise
            _complain_of(error)
            raise click.exceptions.Exit(1) from error
        context.meta.setdefault(GIVEN, given)  # the groups within share it
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb; its exit code is 2 for bad input, 75 where another is at it, 1 of a disk, else `exit_code`."""
        try:
            with heeded():
                return super().invoke(ctx)
        except UserError as error:
            if ctx.meta.get(DEBUG):
                raise
            _complain(str(error))
            ctx.exit(error.exit_code)
        except OSError as error:  # a disk that is full, read-only or not ours
            if ctx.meta.get(DEBUG) or isinstance(error, BrokenPipeError):
                raise
            _complain_of(error)
            ctx.exit(1)
        except KeyboardInterrupt as stopped:
            said = str(stopped) or "Stopped. What was finished is kept; run the same command to go on."
            with suppress(OSError):  # of a terminal that was closed
                click.echo(f"\n{said}", err=True)
            ctx.exit(exit_code())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the verb that is asked for; of one that there is not, say which group has it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            groups = [group for group in self.commands.values() if isinstance(group, click.Group)]
            inside = [f"'{group.name} {args[0]}'" for group in groups if args[0] in group.commands]
            if inside:
                ctx.fail(f"{error.message} Did you mean {' or '.join(inside)}?")
            raise

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the pipeline."""
        return list(self.commands)


def _complain(text: str) -> None:
    click.echo(f"{click.style('Error:', fg='red', bold=True)} {text}", err=True)


def _complain_of(error: OSError) -> None:
    if error.errno in (errno.EEXIST, errno.ENOTDIR) and error.filename:
        path = Path(os.fsdecode(error.filename)).absolute()
        if found := next((each for each in (path, *path.parents) if each.exists() and not each.is_dir()), None):
            _complain(f"Expected a folder, but {found} is a file. Move it away, and run the same command again.")
            return
    named = f": {error.filename}" if error.filename else ""
    first = "Make room" if error.errno in FULL else "Move it away" if error.errno == errno.EISDIR else ""
    _complain(f"{error.strerror or error}{named}.{first and f' {first}, and run the same command again.'}")


class Finite(click.FloatRange):
    """Numbers in a range; none is "nan", which click takes for one in any."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number."""
        number = float(super().convert(value, param, ctx))
        if not isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class Words(click.ParamType):
    """Words joined by commas; "none" stands for no word, where that is allowed.

    Args:
        kind: what each word is read as.
        needed: refuse "none".
        alone: words that stand for something by themselves, and are returned as they are.
    """

    name = "a,b"

    def __init__(self, kind: type = str, *, needed: bool = False, alone: Collection[str] = ()) -> None:
        self.kind = kind
        self.needed = needed
        self.alone = alone

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the words as a tuple.

        Raises:
            UserError: if there is none.
        """
        if isinstance(value, tuple) or value in self.alone:
            return value
        words = [word.strip() for word in value.split(",") if word.strip()]
        if not words or (self.needed and words == ["none"]):
            flag, none = param.opts[0] if param else self.name, "" if self.needed else ', or "none"'
            raise UserError(f"{flag}: expected words joined by commas{none}; received {value!r}.")
        try:
            return () if words == ["none"] else tuple(self.kind(word) for word in words)
        except ValueError:
            self.fail(f"{value!r} is not {self.kind.__name__} values joined by commas", param, ctx)


def when_called(module: str, name: str) -> Callable[..., Any]:
    """Return a function of a module that is imported when it is called, so that help is instant."""

    def called(*given: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*given)

    return called


def shown(value: Any) -> str:
    """Return a recipe's value as its flag takes it."""
    return (",".join(map(str, value)) or "none") if isinstance(value, tuple | list) else str(value)


def as_flags(values: dict[str, Any]) -> str:
    """Return the flags, each with a space before it, that give a verb these values; None and False need none."""

    def flag(name: str, value: Any) -> str:
        return f" --{name.replace('_', '-')}" + ("" if value is True else f" {shlex.quote(shown(value))}")

    return "".join(flag(name, value) for name, value in values.items() if value is not None and value is not False)
