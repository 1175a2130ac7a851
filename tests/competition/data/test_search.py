"""What a folder holds is found by name, whether it lies there or in an archive."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.data import search as module
from competition.data.search import Wanted, ends_in, held_by, search
from competition.spec.competition import Competition
from tests.competition.samples import write_archive

TABLE = b"id,a,b\nx,0,1\n"


def competition_of(train: object = "images", table: str = "train.csv", ids: str = "stem", **images: object):
    return Competition.model_validate(
        {
            "name": "leaves",
            "title": "Leaves",
            "slug": "leaves-2021",
            "labels": ["a", "b"],
            "tables": {"train": table, "id_column": "id", "ids": ids},
            "images": {"main": {"suffix": [".png", ".jpg"], "bands": "RGB", "train": train, **images}},
        }
    )


def wanted_of(*arguments: object, **options: object) -> Wanted:
    return Wanted.of(competition_of(*arguments, **options))


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(TABLE if name.endswith(".csv") else b"x")
    return folder


def test_a_path_is_a_folder_whose_last_parts_it_has(tmp_path: Path) -> None:
    put(tmp_path, "set/images/train/a.png", "images/test/b.png", "train/c.png", "images/train.csv")
    content = search(tmp_path, wanted_of(["images/train", "images/test"]))
    assert content.unpacked == {
        "images/test": [tmp_path / "images" / "test"],
        "images/train": [tmp_path / "set" / "images" / "train"],
        "train.csv": [tmp_path / "images" / "train.csv"],
    }
    assert not ends_in(["train"], "images/train")


def test_every_folder_of_a_name_is_found_by_any_of_the_suffixes(tmp_path: Path) -> None:
    put(tmp_path, "images_1/images/a.PNG", "images_2/images/b.jpg", "images_3/images/c.gif")
    assert search(tmp_path, wanted_of()).unpacked["images"] == [
        tmp_path / "images_1" / "images",
        tmp_path / "images_2" / "images",
    ]


def test_the_folder_of_all_files_may_be_the_one_with_the_chips(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "tables/train.csv")
    assert search(tmp_path, wanted_of(".")).unpacked == {
        ".": [tmp_path],
        "train.csv": [tmp_path / "tables" / "train.csv"],
    }
    assert search(tmp_path, wanted_of(".", ids="path")).unpacked["."] == [tmp_path]


def test_chips_in_folders_within_are_the_second_choice_unless_ids_are_paths(tmp_path: Path) -> None:
    put(tmp_path, "images/scene/a.png", "images/train.csv", "other/images/b.png")
    content = search(tmp_path, wanted_of())
    assert content.unpacked["images"] == [tmp_path / "other" / "images"]
    assert content.nested == {"images": [tmp_path / "images"]}
    assert content.unpacked["train.csv"] == [tmp_path / "images" / "train.csv"]
    assert search(tmp_path, wanted_of(ids="path")).unpacked["images"] == [
        tmp_path / "images",
        tmp_path / "other" / "images",
    ]


def test_a_folder_in_a_folder_of_its_name_is_the_one(tmp_path: Path) -> None:
    put(tmp_path, "images/images/2020/a.png")
    for ids in ("stem", "path"):
        content = search(tmp_path, wanted_of(ids=ids))
        assert (content.unpacked | content.nested)["images"] == [tmp_path / "images" / "images"]


def test_a_table_among_the_chips_is_found(tmp_path: Path) -> None:
    put(tmp_path, "images/a.png", "images/train.csv")
    assert search(tmp_path, wanted_of()).unpacked["train.csv"] == [tmp_path / "images" / "train.csv"]


@pytest.mark.parametrize(
    ("name", "archive", "expected"),
    [
        ("images", "images.zip", ("images", False)),
        ("images", "IMAGES.TAR.GZ", ("images", False)),
        ("images", "images_001.tar.gz", ("images", True)),
        (["images", "images_2"], "images_2.zip", ("images_2", False)),
        ("images", "images-part2.zip", ("images", True)),
        ("images", "images_small.zip", None),
        ("images", "train.csv.zip", ("train.csv", False)),
        ("images", "train.csv.tar", None),
        ("images/train", "images/train.zip", ("images/train", False)),
        ("images/train", "train.zip", None),
        (".", "x.zip", None),
    ],
)
def test_archives_are_known_by_their_names(name: object, archive: str, expected: tuple[str, bool] | None) -> None:
    assert wanted_of(name).archived_at(archive.split("/")) == expected


def test_a_list_says_what_an_archive_holds_and_others_are_known_by_their_name(tmp_path: Path) -> None:
    files = {"set/images/a.png": b"x", "set/train.csv": TABLE, "__MACOSX/set/images/._b.png": b"x", "notes.txt": b""}
    write_archive(tmp_path / "any.zip", files)
    write_archive(tmp_path / "nested.zip", {"more/images.tar.7z": b"x"})
    write_archive(tmp_path / "holiday.zip", {"beach.png": b"x"})
    write_archive(tmp_path / "leaves-2021.tar.gz", {"more/other.csv": b"x"})
    write_archive(tmp_path / "other.tar", files)
    (tmp_path / "broken.zip").write_bytes(b"PK")
    content = search(tmp_path, wanted_of())
    assert content.bundles(wanted_of()) == {
        tmp_path / "any.zip": {"images", "train.csv"},
        tmp_path / "leaves-2021.tar.gz": {"images", "train.csv"},
        tmp_path / "nested.zip": {"images"},
        tmp_path / "other.tar": {"images", "train.csv"},
    }
    write_archive(tmp_path / "whole" / "archive.zip", {"leaves-2021.zip": b"x"})
    assert held_by(tmp_path / "whole" / "archive.zip", wanted_of()) == {"images", "train.csv"}
    assert held_by(tmp_path / "holiday.zip", wanted_of(".")) == {"."}


def test_what_was_unpacked_from_archives_that_are_here_is_forgotten(tmp_path: Path) -> None:
    put(tmp_path, "data/images/a.png", "else/images/b.png")
    content = search(tmp_path, wanted_of())
    content.forget([tmp_path / "data"])
    assert content.unpacked == {"images": [tmp_path / "else" / "images"]}


def test_the_list_of_a_zip_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archive(tmp_path / "any.zip", {"set/images/a.png": b"x"})
    content, wanted = search(tmp_path, wanted_of()), wanted_of()
    first = content.bundles(wanted)
    monkeypatch.setattr(module, "held_by", lambda *_: pytest.fail("read again"))
    assert content.bundles(wanted) == first == {tmp_path / "any.zip": {"images"}}


def test_links_in_circles_and_to_themselves_lead_nowhere(tmp_path: Path) -> None:
    put(tmp_path, "set/images/a.png", "train.csv")
    (tmp_path / "set" / "again").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert search(tmp_path, wanted_of()).unpacked == {
        "images": [tmp_path / "set" / "images"],
        "train.csv": [tmp_path / "train.csv"],
    }


@pytest.mark.parametrize("outer", ["set.zip", "set.tar"])
@pytest.mark.parametrize("inner", ["deep/data.zip", "data.tar", "data.7z"])
def test_archives_in_archives_are_looked_into_whatever_they_are_called(tmp_path: Path, outer: str, inner: str) -> None:
    files = {"images/a.png": b"x", "train.csv": TABLE}
    packed = write_archive(tmp_path / "made" / inner, files).read_bytes()
    again = write_archive(tmp_path / "made" / "again.zip", {inner: packed}).read_bytes()
    for name, content in {inner: packed, "again.zip": again}.items():
        archive = write_archive(tmp_path / name.rpartition("/")[2] / outer, {name: content, "notes.txt": b""})
        assert held_by(archive, wanted_of()) == {"images", "train.csv"}
        assert search(archive.parent, wanted_of()).bundles(wanted_of()) == {archive: {"images", "train.csv"}}
    torn = write_archive(tmp_path / "torn" / outer, {inner: packed[: len(packed) // 2], "images.zip": b""})
    assert held_by(torn, wanted_of()) >= {"images"}
