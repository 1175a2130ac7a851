"""Several tables read as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.spec.tables import TableForm
from competition.tables.joined import read_column, read_label_rows
from competition.tables.label_table import LabelRows

LABELS = ("sand", "rock", "kelp")
COLUMNS, TAGS = TableForm(id_column="id"), TableForm(id_column="id", tags_column="tags")


def write(folder: Path, *texts: str) -> list[Path]:
    paths = [folder / f"{name}.csv" for name in "abcd"[: len(texts)]]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def read(folder: Path, *texts: str, form: TableForm = COLUMNS) -> LabelRows:
    return read_label_rows(write(folder, *texts), form, LABELS)


def lines(table: LabelRows) -> list[str]:
    return [problem.text() for problem in table.problems]


def test_tables_with_the_same_columns_stand_below_each_other(tmp_path: Path) -> None:
    table = read(tmp_path, "id,sand,rock,kelp\nx,1,0,0\n", "kelp,id,sand,rock,more\n1,y,0,1,?\n")
    assert (table.names, lines(table)) == (("x", "y"), [])
    assert [{*tags} for tags in table.tags] == [{"sand"}, {"rock", "kelp"}]
    table = read(tmp_path, "id,tags\nx,sand\n", "id,tags\ny,\n", form=TAGS)
    assert (table.names, table.tags) == (("x", "y"), (("sand",), ()))


def test_tables_with_some_of_the_columns_are_joined_on_the_id(tmp_path: Path) -> None:
    table = read(tmp_path, "id,sand\nx,1\ny,0\n", "kelp,rock,id\n0,1,y\n1,0,x\n", "id,diver\nx,Ann\n")
    assert (table.names, lines(table)) == (("x", "y"), [])
    assert [{*tags} for tags in table.tags] == [{"sand", "kelp"}, {"rock"}]


def test_tables_can_stand_below_and_beside_each_other(tmp_path: Path) -> None:
    table = read(tmp_path, "id,sand\nx,1\n", "id,sand\ny,0\n", "id,rock,kelp\ny,1,0\nx,0,1\n")
    assert (table.names, lines(table)) == (("x", "y"), [])
    assert [{*tags} for tags in table.tags] == [{"sand", "kelp"}, {"rock"}]


def test_faults_name_the_file(tmp_path: Path) -> None:
    table = read(tmp_path, "id,tags\nx,sand\ny,mud\n", "id,tags\nx,rock\nz,kelp\nz,kelp\n", form=TAGS)
    assert lines(table) == [
        "a.csv: rows with unknown tags: 1 (line 3: 'y,mud'), received mud (1x), expected sand, rock, kelp",
        "b.csv: repeated ids: 1 (line 4: 'z,kelp')",
        "ids in several tables: 1 (x in a.csv and b.csv)",
    ]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (("id,sand,rock,kelp\nx,1,0,0\n", "id,sand,rock\ny,1,0\n"), "b.csv: missing columns: 1 ('kelp'), received the"),
        (("id,sand\nx,1\n", "id,rock\nx,1\n"), "a.csv: missing columns: 1 ('kelp'), received the columns 'id', 'sand'"),
        (("id,sand,rock,kelp\nx,1,0,0\n", "name,sand\n"), "b.csv: missing columns: 3 ('id'; 'rock'; 'kelp')"),
        (("id,sand\nx,1\n", "id,rock,kelp\ny,1,0\n"), "ids of a.csv that b.csv lacks: 1 (x)"),
        (("id,sand,rock,kelp\nx,1,0,0\n", ""), "b.csv: not a CSV file: 1 (it is empty)"),
        (("id,diver\n", "id,depth\n"), "a.csv: missing columns: 3 ('sand'; 'rock'; 'kelp')"),
    ],
)
def test_tables_that_do_not_fit_say_which_and_what(tmp_path: Path, texts: tuple[str, ...], found: str) -> None:
    table = read(tmp_path, *texts)
    assert any(line.startswith(found) for line in lines(table)), lines(table)


def test_counts_of_texts_that_the_form_explains_are_added(tmp_path: Path) -> None:
    form = COLUMNS.model_copy(update={"cells": {"": 0}})
    assert read(tmp_path, "id,sand\nx,\n", "id,rock,kelp\nx,,\n", form=form).cells == {"": 3}


def test_a_column_says_something_of_each_chip(tmp_path: Path) -> None:
    paths = write(tmp_path, "id,sand\n007,1\ny,0\n", "day,id\n d1 ,y\nd2,007\n")
    assert read_column(paths, COLUMNS, LABELS, "day") == {"y": "d1", "007": "d2"}
    form = TableForm(id_column="id", row_id="{id}_{label}", value_column="v")
    paths = write(tmp_path, "id,v,day\nx_sand,1,d1\nx_rock,0,d1\ny_1_sand,1,d2\n")
    assert read_column(paths, form, LABELS, "day") == {"x": "d1", "y_1": "d2"}


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        (("id,sand\nx,1\n",), r"a.csv: no columns 'id' and 'day'; received 'id', 'sand'\."),
        (("id,day\nx,1\nx,2\n",), r"chips with several values of day: 1 \(line 3: 'x' with '2', before with '1'\)"),
        (("id,day\nx,1\n", "id,day\nx,2\n"), r"b.csv: other day than in the tables before, of x\."),
        (("id,day\nx\n",), r"rows without 2 cells: 1 \(line 2: 1 cells\)"),
        (('id,day\nx,"1\n',), r"Cannot read .*a.csv as CSV: line 2: "),
    ],
)
def test_a_column_that_is_not_clear_is_one_line(tmp_path: Path, texts: tuple[str, ...], line: str) -> None:
    with pytest.raises(UserError, match=line):
        read_column(write(tmp_path, *texts), COLUMNS, LABELS, "day")
