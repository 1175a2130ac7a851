"""Folders are looked into without what a computer adds for itself, and without going round in circles."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from competition.common.errors import UserError
from competition.common.folders import (
    check_readable,
    check_room,
    entries_of,
    free_bytes,
    is_file,
    is_folder,
    is_junk,
    sorted_entries,
)
from tests.competition.samples import forbid


@pytest.mark.parametrize(
    ("path", "junk"),
    [
        ("a/b.png", False),
        ("./a/../b.png", False),
        ("a/._b.png", True),
        (".hidden/b.png", True),
        ("__MACOSX/a/b.png", True),
        ("a/.DS_Store", True),
        ("a/b.", False),
    ],
)
def test_what_is_hidden_or_added_by_macos_is_junk(path: str, junk: bool) -> None:
    assert is_junk(path) == junk


def test_a_folder_is_listed_but_for_junk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b", "a", "._a", ".x", "__MACOSX"):
        (tmp_path / name).write_bytes(b"")
    assert [entry.name for entry in sorted_entries(tmp_path)] == ["a", "b"]
    assert {entry.name for entry in entries_of(tmp_path)} == {"a", "b"}
    check_readable(tmp_path)
    errors: list[OSError] = []
    forbid(monkeypatch, tmp_path)
    assert sorted_entries(tmp_path, errors.append) == list(entries_of(tmp_path)) == []
    assert [error.strerror for error in errors] == ["Permission denied"]
    with pytest.raises(UserError, match="Permission denied"):
        check_readable(tmp_path)


def test_links_are_what_they_lead_to_unless_that_is_above_them(tmp_path: Path) -> None:
    (tmp_path / "set" / "in").mkdir(parents=True)
    (tmp_path / "else").mkdir()
    (tmp_path / "file").write_bytes(b"")
    links = {"up": "..", "here": "../set", "over": "../else", "file": "../file", "self": "self", "gone": "gone2"}
    for name, target in links.items():
        (tmp_path / "set" / name).symlink_to(target)
    entries = sorted_entries(tmp_path / "set")
    assert [entry.name for entry in entries if is_folder(entry)] == ["in", "over"]
    assert [entry.name for entry in entries if is_file(entry)] == ["file"]


def test_room_is_measured_where_the_folder_will_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or SimpleNamespace(free=5000))
    folder = tmp_path / "not" / "there yet"
    assert free_bytes(folder) == 5000
    check_room(5000, folder, "It")
    with pytest.raises(UserError, match=rf"^It needs 6 kB, but {folder} has 5 kB free\. Make room, or give a --work"):
        check_room(6000, folder, "It")
    with pytest.raises(UserError, match=r"5 kB free\. Delete something\.$"):
        check_room(6000, folder, "It", "Delete something.")
    assert set(asked) == {tmp_path}
