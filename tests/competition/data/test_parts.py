"""Folders and archives of one name are told apart: parts of one whole, or copies of each other."""

from __future__ import annotations

from pathlib import Path

from competition.data.parts import apart, numbered_parts, parted
from competition.data.search import Content
from competition.index.chip_index import Naming
from tests.competition.data.test_search import competition_of, put
from tests.competition.samples import write_archive

IMAGES = competition_of().image_set("main")


def test_folders_that_share_a_file_name_are_copies_and_others_are_parts(tmp_path: Path) -> None:
    one, two = put(tmp_path / "1", "a.png", "b.png"), put(tmp_path / "2", "c.png")
    copy, empty = put(tmp_path / "3", "b.png", "d.png"), tmp_path / "4"
    empty.mkdir()
    assert apart([one, two, copy, empty, one], [Naming(IMAGES)]) == ([one, two], [copy], 3)
    few = put(tmp_path / "few", "a.png")
    assert apart([few, two, one], [Naming(IMAGES)]) == ([two, one], [few], 3)
    assert apart([empty], [Naming(IMAGES)]) == ([empty], [], 0)


def test_chips_of_several_files_are_counted_once(tmp_path: Path) -> None:
    images = competition_of(file="{id}_{band}").image_set("main")
    folder = put(tmp_path, "a_R.png", "a_G.png", "a_B.png", "b_R.png")
    assert apart([folder], [Naming(images)]) == ([folder], [], 2)


def test_archives_of_one_name_are_parts_if_their_lists_say_so(tmp_path: Path) -> None:
    one = write_archive(tmp_path / "1" / "images.zip", {"images/a.png": b"a", "README": b""})
    two = write_archive(tmp_path / "2" / "images.zip", {"images/b.png": b"b", "README": b""})
    copy = write_archive(tmp_path / "3" / "images.zip", {"a.png": b"a"})
    packed = write_archive(tmp_path / "1" / "images.tar.7z", {"c.png": b"a"})
    assert parted([one, two, copy, packed], [Naming(IMAGES)]) == ([one, two], [copy, packed])
    assert parted([], []) == ([], [])


def test_numbered_archives_are_parts_but_for_those_that_lie_unpacked() -> None:
    archives = [Path(f"images_{number}.tar.gz") for number in (1, 2)]
    content = Content(parts={"images": archives})
    assert numbered_parts("images", content) == archives
    content.unpacked["images"] = [Path("x/images_1/images")]
    assert numbered_parts("images", content) == archives[1:]
    content.unpacked["images"] = [Path("x/images")]
    assert numbered_parts("images", content) == []
