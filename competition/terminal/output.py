"""What a verb shows, and how much of it: text or `--json`, `-q` or `-v`, and `--debug`."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack, redirect_stdout
from dataclasses import dataclass
from typing import Any, Protocol

import rich_click as click
from click import get_current_context

from competition.common.errors import UserError, spelled
from competition.common.progress import reporter
from competition.terminal.tables import folded

DEBUG, QUIET, VERBOSE, JSON = "debug", "quiet", "verbose", "json"  # in the context of a verb
OUTPUT = "output"  # there: where the result goes
SHARED = "Where, and what is shown"  # heading of the flags that all verbs share
_WAYS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    JSON: lambda: redirect_stdout(sys.stderr),  # so that whatever a library prints is no part of it
    QUIET: reporter.silent,
    VERBOSE: reporter.detailed,
}


class Found(Protocol):
    """What a verb has found."""

    def text(self) -> str:
        """Return it for people."""

    def as_dict(self) -> Mapping[str, Any]:
        """Return it for JSON."""


@dataclass(frozen=True)
class Remark:
    """A line in place of figures, where there are none."""

    line: str

    def text(self) -> str:
        """Return it."""
        return self.line

    def as_dict(self) -> Mapping[str, Any]:
        """Return it for JSON."""
        return {"remark": self.line}


def _note(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    context.meta[str(parameter.name)] = given


def _flag(*names: str, said: str) -> Callable[[Any], Any]:
    return click.option(*names, is_flag=True, expose_value=False, callback=_note, help=said, panel=SHARED)


as_json = _flag("--json", JSON, said="show the result as JSON; lines on the way go to standard error")


def output_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb `-q`, `-v` and `--debug`, and let it run as they and `as_json` want it."""

    @functools.wraps(verb)
    def wrapped(*arguments: Any, **options: Any) -> None:
        if _is_given(QUIET) and _is_given(VERBOSE):
            raise UserError("-q shows less and -v more. Give one of them.")
        get_current_context().meta[OUTPUT] = sys.stdout
        with ExitStack() as ways:
            for flag, way in _WAYS.items():
                if _is_given(flag):
                    ways.enter_context(way())
            verb(*arguments, **options)

    for flag in (
        _flag("--debug", DEBUG, said="show where an error came from"),
        _flag("-v", "--verbose", VERBOSE, said="show more of what is done, and what it took"),
        _flag("-q", "--quiet", QUIET, said="show the result alone"),
    ):
        wrapped = flag(wrapped)
    return click.option_panel("Options")(wrapped)  # before the others


def show(found: Found, *, text: str = "", **further: Found | None) -> None:
    """Show what a verb found: as text, or, where `--json` is given, as JSON.

    Args:
        found: what it is.
        text: of everything; default: that of each.
        further: what else was found, by its name in JSON; None is left out.
    """
    parts = {name: part for name, part in further.items() if part is not None}
    if not _is_given(JSON):
        click.echo(folded(text or "\n".join(part.text() for part in (found, *parts.values()))))
        return
    output = get_current_context().meta[OUTPUT]
    content = as_text({**found.as_dict(), **{name: part.as_dict() for name, part in parts.items()}})
    if "utf" not in (getattr(output, "encoding", None) or "utf-8").lower():
        content = json.dumps(json.loads(content), indent=2)  # as ASCII, which every encoding has
    click.echo(content, file=output)


def as_text(content: Mapping[str, Any]) -> str:
    """Return values as JSON; those that are not finite, which JSON does not know, are null."""
    from pydantic_core import to_json

    return to_json(content, indent=2, inf_nan_mode="null", fallback=lambda value: value.tolist()).decode()


def show_next(command: str, *, what: str = "Next", anywhere: bool = False) -> None:
    """Show a command that may come next; nothing where the result alone is wanted.

    Args:
        command: verb and flags.
        what: it is.
        anywhere: it needs no workspace.
    """
    if not (_is_given(JSON) or _is_given(QUIET)):
        click.echo(f"{what}: {click.style(spelled(command, anywhere=anywhere), fg='cyan')}")


def _is_given(flag: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(flag))
