"""A file of the workspace that was looked at, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from competition.common.errors import UnreadableError, UserError, unread_for
from competition.common.records import is_signed
from competition.common.text import REASON, cut

State = Literal["whole", "no digest", "damaged", "unreadable", "not looked at"]
STATES: tuple[State, ...] = ("whole", "no digest", "damaged", "unreadable", "not looked at")


@dataclass(frozen=True)
class Looked:
    """A file, or what belongs together in one folder.

    Attributes:
        path: of it.
        kind: what it is, for the table.
        state: "whole": as it was written; "no digest": it can be read, and nothing says whether it is as it was
            written, as of earlier versions; "damaged": or missing, or of something else; "unreadable": what it holds is
            not known; "not looked at".
        said: what is wrong, and the command that mends it; or why it was not looked at.
    """

    path: Path
    kind: str
    state: State = "whole"
    said: str = ""

    @property
    def size(self) -> int:
        """Bytes of the file, or of those in the folder; 0 if it is missing."""
        paths = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(path.stat().st_size for path in paths if path.is_file())


def look(path: Path, kind: str, read: Callable[[], bool | object], command: str = "") -> Looked:
    """Return what becomes of reading a file.

    Args:
        path: of it.
        kind: what it is.
        read: reads it, and raises if it is damaged; returns False where it carries no digest.
        command: what mends it, if the error does not say that.
    """
    try:
        signed = read()
    except ImportError as error:
        return Looked(path, kind, "not looked at", f"{path} was not looked at: {error.name} is not installed.")
    except Exception as error:  # libraries raise whatever they like on a damaged file
        return _failed(path, kind, error, command)
    return Looked(path, kind, "no digest" if signed is False else "whole")


def _failed(path: Path, kind: str, error: Exception, command: str) -> Looked:
    if isinstance(error, UnreadableError):
        return Looked(path, kind, "unreadable", str(error))
    if unread := unread_for(error):
        return Looked(path, kind, "unreadable", str(UnreadableError.of(Path(unread.filename or path), unread)))
    if isinstance(error, UserError):
        mending = UserError(error.text, command=error.command or command, otherwise=error.otherwise)
        return Looked(path, kind, "damaged", str(mending))
    reason = cut(" ".join(str(error).split()), REASON).rstrip(".") or type(error).__name__
    return Looked(path, kind, "damaged", str(UserError(f"{path} is damaged: {reason}.", command=command)))


def look_at_record(path: Path, kind: str, command: str = "") -> Looked:
    """Return what becomes of reading a record, whatever it says."""
    return look(path, kind, lambda: is_signed(path), command)
