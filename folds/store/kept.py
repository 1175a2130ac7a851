"""The fold table as a workspace keeps it: held against what else knows of it, and had back where it is damaged.

`folds.json` has the digest of the table beside it and says how it was made; every finished fold has the digest of the
table that it was made with. So a changed digit is noticed, and the same table can be made again and known to be that.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.records import read_record
from competition.common.text import REASON, counted, cut, first, short
from competition.terminal.command_line import as_flags
from competition.workspace import Workspace
from folds.dealing.audit import FORMAT
from folds.dealing.table import FoldTable
from folds.store.provenance import MARKER, read_marker

UNNAMED = "folds --k K --seed SEED"
FORCED = "--force writes them nevertheless: what was trained on the others is refused then."


@dataclass(frozen=True)
class Noted:
    """What `folds.json` says of the fold table.

    Attributes:
        digest: of the table.
        settings: how it was made, as `folds.dealing.audit.write_table` was given it.
    """

    digest: str
    settings: dict[str, Any]

    @property
    def source(self) -> Path | None:
        """The file that the folds were taken from; None if they were made, or stood in the training table."""
        return Path(self.settings["source"]) if "source" in self.settings else None

    def command(self, workspace: Workspace) -> str:
        """Return the command that makes the same table again; "" where what it was taken from is gone."""
        settings = self.settings
        if "seed" in settings:
            # Without a group, the competition's own would be taken.
            group = settings.get("group") or ("" if workspace.competition.tables.group_column else None)
            flags = {"k": settings["k"], "seed": settings["seed"], "repeats": _unless_one(settings.get("repeats", 1))}
            return f"folds{as_flags({**flags, 'group': group})}"
        if self.source is not None:
            there = self.source.is_file() and self.source != workspace.fold_table.resolve()
            return f"folds{as_flags({'from': self.source, 'column': settings['column']})}" if there else ""
        # Files that were named by an earlier version may lie anywhere; the training table is where it is.
        named = settings.get("from") == first(workspace.competition.tables.train, shown=3)
        return f"folds{as_flags({'column': settings['column']})}" if named else ""


@dataclass(frozen=True)
class KeptFolds:
    """What a workspace knows of its fold table."""

    workspace: Workspace

    @property
    def path(self) -> Path:
        """Of the table."""
        return self.workspace.fold_table

    @cached_property
    def noted(self) -> Noted | None:
        """What `folds.json` says; None if there is none or it is damaged, as a table written by hand needs none."""

        def parse(content: dict[str, Any]) -> Noted:
            return Noted(str(content["fold_digest"]), dict(content["settings"]))

        with suppress(UserError):
            return read_record(self.path.with_suffix(".json"), parse, version=FORMAT)
        return None

    @cached_property
    def scored(self) -> Counter[str]:
        """How many finished folds were made with a table, by its digest."""
        found = Counter[str]()
        for marker in self.workspace.runs.glob(f"*/fold*/{MARKER}"):
            with suppress(UserError):
                found[read_marker(marker, "").provenance.fold_digest] += 1
        return found

    @property
    def command_again(self) -> str:
        """What makes the table and its record again; "" where that is not known."""
        return UNNAMED if self.noted is None else self.noted.command(self.workspace)

    @property
    def is_bound(self) -> bool:
        """Whether there is a table, or something that was made with one.

        `folds.json` alone is of a start, or a pull, that was killed before it wrote the table, and binds to nothing.
        """
        return self.path.exists() or bool(self.scored)

    @property
    def is_known(self) -> bool:
        """Whether there is a table, or something that knows of one."""
        return self.is_bound or self.noted is not None

    def read(self) -> FoldTable:
        """Read the table.

        Raises:
            UserError: if there is none, or it is damaged; the line says how to have it back.
        """
        if not self.is_known:
            raise UserError(f"No fold table at {self.path}.", command="folds --k 5 --seed 0")
        if not self.path.exists():
            raise self._lost(f"{self.path} is gone.")
        try:
            table = FoldTable.read(self.path)
        except UserError as error:
            said = str(error).removeprefix("Cannot read ").removeprefix(f"{self.path}: ")
            said = cut(said.replace(f"{self.path} ", "it ").rstrip("."), REASON)
            raise self._lost(f"{self.path} is damaged: {said}.") from error
        if not self._vouched(table):
            assert self.noted is not None
            raise self._lost(
                f"{self.path} was changed: folds.json says its digest is {short(self.noted.digest)}, received "
                f"{short(table.digest)}.",
                meant=f"folds{as_flags({'from': self.path})} --force",
            )
        return table

    def check_replaced_by(self, table: FoldTable) -> str:
        """Refuse a table that would make what was trained worthless.

        Returns:
            What there is to say of the table; "" if it is a first or an unchanged one.

        Raises:
            UserError: if the table that is there, or that was there, is another one.
        """
        there = self._readable()
        if there is not None and self._vouched(there):
            if table.digest == there.digest:
                return ""
            if table.digest not in self.scored or there.digest in self.scored:
                raise UserError(
                    f"{self.path} holds other folds. Keep them, or replace them with --force: runs made with them are "
                    "refused then."
                )
        known = list(self.scored)
        # A start that was killed before it wrote the table binds to nothing; a table that is damaged was whole once.
        if self.noted is not None and (known or self.path.exists()):
            known.append(self.noted.digest)
        if known and table.digest not in known:
            raise UserError(
                f"These are other folds than those of {self.path} (expected {first(map(short, dict.fromkeys(known)))}, "
                f"received {short(table.digest)}): made of other labels, or with other values. {FORCED}"
            )
        fit = self.scored[table.digest]
        return f"These are the folds that were there: {counted(fit, 'finished fold')} fit them." if known else ""

    def _readable(self) -> FoldTable | None:
        with suppress(UserError):
            return FoldTable.read(self.path)
        return None

    def _vouched(self, table: FoldTable) -> bool:
        """Whether a table is the one that it is said to be.

        `folds.json` is written first: killed in between, it is of a table that is not there, with which nothing was
        made, and what was made before vouches for the table.
        """
        if self.noted is None or table.digest == self.noted.digest:
            return True
        return table.digest in self.scored and self.noted.digest not in self.scored

    def _lost(self, text: str, meant: str = "") -> UserError:
        """Return the error for a table that is not as it was, with what brings it back."""
        copy = f"restore {self.path.name} from a copy"
        ways = {"to take it as it is": meant} if meant else {}
        if self.noted is not None:
            if command := self.noted.command(self.workspace):
                return UserError(text, command={"to have the same table again": command, **ways}, otherwise=copy)
            names = cut(str(self.noted.settings.get("from", "a file")), REASON)
            text += f" It was taken from {names}, which is needed again: {copy}."
            again = f"folds --from FILE{as_flags({'column': self.noted.settings.get('column')})}"
            return UserError(text, command={"to take it again": again, **ways})
        if self.scored:
            digests = first((f"{short(digest)} of {times}" for digest, times in self.scored.most_common()), shown=2)
            text += (
                f" folds.json, which says how it was made, is missing or damaged too; by the finished folds its digest "
                f"was {digests}. {copy[0].upper()}{copy[1:]}."
            )
            return UserError(text, command={"where you know how it was made (other folds are refused)": UNNAMED})
        return UserError(text, command="folds --k 5 --seed 0 --force", otherwise=copy)


def _unless_one(number: int) -> int | None:
    return None if number == 1 else number
