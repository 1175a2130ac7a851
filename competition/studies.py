"""Optuna's studies in one SQLite file, which optuna-dashboard opens; and Optuna kept quiet."""

from __future__ import annotations

import json
import sqlite3
import threading
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from competition.common.errors import UserError
from competition.common.files import replace_atomically
from competition.common.locks import BusyError, lock_of, locked
from competition.common.text import REASON, cut

if TYPE_CHECKING:
    import optuna

# What helps where the file is whole, by SQLite's words.
ADVICE = {
    "disk is full": "Make room, and run this",
    "disk I/O error": "See that the disk is in order and has room, and run this",
    "is locked": "Wait for the other process, and run this",
    "readonly database": "See that you may write to it, and run this",
    "unable to open": "See that you may write to it, and that the disk has room, and run this",
}
_seen: set[Path] = set()  # files that this process has found whole
BUSY_SECONDS = 60  # how long to wait for another process that writes to the file


@contextmanager
def open_studies(path: Path) -> Iterator[optuna.storages.RDBStorage]:
    """Open the SQLite file at `path`, making it if need be; several processes may have it open.

    Raises:
        UserError: if it is not a file of Optuna studies, is locked for too long, or the disk does not take it.
    """
    import optuna
    from sqlalchemy.engine import URL
    from sqlalchemy.exc import DatabaseError

    def storage_in(file: Path) -> optuna.storages.RDBStorage:
        url = URL.create("sqlite", database=str(file)).render_as_string()
        return optuna.storages.RDBStorage(url, engine_kwargs={"connect_args": {"timeout": BUSY_SECONDS}})

    path.parent.mkdir(parents=True, exist_ok=True)
    check_pages(path)
    try:
        with locked(lock_of(path)):  # two processes must not both make the tables
            if not path.exists():
                # Whole or not at all: Optuna would not add an index that is missing, and then begin studies twice.
                with replace_atomically(path) as temporary:
                    storage_in(temporary).engine.dispose()
            storage = storage_in(path)
    except (DatabaseError, RuntimeError) as error:  # the latter if another version of Optuna made the file
        raise refusal(path, error) from error
    try:
        yield storage
    except (DatabaseError, optuna.exceptions.StorageInternalError, json.JSONDecodeError) as error:  # of a row's value
        raise refusal(path, error) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def refusal(path: Path, error: Exception) -> UserError:
    """Return the one line for what SQLite or Optuna says of the file at `path`, and what helps."""
    root: BaseException = error
    while root.__cause__ is not None:  # SQLite's own words: SQLAlchemy may put others before them
        root = root.__cause__
    cause = cut(str(root).splitlines()[0], REASON)
    advice = next((advice for words, advice in ADVICE.items() if words in cause), "Move the file away and run this")
    kind = BusyError if "is locked" in cause else UserError
    return kind(f"Cannot use the studies in {path}: {cause}. {advice} again.")


def check_pages(path: Path) -> None:
    """Look through the whole file, once a process: SQLite itself finds damage only in what it happens to read.

    Raises:
        UserError: if it is damaged, or a folder.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder, where the file of studies is kept. Move it away and run this again.")
    if path in _seen or not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as database:
            check_schema(database)
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise refusal(path, error) from error
    if found != "ok":
        reason = cut(" ".join(found.split()), REASON)
        raise UserError(f"The studies in {path} are damaged: {reason}. Move the file away and run this again.")
    _seen.add(path)


def check_schema(database: sqlite3.Connection) -> None:
    """Refuse a database that holds more than tables: triggers and views act by themselves, and none of ours has any.

    Raises:
        sqlite3.DatabaseError: if it does; the text names the first.
    """
    database.execute("PRAGMA trusted_schema = OFF")
    kinds = "type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'"
    if odd := database.execute(f"SELECT type, name FROM sqlite_master WHERE {kinds}").fetchone():
        kind, name = odd
        raise sqlite3.DatabaseError(f"it holds the {kind} {cut(repr(name), REASON)}, which the toolkit did not make")


class _Quiet:
    """Keeps back Optuna's report of every trial and its notes about experimental arguments, in whichever threads.

    Both settings are of the whole process: the first study to begin makes them, and the last to end takes them back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._studies = 0
        self._warnings = warnings.catch_warnings()

    def __enter__(self) -> None:
        import optuna

        with self._lock:
            self._studies += 1
            if self._studies > 1:
                return
            self._verbosity = optuna.logging.get_verbosity()
            optuna.logging.set_verbosity(optuna.logging.ERROR)  # a warning is how it tells of Ctrl-C
            self._warnings = warnings.catch_warnings()
            self._warnings.__enter__()
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.simplefilter("ignore", FutureWarning)

    def __exit__(self, *_: object) -> None:
        import optuna

        with self._lock:
            self._studies -= 1
            if not self._studies:
                self._warnings.__exit__(None, None, None)
                optuna.logging.set_verbosity(self._verbosity)


QUIET = _Quiet()
