"""An entry of the ledger, and the row that keeps it."""

import json
import sqlite3
from dataclasses import replace

import pytest

from submissions.submit.entry import Entry, Synced, entry_of, row_of

ENTRY = Entry(
    competition="planet",
    name="first",
    size=10,
    message="a mean",
    stage="confirmed",
    ref=1000,
    metric="F2",
    cross_fitted=0.91,
    low=0.9,
    high=0.92,
    members=("a", "b"),
    provenance={"method": "mean"},
    status="complete",
    public=0.93001,
)


def kept(**changes: object) -> sqlite3.Row:
    """Return the row of the entry, read back from a database."""
    values = {**row_of(ENTRY), "id": 1, **changes}
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    database.execute(f"CREATE TABLE entries ({', '.join(values)})")
    database.execute(f"INSERT INTO entries VALUES ({', '.join('?' * len(values))})", tuple(values.values()))
    return database.execute("SELECT * FROM entries").fetchone()


def test_an_entry_comes_back_from_its_row() -> None:
    assert entry_of(kept()) == replace(ENTRY, id=1)


def test_columns_and_keys_are_called_as_they_always_were() -> None:
    assert json.loads(row_of(ENTRY)["recipe"]) == {"method": "mean"}
    listed = ENTRY.as_dict()
    assert listed["recipe"] == {"method": "mean"}
    assert "provenance" not in {*row_of(ENTRY), *listed}


@pytest.mark.parametrize(
    "changes",
    [
        {"members": "{"},
        {"recipe": "oops"},
        {"public": "abc"},
        {"message": None},
        {"public": float("inf")},
        {"cross_fitted": float("-inf")},
    ],
)
def test_a_row_that_was_never_written_is_damage(changes: dict[str, object]) -> None:
    with pytest.raises(sqlite3.DataError, match="row 1 is damaged"):
        entry_of(kept(**changes))


def test_an_entry_says_its_scores_and_how_far_it_has_come() -> None:
    assert ENTRY.text() == "1000: public 0.93001, cross-fitted F2 0.9100 (0.9000 to 0.9200); complete."
    failed = replace(ENTRY, public=None, cross_fitted=None, status="error", error="wrong columns")
    assert failed.text() == "1000: no score; error: wrong columns."
    assert replace(ENTRY, stage="unconfirmed", ref=None, status=None).state == "unconfirmed"


def test_what_a_list_has_brought_is_counted() -> None:
    assert Synced((ENTRY,), new=2, scored=3).text() == "2 made elsewhere, 3 newly scored, 1 newly confirmed"
