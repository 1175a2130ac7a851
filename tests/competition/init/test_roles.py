from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from tests.competition.init.folders import begun, pictures, table, tagged

TAGS = ["cat dog", "cat", "dog", "fish", "fish cat", "bird"]
IDS = [f"x{i}" for i in range(24)]
ROWS = [(own, TAGS[number % 6]) for number, own in enumerate(IDS)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pictures(tmp_path / "in" / "train", [f"{own}.png" for own in IDS])
    return tmp_path / "in"


def test_the_latest_of_several_versions_is_taken_and_said(tmp_path: Path) -> None:
    folder = tagged(tmp_path / "in", dict(ROWS))
    table(folder / "train_v2.csv", ["id", "tags"], ROWS)
    table(folder / "sample_submission_v2.csv", ["id", "tags"], [(f"t{i}", "cat") for i in range(4)])
    got, found = begun(folder, tmp_path)
    assert got.tables.train == ("train_v2.csv",)
    assert got.tables.sample_submission == "sample_submission_v2.csv"
    assert any("train.csv has labels too" in question for question in found.questions)


def test_a_sample_of_any_name_is_known_by_rows_that_say_the_same(folder: Path, tmp_path: Path) -> None:
    table(folder / "a.csv", ["id", "tags"], [(f"t{i}", "cat") for i in range(4)])
    table(folder / "b.csv", ["id", "tags"], ROWS)
    pictures(folder / "more", [f"t{i}.png" for i in range(4)])
    got, _ = begun(folder, tmp_path)
    assert (got.tables.train, got.tables.sample_submission) == (("b.csv",), "a.csv")
    assert got.images["png"].test == ("more",)


def test_tables_below_each_other_are_read_as_one(folder: Path, tmp_path: Path) -> None:
    for part in range(3):
        table(folder / f"batch{part}.csv", ["id", "tags"], ROWS[part::3])
    got, found = begun(folder, tmp_path)
    assert got.tables.train == ("batch0.csv", "batch1.csv", "batch2.csv")
    assert got.labels == ("bird", "cat", "dog", "fish")
    assert len(found.labelled.form.ids) == len(IDS)


def test_tables_beside_each_other_are_read_as_one(folder: Path, tmp_path: Path) -> None:
    truth = (np.random.default_rng(0).random((len(IDS), 4)) < 0.4).astype(int)
    table(folder / "one.csv", ["id", "a", "b"], [(own, *row[:2]) for own, row in zip(IDS, truth, strict=True)])
    table(folder / "two.csv", ["id", "c", "d"], [(own, *row[2:]) for own, row in zip(IDS, truth, strict=True)])
    table(folder / "sample.csv", ["id", "a", "b", "c", "d"], [("t0", 0.5, 0.5, 0.5, 0.5)])
    got, found = begun(folder, tmp_path)
    assert (got.tables.train, got.labels) == (("one.csv", "two.csv"), ("a", "b", "c", "d"))
    form = found.labelled.form
    np.testing.assert_array_equal(form.truth[:, [form.labels.index(label) for label in "abcd"]], truth)


def test_a_table_of_other_facts_is_not_taken_for_the_labels(folder: Path, tmp_path: Path) -> None:
    table(folder / "train.csv", ["id", "tags"], ROWS)
    table(folder / "sizes.csv", ["id", "height", "width"], [(own, 480 + i, 640 - i) for i, own in enumerate(IDS)])
    table(folder / "names.csv", ["number", "meaning"], [(i, f"thing {i}") for i in range(9)])
    (folder / "README.txt").write_text("Read me, please.\n")
    got, _ = begun(folder, tmp_path)
    assert got.tables.train == ("train.csv",)


@pytest.mark.parametrize(
    ("header", "rows", "match"),
    [
        (
            ["id", "file", "tags"],
            [(own, f"{own}.png", tags) for own, tags in ROWS],
            "the id, 'id' or 'file'.*--id-column",
        ),
        (
            ["id", "kind", "hue"],
            [(own, own[-1], tags[:3]) for own, tags in ROWS],
            "holds the tags, 'kind' or 'hue'.*--tags-column",
        ),
        (["x0", "cat"], ROWS, "has no header: its first line names the picture x0"),
        (["id", "tags"], [(f"z{own}", tags) for own, tags in ROWS], "No table names the 24 pictures.*zx0.*Likely"),
        (
            ["id", "tags"],
            [(f"{own}.dcm", tags) for own, tags in ROWS],
            "ids and files have different suffixes: 'x0.dcm'.*train/x0.png",
        ),
        (["id", "area"], [(own, f"{i}.5") for i, own in enumerate(IDS)], "No table names the 24 pictures"),
    ],
)
def test_what_cannot_be_told_is_one_line_with_the_flag_that_settles_it(
    header: list[str], rows: list[tuple[str, ...]], match: str, folder: Path, tmp_path: Path
) -> None:
    table(folder / "t.csv", header, rows)
    with pytest.raises(UserError, match=match) as caught:
        begun(folder, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "found.toml").exists()


def test_flags_settle_what_cannot_be_told(folder: Path, tmp_path: Path) -> None:
    rows = [(own, f"{own}.png", tags, "ab"[i % 2]) for i, (own, tags) in enumerate(ROWS)]
    table(folder / "t.csv", ["id", "file", "kind", "hue"], rows)
    table(folder / "u.csv", ["id", "file", "kind", "other"], rows)
    got, _ = begun(folder, tmp_path, train_table="t.csv", id_column="file", tags_column="hue", metric="accuracy")
    assert (got.tables.train, got.tables.ids, got.tables.id_column) == (("t.csv",), "name", "file")
    assert (got.labels, got.metric.average) == (("a", "b"), "samples")
    with pytest.raises(UserError, match=r"Which table has the labels: .*--train-table"):
        begun(folder, tmp_path, id_column="id", tags_column="hue")


@pytest.mark.parametrize("flag", ["train_table", "sample_submission", "id_column", "tags_column", "group", "metric"])
def test_a_flag_that_names_nothing_is_refused(flag: str, folder: Path, tmp_path: Path) -> None:
    table(folder / "t.csv", ["id", "tags"], ROWS)
    with pytest.raises(UserError) as caught:
        begun(folder, tmp_path, **{flag: "nothing"})
    assert "nothing" in str(caught.value) or flag == "id_column"


def test_folders_that_say_the_class_need_a_table(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"No table of labels was found.*write such a table"):
        begun(folder, tmp_path)


def test_a_table_of_the_test_chips_is_no_sample_unless_it_has_labels(folder: Path, tmp_path: Path) -> None:
    table(folder / "train.csv", ["id", "tags"], ROWS)
    table(folder / "test.csv", ["id", "width"], [(f"t{i}", 640) for i in range(4)])
    pictures(folder / "test", [f"t{i}.png" for i in range(4)])
    got, _ = begun(folder, tmp_path)
    assert (got.tables.train, got.tables.sample_submission) == (("train.csv",), None)
    table(folder / "test.csv", ["id", "tags"], [(f"t{i}", TAGS[i]) for i in range(4)])
    got, _ = begun(folder, tmp_path)
    assert (got.tables.train, got.tables.sample_submission) == (("train.csv",), "test.csv")


def test_a_column_of_row_numbers_is_no_rival_of_the_id(tmp_path: Path) -> None:
    table(tmp_path / "in" / "train.csv", ["", "id", "tags"], [(i, i, TAGS[i % 6]) for i in range(24)])
    pictures(tmp_path / "in" / "train", [f"{i}.png" for i in range(24)])
    got, _ = begun(tmp_path / "in", tmp_path)
    assert got.tables.id_column == "id"


@pytest.mark.parametrize(
    ("wished", "match"),
    [
        ("image", r"--id-column 'image': there is no such column: t.csv has 'id', 'tags'. Column 'id' of t.csv names"),
        (
            "tags",
            r"--id-column 'tags': t.csv has it, but its cells, such as '.*', name no file such as .*. Column 'id'",
        ),
    ],
)
def test_a_wrong_column_of_ids_is_told_from_one_that_fits_no_file(
    wished: str, match: str, folder: Path, tmp_path: Path
) -> None:
    table(folder / "t.csv", ["id", "tags"], [(f"{own}.png", tags) for own, tags in ROWS])
    with pytest.raises(UserError, match=match):
        begun(folder, tmp_path, id_column=wished)
