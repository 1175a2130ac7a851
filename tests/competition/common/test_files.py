from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from competition.common import files
from competition.common.errors import UserError
from competition.common.files import (
    check_writable,
    checked_name,
    digest_file,
    digest_json,
    replace_atomically,
    replace_folder,
    restore_folder,
    versions_of,
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


def test_devices_and_pipes_are_no_files_to_write_and_what_a_link_leads_to_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for path in (tmp_path / "pipe", tmp_path / "null", Path("/dev/null")):
        for refused in (check_writable, lambda path: write_text(path, "x")):
            with pytest.raises(UserError, match=rf"Cannot write {path}: it is no ordinary file\."):
                refused(path)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    (tmp_path / "link").symlink_to("store/file")
    for text in ("one", "other"):  # it need not be there
        check_writable(tmp_path / "link")
        write_text(tmp_path / "link", text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "store/file").read_text() == text


def test_the_longest_name_is_written_and_a_longer_one_refused_before(tmp_path: Path) -> None:
    longest = tmp_path / f"{'ä' * 125}.csv"  # 254 bytes
    check_writable(longest)
    write_text(longest, "x")
    assert [path.name for path in tmp_path.iterdir()] == [longest.name]
    for path in (tmp_path / f"{'a' * 300}.csv", tmp_path / "new" / f"{'a' * 300}.csv", tmp_path / ("a" * 300) / "b"):
        with pytest.raises(UserError, match=r"Cannot write .*: File name too long\."):
            check_writable(path)


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
        with replace_folder(tmp_path / "folder") as temporary:
            (temporary / "half.txt").write_text("half", encoding="utf-8")
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        failing()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with replace_folder(tmp_path / "folder") as temporary:
        (temporary / "file.txt").write_text("text", encoding="utf-8")
        assert not (tmp_path / "folder").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["folder", "file.txt"]


def write_folder(path: Path, text: str) -> None:
    with replace_folder(path) as temporary:
        (temporary / "file.txt").write_text(text, encoding="utf-8")


def text_in(path: Path) -> str:
    return (path / "file.txt").read_text(encoding="utf-8")


def test_a_folder_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    write_folder(path, "old")
    (path / "gone.txt").touch()
    with replace_folder(path) as temporary:
        (temporary / "file.txt").write_text("new", encoding="utf-8")
        assert text_in(path) == "old"
    assert [entry.name for entry in tmp_path.rglob("*")] == ["folder", "file.txt"]
    assert text_in(path) == "new"


class KilledError(BaseException):
    """Stands for the end of the process: nothing is tidied up after it."""


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_killed_at_any_rename_the_next_call_finds_a_whole_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    path, rename, done = tmp_path / "folder", Path.rename, []
    write_folder(path, "old")

    def killed(self: Path, target: Path) -> Path:
        if len(done) >= renames:
            raise KilledError
        done.append(target)
        return rename(self, target)

    def remove(folder: Path, **_: object) -> None:
        if len(done) == 2:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        patch.setattr(shutil, "rmtree", remove)
        with pytest.raises(KilledError):
            write_folder(path, "half")
    with monkeypatch.context() as patch:  # a reader comes first
        patch.setattr(shutil, "rmtree", lambda folder, **_: None)
        restore_folder(path)
    assert text_in(path) == ("half" if renames == 2 else "old")
    monkeypatch.setattr(files, "is_dead", lambda *_: True)
    write_folder(path, "new")
    assert text_in(path) == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a", "A-1.b_c", "0" * 100])
def test_names_that_can_be_files_are_taken(name: str) -> None:
    assert checked_name("model", name) == name


@pytest.mark.parametrize("name", ["", ".a", "-a", "a/b", "a b", "ä", "a\n", "0" * 101])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match=r"cannot name a model: use up to 100 letters"):
        checked_name("model", name)


def test_versions_are_those_of_what_is_installed() -> None:
    assert versions_of("pytest", "no-such-package") == {"pytest": pytest.__version__}


def test_json_is_readable_and_its_digest_ignores_the_order_of_keys(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Öland", "n": 1})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n  "name": "Öland",\n  "n": 1\n}\n'
    assert digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1}) != digest_json({"a": 1, "b": 3})
    assert len(short(digest_json({}))) == 8


def test_the_digest_of_a_file_is_that_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        OSError("Not enough free space to write 80000000 bytes after offset 128"),
        OSError("1000 requested and 500 written"),
    ],
)
@pytest.mark.parametrize("replace", [replace_atomically, replace_folder])
def test_a_full_disk_names_the_file_that_was_to_be_written(tmp_path: Path, replace: Any, error: OSError) -> None:
    with pytest.raises(OSError, match="/whole") as caught, replace(tmp_path / "whole"):
        raise error
    assert caught.value.filename == str(tmp_path / "whole")
    assert caught.value.errno == (error.errno or errno.ENOSPC)
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_another_kind_stays_as_it_is(tmp_path: Path) -> None:
    error = PermissionError(errno.EACCES, "Permission denied", "/another")
    with pytest.raises(PermissionError) as caught, replace_atomically(tmp_path / "whole"):
        raise error
    assert caught.value is error


def test_a_file_system_with_modes_of_its_own_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    write_text(tmp_path / "a.txt", "x")
    with replace_folder(tmp_path / "b") as folder:
        write_text(folder / "c.txt", "y")
    assert (tmp_path / "a.txt").read_text() + (tmp_path / "b" / "c.txt").read_text() == "xy"


def test_a_hard_link_to_what_is_kept_is_replaced_as_a_name(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    os.link(tmp_path / "kept", tmp_path / "out.csv")
    check_writable(tmp_path / "out.csv")
    write_text(tmp_path / "out.csv", "new")
    assert ((tmp_path / "kept").read_text(), (tmp_path / "out.csv").read_text()) == ("kept", "new")
