"""A sample of the fuzzing: changed files, a few seconds of them, by a seed; `python -m tests.faults.fuzz` goes on."""

from __future__ import annotations

import os
import random
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.faults import fuzz
from tests.faults.readers import READERS
from tests.faults.seeds import seeds

QUICK = ("chips", "tables", "archives", "scores", "texts")


@pytest.mark.parametrize("reader", QUICK)
def test_changed_files_are_taken_or_refused(reader: str) -> None:
    count, finds = fuzz.round_of(reader, seeds(reader), random.Random(7), 40)
    assert (count, [find.kind for find in finds]) == (40 * len(READERS[reader]), [])


@pytest.mark.slow
@pytest.mark.parametrize("reader", sorted(READERS.keys() - {*QUICK}))
def test_changed_exports_weights_and_scenes_are_taken_or_refused(reader: str) -> None:
    # A runtime whose threads were at work in this process, for other tests, waits for them without end in a fork of it.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
        count, finds = fresh.submit(fuzz.round_of, reader, seeds(reader), random.Random(7), 20).result()
    assert (count, [find.kind for find in finds]) == (20 * len(READERS[reader]), [])


def test_a_reader_that_fails_is_found_made_small_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: Path) -> None:
        if b"X" in path.read_bytes():
            raise ZeroDivisionError

    monkeypatch.setitem(READERS, "tables", {"one": fails})
    _, (find,) = fuzz.apart(lambda: iter([("a.csv", b"abcXdef", "one"), ("b.csv", b"X", "one")]), "tables")
    small = fuzz.smaller(find)
    assert (small.content, "ZeroDivisionError" in small.what) == (b"X", True)
    assert small.write(tmp_path / "found").read_bytes() == b"X"


def test_a_crash_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(READERS, "tables", {"one": lambda path: os.kill(os.getpid(), signal.SIGKILL)})
    _, (find,) = fuzz.apart(lambda: iter([("a.csv", b"abc", "one")]), "tables")
    assert (find.content, "the process ended with" in find.what) == (b"abc", True)
