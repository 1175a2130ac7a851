"""Tables of every form, written and read."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.spec.tables import TableForm
from competition.tables.csv_files import content_of
from competition.tables.label_table import parse_rows
from competition.tables.write import to_tags, write_table
from tests.competition.samples import other, planet
from tests.competition.tables.forms import Table, tables

QUICK = settings(max_examples=60, deadline=None)


def written(table: Table, encoding: str = "utf-8") -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        write_table(path, table.names, table.truth, table.form, table.labels)
        return path.read_text(encoding="utf-8").encode(encoding)


@QUICK
@given(tables(), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_a_table_of_any_form_is_read_as_it_was_written(table: Table, encoding: str) -> None:
    read = parse_rows(written(table, encoding), table.form, table.labels)
    assert [problem.text() for problem in read.problems] == []
    assert read.names == table.names
    for tags, row in zip(read.tags, table.truth, strict=True):
        assert sorted(tags) == sorted(label for label, carried in zip(table.labels, row, strict=True) if carried)


@QUICK
@given(tables(), st.randoms())
def test_the_order_of_columns_and_rows_and_further_columns_carry_no_meaning(table: Table, random) -> None:
    text = written(table).decode()
    rows = list(csv.reader(text.splitlines(keepends=True), delimiter=table.form.delimiter))
    order = random.sample(range(len(rows[0])), len(rows[0]))
    shuffled = [rows[0], *random.sample(rows[1:], len(rows) - 1)]
    lines = [[row[place] for place in order] + ["more?" if row is rows[0] else "x y"] for row in shuffled]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.csv"
        with path.open("w", newline="") as file:
            csv.writer(file, delimiter=table.form.delimiter).writerows(lines)
        read = parse_rows(path.read_bytes(), table.form, table.labels)
    assert read.problems == ()
    carried = {name: set(tags) for name, tags in zip(read.names, read.tags, strict=True)}
    assert carried == {
        name: {label for label, has in zip(table.labels, row, strict=True) if has}
        for name, row in zip(table.names, table.truth, strict=True)
    }


@pytest.mark.parametrize("decimals", [None, 1, 4])
@pytest.mark.parametrize(
    "form", [TableForm(id_column="id"), TableForm(id_column="id", row_id="{id}_{label}", value_column="p")]
)
def test_scores_come_back_from_pandas_to_the_digits_asked_for(
    tmp_path: Path, form: TableForm, decimals: int | None
) -> None:
    scores = np.random.default_rng(0).random((50, 3)).astype(np.float32) ** 9
    scores[0] = [-0.1, 1.1, 1]
    names, labels = [f"x_{i}" for i in range(50)], ("a", "b_a", "a,b")
    path = tmp_path / "s.csv"
    write_table(path, names, scores, form, labels, decimals=decimals)
    frame = pd.read_csv(path, dtype={"id": str})
    values = frame.drop(columns="id").to_numpy().reshape(50, 3)
    expected = np.clip(scores, 0, 1)
    if decimals is None:
        np.testing.assert_array_equal(values.astype(np.float32), expected)
    else:
        np.testing.assert_allclose(values, expected, atol=0.5000001 * 10.0**-decimals)
        cells = path.read_text().splitlines()[1].rpartition(",")[2]
        assert len(cells.partition(".")[2]) == decimals
    read = parse_rows(content_of(path), form, labels, scores=True, exact=True)
    assert read.problems == ()
    assert read.scores is not None
    np.testing.assert_array_equal(read.scores, values.astype(np.float32))


def test_columns_and_rows_stand_in_the_order_asked_for(tmp_path: Path) -> None:
    path, truth = tmp_path / "t.csv", np.array([[True, False], [False, True]])
    write_table(path, "xy", truth, TableForm(id_column="id"), "ab", columns=["b", "id", "a"])
    assert path.read_text() == "b,id,a\n0,x,1\n1,y,0\n"
    form = TableForm(id_column="id", label_column="label", value_column="value")
    pairs = [("y", "a"), ("x", "b"), ("y", "b")]
    write_table(path, "xy", truth, form, "ab", columns=["value", "label", "id"], pairs=pairs)
    assert path.read_text() == "value,label,id\n0,a,y\n0,b,x\n1,b,y\n"


def test_answers_must_fit_and_tags_are_decided(tmp_path: Path) -> None:
    form = TableForm(tags_column="tags")
    with pytest.raises(ValueError, match="do not fit 1 ids and 2 labels"):
        write_table(tmp_path / "t.csv", "x", np.zeros((1, 3), dtype=bool), form, "ab")
    with pytest.raises(ValueError, match="Tags are decided, received float"):
        write_table(tmp_path / "t.csv", "x", np.zeros((1, 2)), form, "ab")


def test_tags_are_written_in_label_order_and_parted_as_the_competition_does(tmp_path: Path) -> None:
    rows = np.zeros((2, 17), dtype=bool)
    rows[0, [16, 0, 5]] = True
    assert to_tags(rows, planet()) == ["agriculture clear water", ""]
    seabed = other(tmp_path)
    assert to_tags(np.array([[True, False, True]]), seabed) == ["sand kelp"]
    spaced = seabed.model_copy(update={"labels": ("wet sand", "rock", "kelp")})
    assert to_tags(np.array([[True, False, True]]), spaced) == ["wet sand|kelp"]
