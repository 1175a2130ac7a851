from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.common.files import (
    check_writable,
    digest_file,
    digest_json,
    replace_atomically,
    replace_folder_atomically,
    write_json,
    write_text,
)
from competition.common.text import short


def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    write_text(path, "old")

    def interrupted() -> None:
        with replace_atomically(path) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_readers_see_the_old_file_until_the_new_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    write_text(path, "old")
    with replace_atomically(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
        assert temporary.suffix == path.suffix
    assert path.read_text(encoding="utf-8") == "new"


def test_a_path_that_cannot_be_written_is_refused_and_nothing_is_made_of_one_that_can(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot write .*: it is a folder\."):
        check_writable(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Cannot write .*file/new/a\.csv: Not a directory\."):
        check_writable(tmp_path / "file/new/a.csv")
    for name in ("file", "a.csv", "new/folder/a.csv"):
        check_writable(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("mask", "expected"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_files_get_the_permissions_of_an_ordinary_open(tmp_path: Path, mask: int, expected: int) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "new" / "file.txt", "text")
    finally:
        assert os.umask(before) == mask
    assert stat.S_IMODE((tmp_path / "new" / "file.txt").stat().st_mode) == expected


def test_an_exception_leaves_no_folder(tmp_path: Path) -> None:
    def failing() -> None:
        with replace_folder_atomically(tmp_path / "folder") as temporary:
            (temporary / "half.txt").write_text("half", encoding="utf-8")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        failing()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with replace_folder_atomically(tmp_path / "folder") as temporary:
        (temporary / "file.txt").write_text("text", encoding="utf-8")
        assert not (tmp_path / "folder").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "file.txt"]


def test_json_is_readable_and_its_digest_ignores_the_order_of_keys(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Öland", "n": 1})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "name": "Öland",\n  "n": 1\n}\n'
    assert digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1}) != digest_json({"a": 1, "b": 3})
    assert len(short(digest_json({}))) == 8


def test_the_digest_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
