"""The ledger: every submission that was begun here, and every one that Kaggle lists, in one SQLite file.

A row goes through these stages; each is on the disk before the step it announces is taken:

    uploading     the file is on its way; nothing is submitted
    unconfirmed   Kaggle was told to submit it; whether it did is not known
    confirmed     Kaggle has given it a number, its ref
    ended         it was not submitted, and `error` says why

So a process that is killed leaves a row that says truly how far it came. Beside it, `ledger.json` is a copy of all
rows, from which a ledger that is lost is made again.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from competition.common.errors import UserError
from competition.common.files import replace_atomically
from competition.common.locks import BusyError, lock_of, locked
from competition.common.progress import reporter
from competition.common.text import first, now
from competition.kaggle.answers import LONGEST_MESSAGE, RemoteSubmission
from competition.kaggle.errors import clean
from competition.studies import check_schema
from competition.workspace import Workspace
from submissions.submit.entry import ROW, SCHEMA, Entry, Synced, entry_of, read_copy, row_of, write_copy
from submissions.submit.provenance import known_submissions

VERSION = 1
SHOWN = 3
FROM_KAGGLE = "to make a new one of what Kaggle lists (attempts that failed, and when each was begun, are lost)"
BUSY = 30.0  # seconds to wait for another process that is writing
CLOCKS = 3600  # seconds that Kaggle's clock and ours may differ by
LATEST = 86400  # seconds after an entry was noted as sent that Kaggle may have got it; a computer may have slept
MARKER = re.compile(r"-([0-9a-f]{16})\.csv")  # in the name of a file that was uploaded from a workspace


class Ledger:
    """The submissions of a workspace.

    Args:
        path: the SQLite file; made when something is first written.
        competition: Kaggle's name of the competition, the only one whose entries are seen; "" if it has none, and then
            there are no entries.
        submissions: folder of the submissions, whose provenance tells what an entry made elsewhere, or before the
            ledger was lost, is; None: it is not looked for.
    """

    def __init__(self, path: Path, competition: str, submissions: Path | None = None) -> None:
        self.path = path
        self.competition = competition
        self._submissions = submissions
        self.copy = path.with_suffix(".json")

    @classmethod
    def of(cls, workspace: Workspace) -> Ledger:
        """Return the ledger of a workspace."""
        return cls(workspace.ledger, workspace.competition.slug or "", workspace.submissions)

    def entries(self) -> list[Entry]:
        """Return every entry, in the order in which they were begun here or made elsewhere."""
        if not self.competition:
            return []
        if not self.path.exists():
            if self.was_made:
                raise self._lost("is gone, though submissions were made from here")
            return []
        with self._transaction("DEFERRED") as database:
            rows = database.execute("SELECT * FROM submissions WHERE competition = ?", (self.competition,)).fetchall()
            entries = [entry_of(row) for row in rows]
        return sorted(entries, key=lambda entry: (entry.begun or entry.when, entry.id))

    def begin(self, entry: Entry) -> Entry:
        """Write a new entry, whose file is about to be uploaded."""
        values = {**row_of(entry), "stage": "uploading", "begun": now()}
        with self._transaction() as database:
            return self._insert(database, values)

    def send(self, entry: Entry) -> None:
        """Note that Kaggle is about to be told to submit."""
        self._update(entry, stage="unconfirmed", sent=now())

    def confirm(self, entry: Entry, ref: int) -> Entry:
        """Note that Kaggle has accepted the submission as `ref`, and return the entry."""
        with self._transaction() as database:
            # Another process may have read it in Kaggle's list first, and not have known whose it is.
            others = "competition = ? AND ref = ? AND id <> ? AND begun IS NULL"
            database.execute(f"DELETE FROM submissions WHERE {others}", (self.competition, ref, entry.id))
            values = {"stage": "confirmed", "ref": ref, "confirmed": now(), "status": "pending"}
            self._set(database, entry.id, values)
            return self._by_id(database, entry.id)

    def end(self, entry: Entry, why: str, *, is_sure: bool = True) -> None:
        """Note that nothing was submitted.

        Args:
            entry: that ends.
            why: for people.
            is_sure: Kaggle cannot have it; otherwise it is recognised should Kaggle list it some day.
        """
        self._update(entry, stage="ended", error=why, **({"sent": None} if is_sure else {}))

    def record(self, listed: Sequence[RemoteSubmission]) -> Synced:
        """Take in what Kaggle says of submissions.

        A submission whose ref is not known is that of the entry whose file it is, if one was sent and not confirmed.
        """
        confirmed, new, scored = [], 0, 0
        files = self._known_files()
        with self._transaction() as database:
            for remote in sorted(listed, key=lambda remote: remote.ref):
                entry = self._known(database, remote.ref)
                if entry is None and (entry := self._unconfirmed(database, remote)):
                    confirmed.append(entry.id)
                if entry is None:
                    entry = self._insert(database, row_of(self._elsewhere(remote, files)))
                    new += 1
                values = {"stage": "confirmed", "ref": remote.ref, "confirmed": entry.confirmed or remote.date or now()}
                if remote.status != "pending" or entry.scored is None:  # a list that is older takes nothing back
                    values |= {"status": remote.status, "error": remote.error}
                    values |= {"public": remote.public, "private": remote.private}
                if remote.status == "complete" and entry.scored is None:
                    values["scored"] = now()
                    scored += 1
                self._set(database, entry.id, values)
            entries = tuple(self._by_id(database, number) for number in confirmed)
        return Synced(entries, new, scored)

    def _known(self, database: sqlite3.Connection, ref: int) -> Entry | None:
        query = "SELECT * FROM submissions WHERE competition = ? AND ref = ?"
        row = database.execute(query, (self.competition, ref)).fetchone()
        return entry_of(row) if row else None

    def _unconfirmed(self, database: sqlite3.Connection, remote: RemoteSubmission) -> Entry | None:
        # "unconfirmed" comes before "ended", whose submission Kaggle lists later than it was waited for.
        query = (
            "SELECT * FROM submissions WHERE competition = ? AND stage IN ('unconfirmed', 'ended') "
            "AND sent IS NOT NULL ORDER BY stage DESC, id"
        )
        rows = database.execute(query, (self.competition,)).fetchall()
        return next((entry for entry in map(entry_of, rows) if _is_same(entry, remote)), None)

    def _elsewhere(self, remote: RemoteSubmission, files: dict[str, dict[str, Any]]) -> Entry:
        """Return an entry for a submission that is not known; the provenance of the same file tells more of it."""
        marker = MARKER.search(remote.file_name)
        entry = Entry(
            competition=self.competition,
            name=remote.file_name or f"submission {remote.ref}",
            size=remote.size,
            message=remote.message,
            stage="confirmed",
            ref=remote.ref,
            marker=marker[1] if marker else None,
        )
        return replace(entry, **files.get(entry.marker or "", {}))

    def _known_files(self) -> dict[str, dict[str, Any]]:
        """Return what is known of the submissions in the workspace, by marker."""
        known = known_submissions(self._submissions) if self._submissions else {}
        return {digest[:16]: fields for digest, fields in known.items()}

    def _by_id(self, database: sqlite3.Connection, number: int) -> Entry:
        return entry_of(database.execute("SELECT * FROM submissions WHERE id = ?", (number,)).fetchone())

    def _insert(self, database: sqlite3.Connection, values: dict[str, Any]) -> Entry:
        columns, places = ", ".join(values), ", ".join("?" * len(values))
        done = database.execute(f"INSERT INTO submissions ({columns}) VALUES ({places})", tuple(values.values()))
        return self._by_id(database, done.lastrowid or 0)

    def _update(self, entry: Entry, **values: Any) -> None:
        with self._transaction() as database:
            self._set(database, entry.id, values)

    def _set(self, database: sqlite3.Connection, number: int, values: dict[str, Any]) -> None:
        assignments = ", ".join(f"{column} = ?" for column in values)
        database.execute(f"UPDATE submissions SET {assignments} WHERE id = ?", (*values.values(), number))

    @contextmanager
    def _transaction(self, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
        """Yield the database within one transaction, which is on the disk when the block ends, or undone.

        Args:
            kind: "IMMEDIATE" to write, "DEFERRED" to read, which also a ledger that is read-only allows.
        """
        try:
            if kind == "IMMEDIATE":
                self._make()
            with closing(sqlite3.connect(self.path, timeout=BUSY, isolation_level=None)) as database:
                database.row_factory = sqlite3.Row
                database.execute("PRAGMA synchronous = FULL")
                check_schema(database)
                database.execute(f"BEGIN {kind}")
                try:
                    self._check_version(database)
                    yield database
                    if kind == "IMMEDIATE":  # others wait until it is written, or an older one would come last
                        write_copy(self.copy, database.execute("SELECT * FROM submissions").fetchall())
                    database.execute("COMMIT")
                except BaseException:
                    if database.in_transaction:
                        database.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise BusyError(
                    f"The ledger {self.path} is in use by another process for over {BUSY:.0f} s. Run the same command "
                    "again when it has ended."
                ) from error
            raise UserError(
                f"The ledger {self.path} cannot be used: {error}. If it is damaged, move it away.",
                command=self._again,
            ) from error

    def _make(self) -> None:
        """Make the file, unless it is there: whole or not at all, so that one without a table has lost it."""
        if self.path.exists():
            return
        with locked(lock_of(self.copy)):
            if self.path.exists():  # by now
                return
            rows = read_copy(self.copy) if self.was_made else []
            with replace_atomically(self.path) as temporary, closing(sqlite3.connect(temporary)) as database:
                database.execute(SCHEMA)
                database.execute(f"PRAGMA user_version = {VERSION}")
                places = ", ".join("?" * len(ROW))
                database.executemany(f"INSERT INTO submissions ({', '.join(ROW)}) VALUES ({places})", rows)
                database.commit()
        if rows:
            reporter.say(f"{self.path} was gone: it is made again from {self.copy.name}.")

    @property
    def was_made(self) -> bool:
        """Whether there was one, be it gone: its copy is there."""
        return self.copy.exists()

    @property
    def _again(self) -> dict[str, str]:
        """What makes a ledger again that is not there."""
        from_copy = f"to make it again from {self.copy.name} and of what Kaggle lists"
        return {from_copy if self.was_made else FROM_KAGGLE: "submissions sync"}

    def _lost(self, what: str, advice: str = "") -> UserError:
        names = sorted(fields["name"] for fields in self._known_files().values())
        known = f" Submissions were written here: {first(names, shown=SHOWN)}." if names else ""
        return UserError(f"The ledger {self.path} {what}.{known}{advice}", command=self._again)

    def _check_version(self, database: sqlite3.Connection) -> None:
        version = _version(database)
        if version == 0:
            raise self._lost("is damaged: it holds no table", " Move it away.")
        if version != VERSION:
            raise UserError(
                f"The ledger {self.path} is of version {version}, expected {VERSION}. Use the toolkit that wrote it, "
                "or move it away.",
                command=self._again,
            )


def _version(database: sqlite3.Connection) -> int:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return int(version)


def _is_same(entry: Entry, remote: RemoteSubmission) -> bool:
    """Whether a submission on Kaggle is of the file or notebook of an entry, and made when that was sent."""
    words, marker = clean(entry.message, LONGEST_MESSAGE), MARKER.search(remote.file_name)
    if entry.is_of_notebook:  # the file is always called the same; the words tell its version
        is_same = remote.message == words and marker is None and bool(remote.date)
    elif remote.file_name:
        is_same = marker is not None and marker[1] == entry.marker
    else:  # the same words, as many bytes
        is_same = remote.message == words and remote.size in (0, entry.size) and bool(remote.date)
    if not is_same or not remote.date or not entry.sent:
        return is_same
    later = datetime.fromisoformat(remote.date).astimezone(UTC) - datetime.fromisoformat(entry.sent)
    return -CLOCKS < later.total_seconds() < LATEST
