from __future__ import annotations

import pytest

from competition.common.errors import UserError
from competition.init.forms import (
    Wishes,
    is_binary,
    label_columns,
    of_columns,
    of_row_ids,
    of_rows,
    of_tags,
    tags_columns,
)
from competition.survey.grids import Grid


def grid(header: str, *rows: str) -> Grid:
    return Grid("t.csv", tuple(header.split(",")), [row.split(",") for row in rows])


def carried(form: object) -> dict[str, list[str]]:
    return {
        own: [label for label, yes in zip(form.labels, row, strict=True) if yes]  # type: ignore[attr-defined]
        for own, row in zip(form.ids, form.truth, strict=True)  # type: ignore[attr-defined]
    }


def test_cells_that_are_neither_0_nor_1_are_counted_and_asked_about() -> None:
    form = of_columns(grid("id,a,b", "x,1.0,-1.0", "y,,0.0", "z,-1,True"), "id", ["a", "b"])
    assert carried(form) == {"x": ["a"], "y": [], "z": ["b"]}
    assert form.entries == {"cells": {"-1": 0, "": 0}}
    assert form.remarks["cells"] == "blank in 1 cells, '-1' in 2 cells"
    assert "blank" in form.questions[0]


def test_words_for_yes_and_no_are_written_down_and_are_no_question() -> None:
    form = of_columns(grid("id,a", "x,Yes", "y,no"), "id", ["a"])
    assert (form.entries, form.questions) == ({"cells": {"yes": 1, "no": 0}}, [])
    assert carried(form) == {"x": ["a"], "y": []}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["0", "1"], True),
        (["True", "FALSE"], True),
        (["", "-1.0", "1.0"], True),
        (["", "-1"], False),
        (["0", "2"], False),
    ],
)
def test_columns_of_0_and_1_are_told(cells: list[str], expected: bool) -> None:
    assert is_binary(cells) is expected


def test_labels_are_the_columns_that_the_sample_has_too() -> None:
    table = grid("id,valid,a,b", "x,1,0,1", "y,0,1,0")
    assert label_columns(table, "id", None) == ["valid", "a", "b"]
    assert label_columns(table, "id", grid("id,b,a", "t,0,0")) == ["b", "a"]


def test_tags_have_a_word_for_none_and_numbers_are_in_numeric_order() -> None:
    form = of_tags(grid("id,t", "x,10|2", "y,No Finding", "z,2", "u,"), "id", "t", None, Wishes())
    assert form.labels == ["2", "10"]
    assert form.entries == {"tags_column": "t", "separator": "|", "none": "No Finding"}
    assert carried(form) == {"x": ["2", "10"], "y": [], "z": ["2"], "u": []}


def test_a_word_that_stands_beside_others_is_a_label() -> None:
    form = of_tags(grid("id,t", "x,none|a", "y,none", "z,a"), "id", "t", None, Wishes())
    assert form.labels == ["a", "none"]
    assert "none" not in form.entries


def test_the_separator_is_as_the_flag_says() -> None:
    form = of_tags(grid("id,t", "x,a b", "y,c"), "id", "t", None, Wishes(separator="|"))
    assert form.labels == ["a b", "c"]
    assert form.questions == ["Is the separator right? '|' occurs in no cell of 't'."]
    commas = Grid("t.csv", ("id", "t"), [["x", "a, b"], ["y", "a"], ["z", "b, a"]])
    form = of_tags(commas, "id", "t", None, Wishes(separator=";"))
    assert form.questions == ["Is the separator right? ';' occurs in no cell of 't'; ', ' in 2 rows."]
    form = of_tags(grid("id,t", "x,a b", "y,c"), "id", "t", None, Wishes(separator=" "))
    assert form.questions == []


def test_lists_as_a_program_writes_them_are_refused() -> None:
    table = Grid("t.csv", ("id", "t"), [["x", "['a', 'b']"], ["y", "['a']"]])
    with pytest.raises(UserError, match=r"t.csv, column 't': expected words between separators, received lists"):
        of_tags(table, "id", "t", None, Wishes())


def test_rows_of_one_label_are_gathered_by_chip() -> None:
    form = of_rows(grid("id,l", "x,a", "x,b", "y,b"), "id", "l", None)
    assert carried(form) == {"x": ["a", "b"], "y": ["b"]}
    form = of_rows(grid("id,l,v", "x,a,1", "x,b,0", "y,a,0", "y,b,1"), "id", "l", "v")
    assert carried(form) == {"x": ["a"], "y": ["b"]}
    assert form.entries == {"label_column": "l", "value_column": "v"}


def test_ids_of_chip_and_label_are_taken_apart() -> None:
    rows = [f"ID_{own}_{label},{int(own == label)}" for own in "abc" for label in "ab"]
    form = of_row_ids(grid("id,v", *rows), "id", {"ID_a", "ID_b", "ID_c"}, "v")
    assert form is not None
    assert form.entries == {"row_id": "{id}_{label}", "value_column": "v"}
    assert carried(form) == {"ID_a": ["a"], "ID_b": ["b"], "ID_c": []}


def test_an_id_that_names_no_label_makes_no_chip() -> None:
    rows = [f"{own}_{label},1" for own in "uvwxyz" for label in ("a", "b")]
    form = of_row_ids(grid("id,v", *rows, "other,1"), "id", set("uvwxyz"), "v")
    assert form is not None
    assert form.ids == list("uvwxyz")


def test_the_column_of_the_tags_is_told_from_what_is_known_of_a_chip() -> None:
    rows = [f"x{i},{30 + i % 9},{'MF'[i % 2]},{['a', 'b', 'a b'][i % 3]},0.{i}" for i in range(30)]
    table = grid("id,age,sex,labels,area", *rows)
    assert tags_columns(table, "id", None) == ["labels"]
    assert tags_columns(table, "id", grid("id,sex", "t,M")) == ["sex"]


def test_a_class_as_number_and_word_is_taken_as_word() -> None:
    rows = [f"x{i},{i % 3},{['oak', 'elm', 'ash'][i % 3]}" for i in range(12)]
    assert tags_columns(grid("id,label,class", *rows), "id", None) == ["class"]
