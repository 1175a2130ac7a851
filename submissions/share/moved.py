"""What a push or a pull has moved, and what it has left alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from competition.common.errors import UserError
from competition.common.text import counted, first, readable

SHOWN = 8


@dataclass(frozen=True)
class Moved:
    """What was moved.

    Attributes:
        verb: "push" or "pull".
        url: of the place.
        moved: keys of the artefacts.
        there: how many were there already.
        differing: keys of those that are there and hold something else.
        size: bytes that were moved.
    """

    verb: str
    url: str
    moved: tuple[str, ...]
    there: int
    differing: tuple[str, ...]
    size: int

    def text(self) -> str:
        """Return it for people."""
        done, way = {"push": ("Pushed", "to"), "pull": ("Pulled", "from")}[self.verb]
        what = f"{counted(len(self.moved), 'artefact')} ({readable(self.size)})" if self.moved else "nothing"
        which = f": {first(self.moved, SHOWN)}" if self.moved else ""
        were = "was" if self.there == 1 else "were"
        there = f" {counted(self.there, 'artefact')} {were} there." if self.there else ""
        return f"{done} {what} {way} {self.url}{which}.{there}"

    def as_dict(self) -> dict[str, Any]:
        """Return the same as values for JSON."""
        named = {"moved": list(self.moved), "differing": list(self.differing)}
        return {"url": self.url, **named, "there": self.there, "bytes": self.size}

    def check(self) -> None:
        """Refuse to call it done where something was left alone that differs.

        Raises:
            UserError: if so; the line says what.
        """
        if self.differing:
            where, other = ("there", "here") if self.verb == "push" else ("here", "there")
            as_is = "it is" if len(self.differing) == 1 else "they are"
            raise UserError(
                f"Left as {as_is} {where}, as {where} and {other} differ: "
                f"{first(self.differing, SHOWN)}. Keep what is {where}, or replace it by adding --force."
            )
