"""Which files a split uses, in the layouts of competitions, and what is said if they and the table differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.checks.check import check_data
from competition.checks.report import CheckReport
from competition.data.prepare import prepare
from competition.spec.load import load
from competition.workspace import Workspace
from tests.competition.checks.samples import texts
from tests.competition.samples import pixels, write_chip, write_csv

BEGINNING = """
name = "layout"
title = "Layout"
labels = ["sand", "rock"]
"""


def checked(folder: Path, tables: str, images: str, top: str = "") -> CheckReport:
    """Check the data in `folder`, described by parts of a competition file."""
    path = folder.parent / "layout.toml"
    parts = (BEGINNING, top, f'[tables]\ntrain = "train.csv"\nid_column = "id"\n{tables}', f"[images.all]\n{images}")
    path.write_text("\n".join(parts), encoding="utf-8")
    workspace = Workspace(folder.parent / "workspace", load(str(path)))
    prepare(workspace, folder)
    return check_data(workspace)


def write_layout(folder: Path, names: list[str], paths: list[str], test: list[str] | None = None) -> None:
    """Write a table of some ids, and chips at some paths."""
    write_csv(folder / "train.csv", "id,sand,rock", {name: f"{i % 2},{(i + 1) % 2}" for i, name in enumerate(names)})
    if test:
        write_csv(folder / "sample.csv", "id,sand,rock", dict.fromkeys(test, "0,1"))
    for seed, path in enumerate(paths):
        write_chip(folder / path, pixels(seed))


ALL = 'suffix = [".png", ".jpg"]\nbands = "RGB"\n'
SAMPLE = 'sample_submission = "sample.csv"'


@pytest.mark.parametrize(
    ("ids", "names", "paths"),
    [
        ("stem", ["007", "008"], ["train/007.png", "train/008.JPG", "test/1.png"]),
        ("name", ["a.png", "b.JPG"], ["train/a.png", "train/b.JPG", "test/c.png"]),
        ("path", ["x/a.png", "y/a.png"], ["train/x/a.png", "train/y/a.png", "test/z/c.png"]),
        ("path_stem", ["x/a", "y/a"], ["train/x/a.png", "train/y/a.jpg", "test/z/c.png"]),
    ],
)
def test_ids_of_every_kind_find_their_files(tmp_path: Path, ids: str, names: list[str], paths: list[str]) -> None:
    write_layout(tmp_path / "data", names, paths)
    report = checked(tmp_path / "data", f'ids = "{ids}"', ALL + 'train = ["train"]\ntest = ["test"]')
    assert report.ok
    assert not texts(report, "warning"), report.text()
    assert [(count.files, count.listed) for count in report.chips] == [(2, 2), (1, None)]


def test_train_and_test_in_one_folder_are_told_apart_by_the_tables(tmp_path: Path) -> None:
    names = [f"{i}" for i in range(6)]
    write_layout(tmp_path / "data", names[:4], [f"all/{name}.png" for name in names], names[4:])
    report = checked(tmp_path / "data", SAMPLE, ALL + 'train = ["all"]\ntest = ["all"]')
    assert not texts(report, "warning"), report.text()
    assert [(count.split, count.files, count.decoded) for count in report.chips] == [("train", 4, 4), ("test", 2, 2)]


def test_without_a_sample_the_chips_without_labels_are_the_test_chips(tmp_path: Path) -> None:
    write_layout(tmp_path / "data", ["a", "b"], [f"all/{name}.png" for name in "abcde"])
    report = checked(tmp_path / "data", "", ALL + 'train = ["all"]\ntest = ["all"]')
    assert not texts(report, "warning"), report.text()
    assert [(count.split, count.files) for count in report.chips] == [("train", 2), ("test", 3)]
    assert texts(report, "note") == [
        "The competition has no sample submission: a submission will list the test files in the order of their ids."
    ]


def test_a_file_of_a_shared_folder_that_no_table_lists_is_named_once(tmp_path: Path) -> None:
    write_layout(tmp_path / "data", ["a", "b"], [f"all/{name}.png" for name in "abcx"], ["c"])
    report = checked(tmp_path / "data", SAMPLE, ALL + 'train = ["all"]\ntest = ["all"]')
    unlisted = [text for text in texts(report, "warning") if "x" in text and "files" in text]
    assert unlisted == ["train.csv: all train files that neither it nor the sample submission lists (1): x."]


def test_ids_in_both_tables_are_named_and_not_their_pictures(tmp_path: Path) -> None:
    write_layout(tmp_path / "data", ["a", "b"], [f"all/{name}.png" for name in "abc"], ["b", "c"])
    report = checked(tmp_path / "data", SAMPLE, ALL + 'train = ["all"]\ntest = ["all"]')
    assert texts(report, "warning") == ["all: chips that stand in train and in test, one file each (1): b."]
    both = tmp_path / "both" / "data"
    write_layout(both, ["a", "b"], ["train/a.png", "train/b.png", "test/b.png"], ["b"])
    report = checked(both, SAMPLE, ALL + 'train = ["train"]\ntest = ["test"]')
    assert not texts(report, "warning"), "two chips of one id, in two folders, are two chips"


def test_a_file_per_band_is_one_chip_and_lacking_bands_are_named_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_csv(data / "train.csv", "id,sand,rock", {"a": "1,0", "b": "0,1", "c": "1,0"})
    for seed, name in enumerate("abc"):
        for number, band in enumerate(("red", "green")):
            write_chip(data / "train" / f"{name}_{band}.png", pixels(10 * seed + number, 16 << number, 1)[:, :, 0])
    images = 'suffix = ".png"\nbands = ["red", "green"]\nfile = "{id}_{band}"\ntrain = ["train"]'
    report = checked(data, "", images)
    assert report.ok
    assert report.chips[0].kinds == ("32 x 32 x 2 uint8",)
    (data / "train" / "b_green.png").unlink()
    report = checked(data, "", images)
    assert texts(report, "error") == ["all train: chips without a file of each band (1): b (green)."]
    assert not texts(report, "warning")


@pytest.mark.parametrize(
    ("names", "paths", "cause"),
    [
        (["a.png", "b.png"], ["train/a.png", "train/b.png"], 'The ids carry the suffix: say ids = "name"'),
        (["x/a", "x/b"], ["train/x/a.png", "train/x/b.png"], 'The ids are paths within the folder: say ids = "path_'),
        (["u", "v"], ["train/a.png", "train/b.png"], "The likeliest mistakes: id_column or ids under [tables]; suffix"),
    ],
)
def test_if_all_files_are_missing_one_thing_is_said(
    tmp_path: Path, names: list[str], paths: list[str], cause: str
) -> None:
    write_layout(tmp_path / "data", names, paths)
    report = checked(tmp_path / "data", "", ALL + 'train = ["train"]')
    (error,) = texts(report, "error")
    assert error.startswith(f"train.csv: none of the 2 ids has a all train file: {', '.join(names)}. ")
    assert cause in error
    assert not texts(report, "warning")


def test_tables_that_name_chips_differently_are_not_told_to_say_ids(tmp_path: Path) -> None:
    write_layout(tmp_path / "data", ["a", "b"], ["train/a.png", "train/b.png", "test/c.png"], ["c.png"])
    report = checked(tmp_path / "data", SAMPLE, ALL + 'train = ["train"]\ntest = ["test"]')
    (error,) = texts(report, "error")
    advice = "the other table names chips differently, such as a: write the ids alike in both tables."
    assert error.endswith(f"c.png. The ids carry the suffix, and {advice}")


def test_a_table_that_cannot_be_read_is_all_that_is_said(tmp_path: Path) -> None:
    write_layout(tmp_path / "data", ["a", "b"], ["train/a.png", "train/b.png"])
    (tmp_path / "data" / "train.csv").write_text("id;sand;rock\na;1;0\nb;0;1\n", encoding="utf-8")
    report = checked(tmp_path / "data", "", ALL + 'train = ["train"]')
    assert len(report.findings) == 1, report.text()
    assert "delimiter" in texts(report, "error")[0]


def test_chips_of_rows_that_cannot_be_read_are_not_called_unlisted(tmp_path: Path) -> None:
    write_layout(tmp_path / "data", ["a", "b", "c"], ["train/a.png", "train/b.png", "train/c.png"])
    with (tmp_path / "data" / "train.csv").open("a", encoding="utf-8") as file:
        file.write("d,1\n")
    write_chip(tmp_path / "data" / "train" / "d.png", pixels(9))
    report = checked(tmp_path / "data", "", ALL + 'train = ["train"]')
    assert len(report.findings) == 1, report.text()
    assert "rows without 3 cells" in texts(report, "error")[0]
