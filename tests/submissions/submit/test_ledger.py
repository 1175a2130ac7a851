"""The ledger says truly what happened, to several processes at once, and after a kill."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.common.locks import BusyError
from competition.common.records import write_record
from competition.kaggle.answers import RemoteSubmission
from submissions.submit.entry import Entry
from submissions.submit.ledger import Ledger

SLUG = "planet"
ENTRY = Entry(
    competition=SLUG, name="first", size=10, message="a mean", marker="0123456789abcdef", provenance={"a": [1]}
)
REMOTE = RemoteSubmission(7, "first-0123456789abcdef.csv", "a mean", "", "pending", "", None, None, 10)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "new" / "ledger.db", SLUG)


def test_an_entry_is_read_as_it_was_written(ledger: Ledger) -> None:
    entry = replace(ENTRY, cross_fitted=0.91, low=0.9, high=0.92, metric="F2", members=("a", "b"), digest="d")
    written = ledger.begin(entry)
    assert ledger.entries() == [written]
    assert replace(written, id=0, begun=None) == entry
    ledger.send(written)
    confirmed = ledger.confirm(written, 7)
    assert [(each.stage, each.ref, each.status) for each in ledger.entries()] == [("confirmed", 7, "pending")]
    assert confirmed == ledger.entries()[0]


def test_a_listed_submission_is_that_of_the_entry_that_was_sent(ledger: Ledger) -> None:
    first = ledger.begin(ENTRY)
    assert ledger.record([REMOTE]).new == 1  # an entry that was not sent cannot be it
    ledger.send(first)
    other = replace(REMOTE, ref=8, file_name="second-ffff456789abcdef.csv")
    assert ledger.record([other]).confirmed == ()
    (found,) = ledger.record([replace(REMOTE, ref=9), other]).confirmed
    assert (found.id, found.ref) == (first.id, 9)
    assert ledger.record([replace(REMOTE, ref=10)]).new == 1


def test_a_ref_that_another_process_read_first_is_taken_over(ledger: Ledger) -> None:
    entry = ledger.begin(ENTRY)
    ledger.send(entry)
    ledger.record([replace(REMOTE, file_name="renamed.csv")])
    ledger.confirm(entry, 7)
    assert [(each.id, each.ref) for each in ledger.entries()] == [(entry.id, 7)]


def test_what_was_given_up_is_recognised_when_kaggle_lists_it_late(ledger: Ledger) -> None:
    refused, given_up = ledger.begin(ENTRY), ledger.begin(ENTRY)
    for entry in (refused, given_up):
        ledger.send(entry)
    ledger.end(refused, "the deadline has passed")
    ledger.end(given_up, "not listed", is_sure=False)
    assert [found.id for found in ledger.record([REMOTE]).confirmed] == [given_up.id]
    assert [(each.stage, each.error) for each in ledger.entries()] == [
        ("ended", "the deadline has passed"),
        ("confirmed", ""),
    ]


def test_a_score_comes_once_and_may_change(ledger: Ledger) -> None:
    ledger.record([REMOTE])
    scored = replace(REMOTE, status="complete", public=0.5)
    assert [ledger.record([scored]).scored for _ in range(2)] == [1, 0]
    ledger.record([replace(scored, private=0.25)])  # the private score is shown when the competition has ended
    (entry,) = ledger.entries()
    assert (entry.public, entry.private, entry.status) == (0.5, 0.25, "complete")


def test_a_list_that_is_older_takes_no_score_back(ledger: Ledger) -> None:
    ledger.record([replace(REMOTE, status="complete", public=0.5)])
    ledger.record([REMOTE])
    assert [(entry.status, entry.public) for entry in ledger.entries()] == [("complete", 0.5)]


def test_another_days_submission_of_the_file_is_not_the_entrys(ledger: Ledger) -> None:
    given_up = ledger.begin(ENTRY)
    ledger.send(given_up)
    ledger.end(given_up, "not listed", is_sure=False)
    assert ledger.record([replace(REMOTE, date="2031-01-01T00:00:00+00:00")]).confirmed == ()


@pytest.mark.parametrize("content", [b"", bytes(8192), None], ids=["emptied", "zeroed", "gone"])
def test_a_lost_ledger_is_not_taken_for_one_without_entries(ledger: Ledger, content: bytes | None) -> None:
    assert ledger.entries() == []
    ledger.begin(ENTRY)
    if content is None:
        ledger.path.unlink()
    else:
        ledger.path.write_bytes(content)
    with pytest.raises(UserError, match=r"ledger\.db (is gone|is damaged|cannot be used).* run .*submissions sync"):
        ledger.entries()
    ledger.path.unlink(missing_ok=True)
    assert ledger.record([REMOTE]).new == 1
    assert len(ledger.entries()) == 2


def test_a_lost_ledger_is_made_again_from_its_copy_with_all_that_kaggle_does_not_know(ledger: Ledger) -> None:
    sent, failed, other = (ledger.begin(replace(ENTRY, message=message)) for message in "abc")
    Ledger(ledger.path, "other").begin(replace(ENTRY, competition="other"))
    ledger.send(sent)
    ledger.confirm(sent, 7)
    ledger.end(failed, "the deadline has passed")
    before = ledger.entries()
    ledger.path.unlink()
    ledger.record([])
    assert ledger.entries() == before
    assert len(Ledger(ledger.path, "other").entries()) == 1
    ledger.send(other)
    ledger.path.unlink()
    assert ledger.record([replace(REMOTE, ref=8)]).confirmed[0].id == other.id


def test_without_a_copy_a_new_ledger_is_made_of_what_kaggle_lists(ledger: Ledger) -> None:
    ledger.begin(ENTRY)
    ledger.path.with_suffix(".json").unlink()
    ledger.path.write_bytes(b"")
    with pytest.raises(UserError, match=r"To make a new one of what Kaggle lists \(attempts that failed, .* lost\)"):
        ledger.entries()
    ledger.path.unlink()
    assert ledger.entries() == []


@pytest.mark.parametrize("rows", [[{}], [{"id); DROP TABLE submissions; --": 1}], [[]], 5])
def test_a_copy_of_something_else_is_refused(rows: object, ledger: Ledger) -> None:
    ledger.begin(ENTRY)
    ledger.path.unlink()
    write_record(ledger.path.with_suffix(".json"), {"rows": rows}, version=1)
    with pytest.raises(UserError, match=r"ledger\.json is damaged: .* or move it away"):
        ledger.record([])
    assert not ledger.path.exists()


def test_a_ledger_in_use_is_said_to_be(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.begin(ENTRY)
    monkeypatch.setattr("submissions.submit.ledger.BUSY", 0.1)
    other = sqlite3.connect(ledger.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(BusyError, match="is in use by another process"):
        ledger.begin(ENTRY)
    other.close()


def test_many_writers_lose_nothing(ledger: Ledger) -> None:
    def write(number: int) -> None:
        mine = Ledger(ledger.path, SLUG)
        entry = mine.begin(replace(ENTRY, marker=f"{number:016x}"))
        mine.send(entry)
        mine.confirm(entry, number)
        mine.record([replace(REMOTE, ref=number, status="complete", public=number / 100)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(1, 33)))
    assert sorted((each.ref, each.public) for each in ledger.entries()) == [(n, n / 100) for n in range(1, 33)]


def test_half_a_change_is_no_change(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger.record([REMOTE])
    before = ledger.entries()
    monkeypatch.setattr(Ledger, "_elsewhere", None)
    with pytest.raises(TypeError):
        ledger.record([replace(REMOTE, status="complete"), replace(REMOTE, ref=8)])
    assert ledger.entries() == before


def test_another_competition_is_not_seen(ledger: Ledger) -> None:
    ledger.begin(ENTRY)
    assert Ledger(ledger.path, "other").entries() == []


def test_a_ledger_of_another_version_is_left_alone(ledger: Ledger) -> None:
    ledger.begin(ENTRY)
    database = sqlite3.connect(ledger.path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    content = ledger.path.read_bytes()
    with pytest.raises(UserError, match="is of version 99, expected 1"):
        ledger.entries()
    assert ledger.path.read_bytes() == content


@pytest.mark.parametrize("change", ["members = '{'", "recipe = 'oops'", "public = 'abc'", "message = x'ff00'"])
def test_a_damaged_row_is_one_line(change: str, ledger: Ledger) -> None:
    ledger.begin(ENTRY)
    database = sqlite3.connect(ledger.path, isolation_level=None)
    database.execute(f"UPDATE submissions SET {change}")
    database.close()
    with pytest.raises(UserError, match="cannot be used: row 1 is damaged"):
        ledger.entries()


@pytest.mark.parametrize(
    "odd",
    [
        "CREATE TRIGGER odd AFTER UPDATE ON submissions BEGIN DELETE FROM submissions; END",
        "ALTER TABLE submissions RENAME TO kept; CREATE VIEW odd AS SELECT * FROM kept",
    ],
)
def test_a_ledger_that_acts_by_itself_is_refused_and_left_alone(odd: str, ledger: Ledger) -> None:
    entry = ledger.begin(ENTRY)
    with closing(sqlite3.connect(ledger.path)) as database:
        database.executescript(odd)
    content = ledger.path.read_bytes()
    for use in (ledger.entries, lambda: ledger.send(entry)):
        with pytest.raises(UserError, match=r"ledger.db cannot be used: it holds the (trigger|view) 'odd', which"):
            use()
    assert ledger.path.read_bytes() == content


def test_no_confirmed_entry_gives_way_to_another(ledger: Ledger) -> None:
    entries = [ledger.begin(ENTRY), ledger.begin(ENTRY)]
    ledger.confirm(entries[0], 7)
    with pytest.raises(UserError, match="UNIQUE constraint"):
        ledger.confirm(entries[1], 7)
    assert [each.ref for each in ledger.entries()] == [7, None]


def test_a_confirmed_entry_without_a_ref_cannot_be_written(ledger: Ledger) -> None:
    entry = ledger.begin(ENTRY)
    with pytest.raises(UserError, match="CHECK constraint"):
        ledger._update(entry, stage="confirmed")
