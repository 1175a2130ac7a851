"""What was seen of a workspace's files, gathered from the rooms that keep them, and how it is shown."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from competition.artefacts.looked import STATES, Looked
from competition.common.progress import reporter
from competition.common.text import counted, first, readable
from competition.terminal.tables import table
from competition.workspace import Workspace


@dataclass(frozen=True)
class Artefacts:
    """Every file that a workspace keeps.

    Attributes:
        root: the workspace.
        looked: what was looked at.
    """

    root: Path
    looked: tuple[Looked, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged, and all could be read."""
        return not self._of("damaged") and not self._of("unreadable")

    def text(self) -> str:
        """Return a table by kind, what is damaged, unreadable or not looked at, and the verdict as the last line."""
        lines = [f"{state:<10}  {each.said}" for state in ("damaged", "unreadable") for each in self._of(state)]
        if bare := self._of("no digest"):
            paths = first(each.path.relative_to(self.root) for each in bare)
            lines.append(
                f"note        {counted(len(bare), 'file')} without a digest, of earlier versions or of SQLite: {paths}."
            )
        lines += [f"note        {each.said}" for each in self._of("not looked at")]
        return "\n\n".join(part for part in (self._table(), "\n".join(lines), self._verdict()) if part)

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON; of whole files their number alone."""
        told = [each for each in self.looked if each.state != "whole"]
        return {
            "root": str(self.root),
            "ok": self.ok,
            "files": dict(Counter(each.state for each in self.looked)),
            "findings": [{"path": str(e.path), "kind": e.kind, "state": e.state, "said": e.said} for e in told],
        }

    def _of(self, state: str) -> list[Looked]:
        return [each for each in self.looked if each.state == state]

    def _table(self) -> str:
        kinds = dict.fromkeys(each.kind for each in self.looked)
        counts = {kind: Counter(each.state for each in self.looked if each.kind == kind) for kind in kinds}
        sizes = {kind: sum(each.size for each in self.looked if each.kind == kind) for kind in kinds}
        rows = [
            [kind, *(f"{counts[kind][s]:,}" if counts[kind][s] else "" for s in STATES), readable(sizes[kind])]
            for kind in kinds
        ]
        return table(["", *STATES, "size"], rows, "l" + "r" * (len(STATES) + 1)) if rows else ""

    def _verdict(self) -> str:
        if not self.looked:
            return f"{self.root} keeps nothing yet."
        damaged, unreadable = len(self._of("damaged")), len(self._of("unreadable"))
        found = [f"{damaged} damaged or missing"] if damaged else []
        found += [f"{unreadable} cannot be read"] if unreadable else []
        return f"{counted(len(self.looked), 'artefact')} in {self.root}: {', '.join(found) or 'none is damaged'}."


def look_at_artefacts(workspace: Workspace, keepers: Sequence[str]) -> Artefacts:
    """Read everything that a workspace keeps; nothing is changed.

    Args:
        workspace: that is looked at.
        keepers: names of modules whose `artefacts_of` yields what their room keeps.
    """
    looked: list[Looked] = []
    with reporter.busy("reading what the workspace keeps"):
        for name in keepers:
            looked += importlib.import_module(name).artefacts_of(workspace)
    return Artefacts(workspace.root, tuple(looked))
