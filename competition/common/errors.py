"""The one exception for what the user can mend, and the one place that writes the commands that mend it."""

from __future__ import annotations

import errno
import os
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from competition.common.text import cut, spelled_out, without_secrets

GIVEN = "given"  # in the context of a verb: the arguments as they were given
LONGEST = 1500  # characters of a line, before the command: a name in it may be a whole file
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO)  # what a disk fails of
# What the system answers where a file is there and cannot be read: rights, failing disks and servers, lack of memory.
UNREADABLE = (errno.EACCES, errno.EPERM, errno.EIO, errno.ENODEV, errno.ESTALE, errno.ETIMEDOUT, errno.ENOMEM)
FLAGS = "flags"  # in the context of a verb: the flags of the workspace, which every command shown repeats


def verb_at_work() -> Any:
    """Return click's context of the verb that is being run; None where none is.

    Where nobody has loaded click there is no command line, as in a notebook, which may lack the package too.
    """
    click = sys.modules.get("click")
    return click.get_current_context(silent=True) if click else None


def spelled(command: str, *, anywhere: bool = False) -> str:
    """Return a command as it is typed, with the flags of the workspace that the verb at work was given.

    Args:
        command: verb and flags, such as "train --models resnet50".
        anywhere: leave the flags of the workspace out, as the command needs none.
    """
    context = None if anywhere else verb_at_work()
    flags = shlex.join(context.meta.get(FLAGS, [])) if context else ""
    return f"python run.py {command} {flags}".rstrip()


def given_command() -> str:
    """Return the command that is being run, as it was given but for secrets; "" where none is."""
    context = verb_at_work()
    given = context.meta.get(GIVEN) if context else None
    return f"python run.py {shlex.join(map(without_secrets, given))}" if given else ""


def command_at_work() -> dict[str, Any]:
    """Return what the verb at work was called with, for a process of another machine; nothing where there is none."""
    context = verb_at_work()
    return {name: context.meta[name] for name in (GIVEN, FLAGS) if name in context.meta} if context else {}


@contextmanager
def as_command(called: Mapping[str, Any]) -> Iterator[None]:
    """Work as the verb that was called so, on another machine: commands that are shown and recorded are its own."""
    import click

    with click.Context(click.Command("verb")) as context:
        context.meta.update(called)
        yield


class UserError(ValueError):
    """Bad input that the user can mend; as text it is the one line that `run.py` shows, whatever a name in it holds.

    Args:
        text: what happened, what was expected, and what was received, in whole sentences.
        command: the command that mends it, without "python run.py"; or several, by what each is for.
        otherwise: what else mends it, to follow on "or"; or all that does.

    Example:
        >>> print(UserError("No fold table.", command="folds --k 5", otherwise="restore folds.csv"))
        No fold table. Run "python run.py folds --k 5", or restore folds.csv.
        >>> print(UserError("'m' was begun otherwise.", command={"to go on": "train", "for a variant": "fold"}))
        'm' was begun otherwise. To go on, run "python run.py train"; for a variant, run "python run.py fold".
    """

    exit_code = 2  # of the verb that it ends; as click has it for bad input

    def __init__(self, text: str, *, command: str | Mapping[str, str] = "", otherwise: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.command = command
        self.otherwise = otherwise

    def __str__(self) -> str:
        return spelled_out(self._line()).replace("\n", "\\n")

    def _line(self) -> str:
        text = cut(self.text, LONGEST)
        if not self.command:
            return f"{text} {self.otherwise[0].upper()}{self.otherwise[1:]}." if self.otherwise else text
        if isinstance(self.command, str):
            advice = f'Run "{spelled(self.command)}"'
        else:
            ways = "; ".join(f'{purpose}, run "{spelled(command)}"' for purpose, command in self.command.items())
            advice = ways[0].upper() + ways[1:]
        return f"{text} {advice}{f', or {self.otherwise}' if self.otherwise else ''}."


class UnreadableError(UserError):
    """A file that is there and cannot be read: nobody knows that it is damaged, so nobody makes it again."""

    @classmethod
    def of(cls, path: Path, error: OSError) -> UnreadableError:
        """Return the error for a file, given that of the system."""
        said = os.strerror(error.errno or 0)
        return cls(f"Cannot read {path}: {said}. Allow it (chmod u+r), or see to the disk or server that it lies on.")


def unread_for(error: BaseException | None) -> OSError | None:
    """Return what the system said, where an error comes of a file that cannot be read; None where it does not."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in UNREADABLE:
            return error
        error = error.__cause__
    return None


def unknown_name(kind: str, name: str, known: list[str]) -> UserError:
    """Return the error for a name that does not exist, listing the ones that do.

    Args:
        kind: what the name stands for, such as "recipe".
        name: the name received.
        known: the names that would have been right.
    """
    listed = ", ".join(sorted(known)) or "none yet"
    return UserError(f"Unknown {kind} {name!r}. Known: {listed}.")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file that could not be written where the disk is full or fails: Python names none of an open file."""
    try:
        yield
    except OSError as error:
        # NumPy has its own words for a disk that does not take an array, and no number.
        is_short = error.errno is None and any(words in str(error) for words in ("requested and", "free space"))
        if is_short or error.errno in DISK:
            number = error.errno or errno.ENOSPC
            raise OSError(number, os.strerror(number), str(path)) from error
        raise
