"""Archives are known by their names, and a tar in a 7z is read as it is unpacked."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import py7zr
import pytest

from competition.common.packed import Writer, members, stem_of, streamed
from tests.competition.samples import write_archive


def test_the_stem_of_an_archive_is_its_name_without_its_format() -> None:
    names = ["images_01.tar.gz", "a.tar.7z", "B.ZIP", "1.2.tar", "x.csv.zip", "none"]
    assert [stem_of(name) for name in names] == ["images_01", "a", "B", "1.2", "x.csv", "none"]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with py7zr.SevenZipFile(tmp_path / "x.7z", "w") as file:
        file.writestr(os.urandom(1 << 20), "x.tar")
    return tmp_path / "x.7z"


def test_the_one_member_is_streamed_and_may_be_left_early(archive: Path) -> None:
    for size in (-1, 10):
        with py7zr.SevenZipFile(archive) as file, streamed(file) as stream:
            assert len(stream.read(size)) == (1 << 20 if size < 0 else size)


def test_what_stops_the_unpacking_goes_before_what_the_reader_made_of_it(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyError), py7zr.SevenZipFile(archive) as file, streamed(file):
        raise KeyError("the reader's own")

    def broken(*_: object, **__: object) -> None:
        raise ValueError("broken")

    monkeypatch.setattr(py7zr.SevenZipFile, "extractall", broken)
    with pytest.raises(ValueError, match="broken"), py7zr.SevenZipFile(archive) as file, streamed(file) as stream:
        tarfile.open(fileobj=stream, mode="r|").close()
    with pytest.raises(ValueError, match="broken"), py7zr.SevenZipFile(archive) as file, streamed(file) as stream:
        stream.read()


def test_a_writer_passes_on_and_counts() -> None:
    class Bar:
        count = 0

        def update(self, size: int) -> None:
            self.count += size

    bar, file = Bar(), io.BytesIO()
    assert [Writer(file, bar).write(b"abc"), Writer(None, bar).write(b"de"), Writer(file).write(b"f")] == [3, 2, 1]
    assert (bar.count, file.getvalue()) == (5, b"abcf")


@pytest.mark.parametrize(("name", "opens"), [("x.zip", True), ("x.TAR", True), ("x.7z", False), ("x.tar.gz", None)])
def test_the_list_of_an_archive_leaves_out_junk_and_opens_what_it_can(
    tmp_path: Path, name: str, opens: bool | None
) -> None:
    files = {"a/b.png": b"one", "__MACOSX/a/._b.png": b"junk", "c.csv": b"two"}
    with write_archive(tmp_path / name.lower(), files).open("rb") as file:
        found = dict(members(file, name))
        assert list(found) == ([] if opens is None else ["a/b.png", "c.csv"])
        content = {path: reader().read() for path, reader in found.items() if reader is not None}
    assert content == ({"a/b.png": b"one", "c.csv": b"two"} if opens else {})
