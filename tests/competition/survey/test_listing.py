from __future__ import annotations

import shutil
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.survey import listing as listing_module
from competition.survey.listing import Listing, evenly
from tests.competition.init.folders import picture, pictures, table
from tests.competition.samples import forbid, held, write_archive

FILES = {"pics/a.png": picture(1), "pics/b.png": picture(2)}


def paths(folder: Path) -> list[str]:
    with Listing.of(folder) as listing:
        return [piece.path for piece in (*listing.pictures, *listing.tables)]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".tar.7z"])
def test_an_archive_lists_as_what_unpacking_gives(suffix: str, tmp_path: Path) -> None:
    write_archive(tmp_path / f"pics{suffix}", FILES)
    write_archive(tmp_path / f"bare{suffix}", {"c.png": picture(3)})
    before = held(tmp_path)
    with Listing.of(tmp_path) as listing:
        assert [piece.path for piece in listing.pictures] == ["bare/c.png", "pics/a.png", "pics/b.png"]
        assert listing.pictures[1].read() == FILES["pics/a.png"]
        assert listing.notes == []
    assert held(tmp_path) == before


def test_an_archive_of_everything_is_listed_with_the_archives_in_it(tmp_path: Path) -> None:
    inner = write_archive(tmp_path / "made" / "train.zip", {"a.png": picture()})
    zipped = write_archive(tmp_path / "made" / "train.csv.zip", {"train.csv": b"id,tags\na,x\n"})
    folder = tmp_path / "in"
    content = {"train.zip": inner.read_bytes(), "train.csv.zip": zipped.read_bytes(), "sample.csv": b"id,tags\nt,x\n"}
    write_archive(folder / "some-competition.zip", content)
    assert paths(folder) == ["train/a.png", "sample.csv", "train.csv"]
    with Listing.of(folder) as listing:
        assert listing.pictures[0].read() == picture()
        assert listing.tables[1].read() == b"id,tags\na,x\n"


def test_what_is_unpacked_wins_over_its_archive(tmp_path: Path) -> None:
    write_archive(tmp_path / "pics.zip", FILES)
    pictures(tmp_path / "pics", ["a.png"])
    with Listing.of(tmp_path) as listing:
        assert [piece.path for piece in listing.pictures] == ["pics/a.png", "pics/b.png"]
        assert listing.pictures[0].read() == (tmp_path / "pics" / "a.png").read_bytes()


@pytest.mark.parametrize("name", ["x.zip", "x.7z", "x.tar", "x.tar.gz", "x.tar.7z"])
def test_a_damaged_archive_is_noted_and_the_rest_is_listed(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"PK\3\4 this is no archive")
    pictures(tmp_path, ["a.png"])
    with Listing.of(tmp_path) as listing:
        assert len(listing.pictures) == 1
        assert listing.notes[0].startswith(f"{name} was not read: ")
        assert "\n" not in listing.notes[0]


def test_only_the_beginning_is_unpacked_of_what_cannot_be_listed_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing_module, "MOST_STREAMED", 5)
    for name in ("a.tar.7z", "b.tar.gz"):
        write_archive(tmp_path / name, {f"{i:03d}.png": picture(i) for i in range(40)})
    with Listing.of(tmp_path) as listing:
        assert len(listing.pictures) == 10
        assert sorted(listing.partial) == ["a", "b"]


def test_what_computers_add_for_themselves_is_left_out(tmp_path: Path) -> None:
    write_archive(tmp_path / "x.zip", {"a.png": picture(), "__MACOSX/._a.png": b"", ".DS_Store": b""})
    pictures(tmp_path, [".hidden/b.png", "._c.png"])
    (tmp_path / "notes.md").write_text("-")
    with Listing.of(tmp_path) as listing:
        assert [piece.path for piece in listing.pictures] == ["x/a.png"]
        assert listing.others == {".md": 1}


def test_a_folder_of_very_many_folders_is_looked_into_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing_module, "MOST_FOLDERS", 4)
    pictures(tmp_path, [f"{i:02d}/x.png" for i in range(20)])
    assert paths(tmp_path) == ["00/x.png", "05/x.png", "10/x.png", "15/x.png"]
    with Listing.of(tmp_path) as listing:
        assert listing.partial == [""]
    assert evenly([1, 2], 4) == [1, 2]


def test_an_encrypted_archive_is_noted(tmp_path: Path) -> None:
    table(tmp_path / "t.csv", ["id", "x"], [("a", 1)])
    import py7zr

    with py7zr.SevenZipFile(tmp_path / "x.7z", "w", password="secret") as file:
        file.writestr(picture(), "a.png")
    with Listing.of(tmp_path) as listing:
        assert "encrypted" in listing.notes[0]
        assert [piece.path for piece in listing.tables] == ["t.csv"]
    assert not zipfile.is_zipfile(tmp_path / "x.7z")


def test_links_in_circles_are_not_followed_and_folders_without_end_are_noted(tmp_path: Path) -> None:
    pictures(tmp_path, ["a/x.png", "/".join("123456789") + "/y.png"])
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "a").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "b").symlink_to(tmp_path / "b")
    with Listing.of(tmp_path) as listing:
        assert [piece.path for piece in listing.pictures] == ["a/x.png", "b/a/x.png"]
        assert listing.notes == ["1/2/3/4/5/6/7/8/ was not read further: it lies 8 folders deep"]


def test_a_folder_that_cannot_be_read_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures(tmp_path, ["a/x.png", "b/y.png"])
    forbid(monkeypatch, tmp_path / "a")
    with Listing.of(tmp_path) as listing:
        assert [piece.path for piece in listing.pictures] == ["b/y.png"]
        assert listing.notes == ["a/ was not read: Permission denied"]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz", ".7z", ".tar.7z", ""])
def test_what_unpacks_to_more_than_a_table_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(listing_module, "LARGEST", 1000)
    files = {"big.csv": b"id,tags\n" + bytes(2000), "a.csv": b"id,tags\na,x\n"}
    if suffix:
        write_archive(tmp_path / f"x{suffix}", files)
    else:
        (tmp_path / "big.csv").write_bytes(files["big.csv"])
    with Listing.of(tmp_path) as listing:
        for piece in listing.tables:
            if piece.name == "big.csv" and piece.open is not None:
                with pytest.raises(UserError, match=r"big\.csv is larger than 1 kB, the most that is read\."):
                    piece.read()
        assert bool(listing.tables) == (suffix not in (".tar.gz", ".tar.7z"))
        assert listing.partial == ([] if listing.tables else ["x"])


def test_an_archive_in_an_archive_is_unpacked_where_there_is_room_and_so_many_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = write_archive(tmp_path / "made" / "inner.zip", {"a.png": picture()}).read_bytes()
    folder = tmp_path / "in"
    write_archive(folder / "all.zip", {**{f"{i}.zip": inner for i in range(5)}, "t.csv": b"id,tags\na,x\n"})
    monkeypatch.setattr(listing_module, "MOST_INNER", 3)
    with Listing.of(folder) as listing:
        assert [piece.path for piece in listing.pictures] == ["0/a.png", "1/a.png", "2/a.png"]
        assert listing.notes == ["3.zip was not read, nor others: 3 archives within archives were"]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(10))
    with Listing.of(folder) as listing:
        assert listing.pictures == []
        assert [piece.path for piece in listing.tables] == ["t.csv"]
        assert listing.notes[0].startswith("0.zip was not read: 0.zip needs ")
        assert listing.notes[0].endswith("10 bytes free. Unpack the archive that holds it")
