"""Files of an unpacked folder that were lost, added or changed are known again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from competition.common.records import write_record
from competition.index.contents import changed_since, kept_beside, note_contents


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chips" / "deep").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "deep/c.jpg"):
        (tmp_path / "chips" / name).write_bytes(name.encode() * 100)
    return tmp_path / "chips"


def turn_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)


def test_what_changed_is_named(folder: Path) -> None:
    assert changed_since(folder) is None  # of an earlier version
    note_contents(folder)
    assert changed_since(folder) == []
    turn_a_bit(folder / "b.jpg")
    (folder / "deep" / "c.jpg").unlink()
    (folder / "d.jpg").touch()
    (folder / ".hidden").touch()
    assert changed_since(folder) == ["b.jpg", "d.jpg", "deep/c.jpg"]


def test_a_file_of_the_same_size_and_time_is_not_read_unless_all_are(folder: Path) -> None:
    note_contents(folder)
    state = (folder / "b.jpg").stat()
    turn_a_bit(folder / "b.jpg")
    assert changed_since(folder) == ["b.jpg"]
    os.utime(folder / "b.jpg", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert changed_since(folder) == ["b.jpg"]
    record, now = json.loads(kept_beside(folder).read_text()), (folder / "b.jpg").stat()
    record["mtime"]["b.jpg"] = [now.st_size, now.st_mtime_ns, now.st_ctime_ns]  # as where the disk itself turns a bit
    write_record(kept_beside(folder), {"files": record["files"], "mtime": record["mtime"]}, version=1)
    assert changed_since(folder) == []
    assert changed_since(folder, by_reading=True) == ["b.jpg"]


def test_files_that_are_as_they_were_at_another_time_are_read_once(folder: Path, monkeypatch) -> None:
    note_contents(folder)
    record = kept_beside(folder)
    write_record(record, {"files": json.loads(record.read_text())["files"]}, version=1)  # as the version before
    before = record.read_bytes()
    assert changed_since(folder, by_reading=True) == []
    assert record.read_bytes() == before
    assert changed_since(folder) == []
    monkeypatch.setattr("competition.index.contents.zlib.crc32", lambda *_: pytest.fail("read again"))
    assert changed_since(folder) == []


def test_a_damaged_record_says_nothing(folder: Path) -> None:
    note_contents(folder)
    kept_beside(folder).write_bytes(b"")
    assert changed_since(folder) is None
