"""The file of Optuna's studies."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import optuna
import pytest
import sqlalchemy
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from competition import studies
from competition.common.errors import UserError
from competition.studies import open_studies

OPEN_FILES = Path("/proc/self/fd")  # on Linux


@pytest.mark.skipif(not OPEN_FILES.is_dir(), reason="/proc shows open files on Linux only")
def test_a_closed_file_of_studies_is_closed(tmp_path: Path) -> None:
    def is_open() -> bool:
        return any("optuna.db" in os.path.realpath(path) for path in OPEN_FILES.iterdir())

    with open_studies(tmp_path / "optuna.db") as storage:
        assert storage.get_all_studies() == []
        assert is_open()
    assert not is_open()  # although `storage` still lives


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    path.write_bytes(b"not a database" * 100)
    refused = pytest.raises(UserError, match=r"Cannot use the studies in .*optuna.db: .*not a database.*Move the file")
    with refused, open_studies(path):
        pass


def test_damage_in_the_middle_of_the_file_is_found_before_it_is_used(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    with open_studies(path):
        pass
    content = bytearray(path.read_bytes())
    content[4096 * 5 : 4096 * 6] = bytes(4096)
    path.with_name("other.db").write_bytes(content)  # as each file is looked through once a process
    refused = pytest.raises(UserError, match=r"The studies in .*other\.db are damaged: .*Move the file away")
    with refused, open_studies(path.with_name("other.db")):
        pass


def test_a_folder_in_its_place_is_to_be_moved_away(tmp_path: Path) -> None:
    (tmp_path / "optuna.db").mkdir()
    refused = pytest.raises(UserError, match=r"optuna\.db is a folder, .* Move it away and run this again\.")
    with refused, open_studies(tmp_path / "optuna.db"):
        pass


def test_a_value_that_is_damaged_within_a_row_is_refused(tmp_path: Path) -> None:
    refused = pytest.raises(UserError, match=r"Cannot use the studies in .*optuna\.db: Expecting .* Move the file away")
    with refused, open_studies(tmp_path / "optuna.db"):
        json.loads('{"loss": 0.5 "')


TRIGGER = "CREATE TRIGGER t AFTER INSERT ON trials BEGIN DELETE FROM studies; END"
VIEW = "CREATE VIEW t AS SELECT * FROM studies"
VIRTUAL = """PRAGMA writable_schema = ON;
INSERT INTO sqlite_master VALUES ('table', 't', 't', 0, 'CREATE VIRTUAL TABLE t USING a_module_of_somebody(x)')"""


@pytest.mark.parametrize("odd", [TRIGGER, VIEW, VIRTUAL])
def test_a_file_that_acts_by_itself_is_refused(tmp_path: Path, odd: str) -> None:
    path = tmp_path / "optuna.db"
    with open_studies(path):
        pass
    with closing(sqlite3.connect(path)) as database:
        database.executescript(odd)
        database.commit()
    studies._seen.clear()
    refused = pytest.raises(UserError, match=r"optuna.db: it holds the (trigger|view|table) 't', which .*Move the file")
    with refused, open_studies(path):
        pass


def test_an_error_of_the_caller_is_not_taken_for_one_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a mistake in the code"), open_studies(tmp_path / "optuna.db"):
        raise RuntimeError("a mistake in the code")


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("database or disk is full", r"Make room, and run this again\.$"),
        ("disk I/O error", "See that the disk is in order"),
        ("database is locked", "Wait for the other process"),
        ("attempt to write a readonly database", "See that you may write"),
        ("database disk image is malformed", "Move the file away"),
    ],
)
def test_a_whole_file_is_not_to_be_moved_away(tmp_path: Path, said: str, advice: str) -> None:
    refused = pytest.raises(UserError, match=rf"Cannot use the studies in .*optuna.db: .*{said}\. {advice}")
    with refused, open_studies(tmp_path / "optuna.db"):
        cause = sqlite3.OperationalError(said)
        before = OperationalError("(raised as a result of Query-invoked autoflush)\nINSERT", {}, cause)
        before.__cause__ = cause
        raise StorageInternalError("An exception is raised during the commit.") from before


def test_a_file_of_studies_is_begun_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna takes tables without the index that keeps a study from being begun twice, and does not add it."""

    def killed(connection: sqlalchemy.Connection, clause: object, *_: object) -> None:
        if isinstance(clause, sqlalchemy.schema.CreateIndex):
            raise KeyboardInterrupt

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_execute", killed)
    try:
        with pytest.raises(KeyboardInterrupt), open_studies(tmp_path / "optuna.db"):
            pass
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_execute", killed)
    assert not (tmp_path / "optuna.db").exists()
    with open_studies(tmp_path / "optuna.db") as storage:
        storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "one")
        with pytest.raises(optuna.exceptions.DuplicatedStudyError):
            storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "one")
