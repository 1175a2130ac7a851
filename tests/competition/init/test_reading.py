from __future__ import annotations

from pathlib import Path

import pytest

from tests.competition.init.folders import begun, pictures, table

IDS = [f"x{i}" for i in range(24)]
TAGS = ["cat dog", "cat", "dog", "fish", "fish cat", "bird"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures(tmp_path / "in" / "train", [f"{own}.png" for own in IDS])
    return tmp_path / "in"


def test_a_few_chips_that_stand_twice_do_not_make_rows_of_labels(folder: Path, tmp_path: Path) -> None:
    rows = [(own, TAGS[number % 6]) for number, own in enumerate(IDS)]
    table(folder / "t.csv", ["id", "tags"], [*rows, *rows[:2]])
    got, _ = begun(folder, tmp_path)
    assert got.tables.form == "tags"


def test_rows_of_one_label_each_are_known_by_ids_that_come_again(folder: Path, tmp_path: Path) -> None:
    rows = [(own, tag, "hand") for number, own in enumerate(IDS) for tag in TAGS[number % 6].split()]
    table(folder / "t.csv", ["id", "tag", "by"], rows)
    got, found = begun(folder, tmp_path)
    assert (got.tables.label_column, got.labels) == ("tag", ("bird", "cat", "dog", "fish"))
    assert len(found.labelled.form.ids) == len(IDS)


def test_one_column_of_0_and_1_is_two_classes(folder: Path, tmp_path: Path) -> None:
    table(folder / "t.csv", ["id", "label"], [(own, number % 2) for number, own in enumerate(IDS)])
    got, _ = begun(folder, tmp_path)
    assert (got.labels, got.is_multi_class, got.tables.tags_column) == (("0", "1"), True, "label")
