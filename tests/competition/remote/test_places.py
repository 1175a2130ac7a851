from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from competition.common.errors import UserError
from competition.common.locks import own_mark
from competition.remote.places import Place


@pytest.fixture(params=["memory://team/deep", "folder", "file://folder"])
def place(request, tmp_path: Path) -> Place:
    fsspec.filesystem("memory").store.clear()
    url = request.param.replace("folder", str(tmp_path / "place"))
    return Place.of(url)


def test_what_was_sent_is_read_and_listed(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 10_000)
    sent: list[int] = []
    place.send(source, "a/b.npz", sent.append)
    assert sum(sent) == place.size("a/b.npz") == 2_560_000
    assert b"".join(place.chunks("a/b.npz")) == source.read_bytes()
    assert (place.names_in("a"), place.names_in("none")) == (["b.npz"], [])
    assert (place.size("none"), place.size("a")) == (None, None)
    with pytest.raises(UserError, match=r"deep/none is not there|place/none is not there"):
        list(place.chunks("none"))


def test_what_cannot_be_reached_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere://x cannot be used: Protocol not known: nowhere\."):
        Place.of("nowhere://x")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be used"):
        Place.of(str(tmp_path / "file")).send(tmp_path / "file", "a/b")


def test_what_a_protocol_needs_is_named(monkeypatch) -> None:
    def absent(*_, **__) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", absent)
    with pytest.raises(UserError, match=r"s3://b/p needs s3fs, which is not installed: pip install"):
        Place.of("s3://b/p")


class Machine(MemoryFileSystem):
    """A file system that renames, and onto no file that is there; a line that breaks leaves half a file."""

    store: ClassVar[dict[str, Any]] = {}
    breaks = False

    def put_file(self, lpath: str, rpath: str, **options: Any) -> None:
        super().put_file(lpath, rpath, **options)
        if self.breaks:
            self.pipe(rpath, self.cat(rpath)[:3])
            raise TimeoutError("no answer")

    def mv(self, path1: str, path2: str, **options: Any) -> None:
        assert not self.exists(path2)
        super().mv(path1, path2, **options)


def test_a_file_of_another_machine_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    fs = Machine(skip_instance_cache=True)
    place = Place("sftp://host/team", fs, "/team")
    (tmp_path / "source").write_text("whole")
    for _ in range(2):
        place.send(tmp_path / "source", "m/a.json")
        assert fs.find("/team") == ["/team/m/a.json"]
    fs.breaks = True
    for name in ("m/a.json", "m/b.json"):
        with pytest.raises(UserError, match="no answer"):
            place.send(tmp_path / "source", name)
    assert {path: fs.cat(path) for path in fs.find("/team")} == {"/team/m/a.json": b"whole"}


def test_files_are_found_fetched_within_a_limit_and_removed(place: Place, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(2000))
    for name in ("two", "one", "in/three"):
        place.send(source, name)
    assert place.walk() == ["in/three", "one", "two"]
    assert (place.fetch("in/three", target, 2000), target.stat().st_size) == ("", 2000)
    assert place.fetch("one", target, 1999) == "it holds more than 2 kB"
    assert place.fetch("none", target, 2000) == "it is not there"
    place.remove("one", "in/three")
    assert place.walk() == ["two"]
    for _ in range(2):
        place.remove("two")
    assert place.names_in("") == []


def test_an_empty_text_is_no_place() -> None:
    for url in ("", " "):
        with pytest.raises(UserError, match="The place is empty, as a variable is that was not set"):
            Place.of(url)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npz")
    place = Place.of(str(tmp_path))
    assert place.names_in("") == ["a.npz"]
    for read in (lambda: list(place.chunks("a.npz")), lambda: place.fetch("a.npz", tmp_path / "target", 1)):
        with pytest.raises(UserError, match=r"a\.npz is no ordinary file\. Move it away"):
            read()


def test_sizes_are_listed_and_a_file_is_no_folder(place: Place, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(7))
    for name in ("a/b.npz", "a/deep/c.npz"):
        place.send(tmp_path / "source", name)
    assert (place.sizes_in("a"), place.sizes_in("none")) == ({"b.npz": 7}, {})
    if place.is_local:
        with pytest.raises(UserError, match=r"b\.npz is a file, where a folder is needed"):
            place.sizes_in("a/b.npz")


def test_what_killed_processes_left_half_sent_is_removed(tmp_path: Path) -> None:
    fs = Machine(skip_instance_cache=True)
    fs.store.clear()
    place = Place("sftp://host/team", fs, "/team")
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    machine = own_mark().partition("-")[0]
    mine, others = f"{machine}-{int(dead.stdout)}", "0badcafe-1"
    for mark in (mine, others, own_mark()):
        fs.pipe(f"/team/m/a.{mark}-12345678.part", b"half")
    fs.pipe("/team/m/a.npz", b"whole")
    fs.pipe("/team/m/their.part", b"?")
    place.remove_parts("m")
    left = [f"a.{others}-12345678.part", f"a.{own_mark()}-12345678.part", "a.npz", "their.part"]
    assert place.names_in("m") == sorted(left)
    fs.store[f"/team/m/{left[0]}"].modified -= timedelta(days=8)
    place.remove_parts("m")
    assert place.names_in("m") == sorted(left[1:])
    place.remove_parts("none")


def test_what_a_killed_process_left_in_a_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    (tmp_path / "m" / f".tmp-{own_mark().partition('-')[0]}-{int(dead.stdout)}-x.a.npz").write_text("half")
    (tmp_path / "m/a.npz").write_text("whole")
    place = Place.of(str(tmp_path))
    place.remove_parts("m")
    assert place.names_in("m") == ["a.npz"]
