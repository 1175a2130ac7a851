"""Files of an unpacked folder that were lost, added or changed are known again."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.index.contents import changed_since, kept_beside, note_contents


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chips" / "deep").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "deep/c.jpg"):
        (tmp_path / "chips" / name).write_bytes(name.encode() * 100)
    return tmp_path / "chips"


def test_what_changed_is_named(folder: Path) -> None:
    assert changed_since(folder) is None  # of an earlier version
    note_contents(folder)
    assert changed_since(folder) == []
    content = bytearray((folder / "b.jpg").read_bytes())
    content[50] ^= 1
    (folder / "b.jpg").write_bytes(content)
    (folder / "deep" / "c.jpg").unlink()
    (folder / "d.jpg").touch()
    (folder / ".hidden").touch()
    assert changed_since(folder) == ["b.jpg", "d.jpg", "deep/c.jpg"]


def test_a_damaged_record_says_nothing(folder: Path) -> None:
    note_contents(folder)
    kept_beside(folder).write_bytes(b"")
    assert changed_since(folder) is None
