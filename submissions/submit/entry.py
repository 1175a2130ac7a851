"""An entry of the ledger, the row that keeps it, and the copy of all rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from competition.common.records import read_record, write_record

# Fields that are called otherwise where they are kept: in ledgers and lists since before they had their names.
COLUMNS = {"provenance": "recipe"}
NOTEBOOK = "notebook"  # in the provenance of what a notebook on Kaggle was submitted for: which, and its version
AS_JSON = ("members", "provenance")
FORMAT = 1  # of the copy
SCHEMA = """
CREATE TABLE submissions (
    id INTEGER PRIMARY KEY,
    competition TEXT NOT NULL,
    name TEXT NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('uploading', 'unconfirmed', 'confirmed', 'ended')),
    ref INTEGER,
    marker TEXT,
    digest TEXT,
    size INTEGER NOT NULL,
    message TEXT NOT NULL,
    metric TEXT,
    cross_fitted REAL,
    low REAL,
    high REAL,
    members TEXT NOT NULL,
    recipe TEXT NOT NULL,
    begun TEXT,
    sent TEXT,
    confirmed TEXT,
    scored TEXT,
    status TEXT,
    public REAL,
    private REAL,
    error TEXT NOT NULL DEFAULT '',
    UNIQUE (competition, ref),
    CHECK ((stage = 'confirmed') = (ref IS NOT NULL))
);
"""


@dataclass(frozen=True)
class Entry:
    """A submission, as the ledger knows it.

    Attributes:
        id: of the row; 0 before it is written.
        competition: Kaggle's name of the competition.
        name: of the submission here, or of the file if it was made elsewhere.
        stage: "uploading", "unconfirmed", "confirmed" or "ended".
        ref: Kaggle's number of the submission; None until it is confirmed.
        marker: first 16 hex digits of `digest`, which the name of the uploaded file carries; None for other files.
        digest: SHA-256 of the CSV; None if it was made elsewhere.
        size: bytes that were uploaded; 0 of a notebook.
        message: shown beside the submission on Kaggle.
        metric: name of the metric of `cross_fitted`.
        cross_fitted: the score expected, with `low` and `high`, its 95 % interval; None where it is not known.
        members: names of the models and blends that it was made of.
        provenance: how it was made.
        begun, sent, confirmed, scored: when, ISO, UTC; None if not.
        status: Kaggle's: "pending", "complete" or "error"; None before it is confirmed.
        public, private: scores; None while there are none.
        error: why it ended, or could not be scored.
    """

    competition: str
    name: str
    size: int
    message: str
    stage: str = "uploading"
    ref: int | None = None
    marker: str | None = None
    digest: str | None = None
    metric: str | None = None
    cross_fitted: float | None = None
    low: float | None = None
    high: float | None = None
    members: tuple[str, ...] = ()
    provenance: dict[str, Any] | None = None
    begun: str | None = None
    sent: str | None = None
    confirmed: str | None = None
    scored: str | None = None
    status: str | None = None
    public: float | None = None
    private: float | None = None
    error: str = ""
    id: int = 0

    @property
    def is_of_notebook(self) -> bool:
        """Whether a notebook on Kaggle was submitted, and no file."""
        return NOTEBOOK in (self.provenance or {})

    @property
    def when(self) -> str:
        """When it was submitted, or else begun."""
        return self.confirmed or self.sent or self.begun or ""

    @property
    def state(self) -> str:
        """How far it has come, for people."""
        return self.status or self.stage if self.stage == "confirmed" else self.stage

    def text(self) -> str:
        """Return its scores on Kaggle beside the cross-fitted one, and how far it has come, as one line."""
        on_boards = {"public": self.public, "private": self.private}
        scores = [f"{board} {score:.5f}" for board, score in on_boards.items() if score is not None]
        if self.cross_fitted is not None:
            interval = "" if self.low is None else f" ({self.low:.4f} to {self.high:.4f})"
            scores.append(f"cross-fitted {self.metric} {self.cross_fitted:.4f}{interval}")
        return f"{self.ref}: {', '.join(scores) or 'no score'}; {self.state}{': ' if self.error else ''}{self.error}."

    def as_dict(self) -> dict[str, Any]:
        """Return the entry, for JSON."""
        values = asdict(self)
        return {COLUMNS.get(name, name): value for name, value in values.items()}


ROW = tuple(COLUMNS.get(field.name, field.name) for field in fields(Entry))  # the columns of the ledger


@dataclass(frozen=True)
class Synced:
    """What Kaggle's list has brought.

    Attributes:
        confirmed: entries that were unconfirmed, and that Kaggle has.
        new: number of entries that were made elsewhere and not known.
        scored: number of entries that have a score since.
    """

    confirmed: tuple[Entry, ...]
    new: int
    scored: int

    def text(self) -> str:
        """Return what is new, as part of a line."""
        return f"{self.new} made elsewhere, {self.scored} newly scored, {len(self.confirmed)} newly confirmed"


def row_of(entry: Entry) -> dict[str, Any]:
    """Return the columns of an entry's row, all but its id."""
    values = {field.name: getattr(entry, field.name) for field in fields(entry) if field.name != "id"}
    values |= {name: json.dumps(values[name]) for name in AS_JSON}
    return {COLUMNS.get(name, name): value for name, value in values.items()}


def write_copy(path: Path, rows: Iterable[sqlite3.Row]) -> None:
    """Write the copy of a ledger, from which it is made again where it is lost.

    The ledger itself is what counts: where the disk does not take the copy, or a row is damaged, the last one stays.
    """
    with suppress(OSError, TypeError):
        write_record(path, {"rows": [{name: row[name] for name in ROW} for row in rows]}, version=FORMAT)


def read_copy(path: Path) -> list[tuple[Any, ...]]:
    """Return the rows in the copy of a ledger, each with the values of `ROW`.

    Raises:
        DamagedError: if there are none, or it is damaged.
    """

    def parse(content: dict[str, Any]) -> list[tuple[Any, ...]]:
        return [tuple(row[name] for name in ROW) for row in content["rows"]]

    otherwise = "restore it from a copy, or move it away: what Kaggle lists is found without it"
    return read_record(path, parse, version=FORMAT, otherwise=otherwise)


def entry_of(row: sqlite3.Row) -> Entry:
    """Return the entry of a row.

    Raises:
        sqlite3.DataError: if the row holds what was never written.
    """
    try:
        values = {field.name: row[COLUMNS.get(field.name, field.name)] for field in fields(Entry)}
        values |= {name: json.loads(values[name]) for name in AS_JSON}
        if strange := [value for value in values.values() if isinstance(value, float) and not isfinite(value)]:
            raise ValueError(f"{strange[0]} is no score")
        return TypeAdapter(Entry).validate_python(values)
    except (ValueError, TypeError, LookupError) as error:
        raise sqlite3.DataError(f"row {row['id']} is damaged") from error
