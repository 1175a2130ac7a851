"""What a push or a pull has moved, and what it has left alone."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from competition.common.errors import UserError
from competition.common.text import counted, first, readable

SHOWN = 8
NAMED_BY = {"runs": "--models", "blends": "--blends", "pseudo": "--pseudo"}


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
        damaged: keys of those that differ because they are damaged here.
        unsent: what is damaged of those that were not sent for that, and what mends it, by their keys.
    """

    verb: str
    url: str
    moved: tuple[str, ...]
    there: int
    differing: tuple[str, ...]
    size: int
    damaged: tuple[str, ...] = ()
    unsent: Mapping[str, str] = field(default_factory=dict)

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
        named = {"moved": list(self.moved), "differing": list(self.differing), "damaged": list(self.damaged)}
        return {"url": self.url, **named, "unsent": dict(self.unsent), "there": self.there, "bytes": self.size}

    def check(self) -> None:
        """Refuse to call it done where something was left alone that differs, or was not sent.

        Raises:
            UserError: if so; the line says what.
        """
        if self.unsent:
            said = " ".join(dict.fromkeys(list(self.unsent.values())[:SHOWN]))
            raise UserError(f"Not sent, as it is damaged in this workspace: {first(self.unsent, SHOWN)}. {said}")
        if self.damaged:
            what = f"{first(self.damaged, SHOWN)}, in this workspace: what is there differs, and was left alone"
            raise UserError(f"Damaged: {what}.", command=self._bringing_back(), otherwise="make it again")
        if self.differing:
            where, other = ("there", "here") if self.verb == "push" else ("here", "there")
            as_is = "it is" if len(self.differing) == 1 else "they are"
            raise UserError(
                f"Left as {as_is} {where}, as {where} and {other} differ: "
                f"{first(self.differing, SHOWN)}. Keep what is {where}, or replace it by adding --force."
            )

    def _bringing_back(self) -> str:
        """Return the command that replaces what is damaged here, and nothing else."""
        given: dict[str, set[str]] = {}
        for what, _, rest in (key.partition("/") for key in self.damaged):
            given.setdefault(what, set()).update([rest.split("/")[0]] if rest else [])
        flags = [f" {NAMED_BY[what]} {','.join(sorted(names))}" for what, names in given.items() if names]
        return f"workspace pull {shlex.quote(self.url)} --what {','.join(given)}{''.join(flags)} --force"
