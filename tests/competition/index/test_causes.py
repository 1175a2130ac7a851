"""What is likely to be wrong where chips have no file is said, with the entry that mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.index.causes import likely_cause
from competition.index.chip_index import Ids, Naming, index_chips
from tests.competition.index.test_chip_index import images_of, touch
from tests.competition.samples import forbid


def cause(folder: Path, *missing: str, ids: str = "stem", **values: object) -> str:
    images = images_of(**values)
    index = index_chips([folder], Naming(images, ids))  # type: ignore[arg-type]
    return likely_cause(missing, index, images, ids, [folder])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("files", "missing", "ids", "said"),
    [
        (["a.png", "b.png"], ["a.png", "b.png"], "stem", 'say ids = "name"'),
        (["a.png", "b.png"], ["a", "b"], "name", 'say ids = "stem"'),
        (["a.png", "x/b.png", "x/c.png"], ["x/b.png", "x/c.png"], "stem", 'say ids = "path"'),
        (["a.png", "x/b.png"], ["x/b"], "stem", 'say ids = "path_stem"'),
        (["a.png", "b.png"], ["train/a.png", "train/b.png"], "path", 'train = "."'),
        (["Ab.png"], ["aB"], "stem", "differ in capital letters"),
        (["007.png"], ["7"], "stem", "differ in leading zeros"),
        (["a.png", "b.jpg", "c.JPG"], ["b", "c"], "stem", r"2 files end in \.jpg: add it to suffix"),
        (["a.png", "b.jpg"], ["q", "r", "s", "b"], "stem", r"The folders hold files such as"),
        ([], ["q"], "stem", "The folders hold no file"),
    ],
)
def test_the_likeliest_cause_is_named(
    tmp_path: Path, files: list[str], missing: list[str], ids: str, said: str
) -> None:
    import re

    assert re.search(said, cause(touch(tmp_path, *files), *missing, ids=ids))


def test_bands_without_a_file_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a_R.png", "a_G.png", "b_R.png")
    assert cause(tmp_path, "a", "b", file="{id}_{band}") == "Some of their bands have no file: B, G."


def test_a_folder_that_cannot_be_read_is_no_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, ".DS_Store", "a.png")
    assert cause(tmp_path, "q") == "The folders hold files such as a.png."
    images = images_of()
    index = index_chips([tmp_path], Naming(images))
    forbid(monkeypatch, tmp_path)
    assert likely_cause(["q"], index, images, "stem", [tmp_path]) == "The folders hold no file."


@pytest.mark.parametrize(
    ("ids", "missing", "others", "said"),
    [
        ("stem", "a.png", ["c.PNG"], 'say ids = "name" under [tables] of the competition file.'),
        ("stem", "a.png", [], 'say ids = "name" under [tables] of the competition file.'),
        ("stem", "a.png", None, "competition file, if the ids of both tables are so."),
        (
            "stem",
            "a.png",
            ["c", "d.png", "e"],
            "names chips differently, such as c: write the ids alike in both tables.",
        ),
        ("name", "a", ["c.png"], "names chips differently, such as c.png: write the ids alike in both tables."),
        ("stem", "x/b.png", ["c"], "names chips differently, such as c: write the ids alike in both tables."),
        ("stem", "x/b", ["c"], 'say ids = "path_stem" under [tables] of the competition file.'),
    ],
)
def test_ids_are_advised_that_the_other_table_has_too(
    tmp_path: Path, ids: Ids, missing: str, others: list[str] | None, said: str
) -> None:
    images = images_of()
    index = index_chips([touch(tmp_path, "a.png", "x/b.png")], Naming(images, ids))
    assert likely_cause([missing], index, images, ids, [tmp_path], others).endswith(said)
