"""A row of the ledger."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass, fields
from typing import Any

from pydantic import BaseModel, TypeAdapter


@dataclass(frozen=True)
class Entry:
    """A row of the ledger.

    Attributes:
        id: of the row; 0 before it is written.
        competition: Kaggle's name of the competition.
        name: of the submission here, or of the file if it was made elsewhere.
        stage: "uploading", "unconfirmed", "confirmed" or "ended".
        ref: Kaggle's number of the submission; None until it is confirmed.
        marker: first 16 hex digits of `digest`, which the name of the uploaded file carries; None for other files.
        digest: SHA-256 of the CSV; None if it was made elsewhere.
        size: bytes that were uploaded.
        message: shown beside the submission on Kaggle.
        metric: name of the metric of `cross_fitted`.
        cross_fitted: the score expected, with `low` and `high`, its 95 % interval; None where it is not known.
        members: names of the models and blends it was made of.
        recipe: how it was made.
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
    recipe: dict[str, Any] | None = None
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
    def when(self) -> str:
        """When it was submitted, or else begun."""
        return self.confirmed or self.sent or self.begun or ""

    @property
    def state(self) -> str:
        """How far it has come, for people."""
        return self.status or self.stage if self.stage == "confirmed" else self.stage

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for a JSON file."""
        return asdict(self)


@dataclass(frozen=True)
class Synced:
    """What Kaggle's list has brought.

    Attributes:
        found: unconfirmed entries that Kaggle has, now confirmed.
        new: number of entries that were made elsewhere and not known.
        scored: number of entries that have a score since.
    """

    found: tuple[Entry, ...]
    new: int
    scored: int


class _Figures(BaseModel, allow_inf_nan=False):
    metric: str | None = None
    cross_fitted: float | None = None
    interval: tuple[float, float] | tuple[None, None] = (None, None)


class _Member(BaseModel):
    name: str


class _Recipe(BaseModel):
    figures: list[_Figures] = []
    members: list[_Member] = []


def what_was_expected(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return what the recipe of a submission says of it, as fields of an entry.

    Raises:
        ValueError: if it says something else than a recipe does.
    """
    read = _Recipe.model_validate(recipe)
    figures = read.figures[0] if read.figures else _Figures()
    low, high = figures.interval
    return {
        "recipe": recipe,
        "metric": figures.metric,
        "cross_fitted": figures.cross_fitted,
        "low": low,
        "high": high,
        "members": tuple(member.name for member in read.members),
    }


def row_of(entry: Entry) -> dict[str, Any]:
    """Return the columns of an entry's row, all but its id."""
    values = {field.name: getattr(entry, field.name) for field in fields(entry) if field.name != "id"}
    return {**values, "members": json.dumps(entry.members), "recipe": json.dumps(entry.recipe)}


class DamagedRowError(Exception):
    """A row holds what was never written."""


def entry_of(row: sqlite3.Row) -> Entry:
    """Return the entry of a row.

    Raises:
        DamagedRowError: if the row holds what was never written.
    """
    try:
        values = dict(row)
        members, recipe = json.loads(row["members"]), json.loads(row["recipe"])
        return TypeAdapter(Entry).validate_python({**values, "members": members, "recipe": recipe})
    except (ValueError, TypeError, LookupError) as error:
        raise DamagedRowError(f"row {row['id']} is damaged") from error
