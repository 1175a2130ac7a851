"""One row per chip and label."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.spec.tables import TableForm
from competition.tables.label_table import LabelRows, parse_rows
from competition.tables.pairs import pair_of_row_id

LABELS = ("any", "not_any", "a", "b_a")
BY_ID = TableForm(id_column="ID", row_id="ID_{id}_{label}", value_column="Label")
VALUED = TableForm(id_column="id", label_column="label", value_column="value", cells={"": 0})
LISTED = TableForm(id_column="id", label_column="label", none="none")


def parsed(text: str, form: TableForm, **how: bool) -> LabelRows:
    return parse_rows(text.encode(), form, LABELS, **how)


def lines(table: LabelRows) -> list[str]:
    return [problem.text() for problem in table.problems]


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("ID_x_any", ("x", "any")),
        ("ID_x_not_any", ("x", "not_any")),
        ("ID_x_1_b_a", ("x_1", "b_a")),
        ("ID_ID_x_a", ("ID_x", "a")),
        ("ID__any", None),
        ("ID_any", None),
        ("x_any", None),
        ("ID_x_other", None),
        ("ID_xany", None),
    ],
)
def test_the_longest_label_is_taken(name: str, pair: tuple[str, str] | None) -> None:
    assert pair_of_row_id(BY_ID, LABELS)(name) == pair


@settings(deadline=None)
@given(
    st.sampled_from(["{id}_{label}", "{label}_{id}", "<{label}>{id}", "{id}{label}", "{label}{id}", "p{id}-{label}s"]),
    st.text("xyz_<>-", min_size=1, max_size=6).filter(lambda name: name[0] in "xyz" and name[-1] in "xyz"),
    st.sampled_from(LABELS),
)
def test_the_id_of_a_row_is_parted_as_it_was_made(row_id: str, chip: str, label: str) -> None:
    form = BY_ID.model_copy(update={"row_id": row_id})
    assert pair_of_row_id(form, LABELS)(form.row_id_of(chip, label)) == (chip, label)


def rows_of(chip: str, *values: object) -> str:
    return "".join(f"ID_{chip}_{label},{value}\n" for label, value in zip(LABELS, values, strict=True))


def test_rows_become_chips_in_the_order_in_which_they_first_stand() -> None:
    table = parsed("ID,Label\n" + rows_of("x_2", 1, 0, 0, 1.0) + rows_of("x_1", 0, 0, "True", 0), BY_ID)
    assert (table.names, table.tags, tuple(table.chips.lines)) == (("x_2", "x_1"), (("any", "b_a"), ("a",)), (2, 6))
    assert lines(table) == []
    assert table.rows.keys[5] == ("x_1", "not_any")


def test_repeated_rows_that_agree_are_fine_and_others_are_named() -> None:
    text = "ID,Label\n" + rows_of("x", 1, 0, 0, 0) + "ID_x_any,1\nID_x_any,0\nID_x_a,0\n"
    assert lines(parsed(text, BY_ID)) == ["rows that contradict an earlier one: 1 (line 7: 'ID_x_any,0')"]
    assert [problem.what for problem in parsed(text, BY_ID, exact=True).problems] == ["repeated rows"]


def test_a_row_of_no_label_is_named_and_what_follows_from_it_is_not() -> None:
    text = "ID,Label\n" + rows_of("x", 1, 0, 0, 0).replace("ID_x_a,", "ID_x_aa,")
    assert lines(parsed(text, BY_ID)) == [
        "rows whose id names no label: 1 (line 4: 'ID_x_aa,0'), expected ID_{id}_{label} with a label such as 'any'"
    ]


def test_a_chip_without_the_row_of_a_label_is_named_unless_the_form_says_what_a_gap_means() -> None:
    text = "id,label,value\nx,a,1\ny,any,0\n"
    strict = VALUED.model_copy(update={"cells": {}})
    (line,) = lines(parsed(text, strict))
    assert line.startswith("chips without a row for a label: 2 (line 2: 'x,a,1'; line 3: 'y,any,0'), expected a row")
    table = parsed(text, VALUED)
    assert (lines(table), table.tags) == ([], (("a",), ()))


def test_labels_are_listed_and_a_word_or_a_blank_says_none() -> None:
    table = parsed("id,label\nx,a\ny,none\nx, any\nz,\n", LISTED)
    assert (table.names, table.tags, lines(table)) == (("x", "y", "z"), (("any", "a"), (), ()), [])
    assert lines(parsed("id,label\nx,aa\n,a\n", LISTED)) == [
        "rows without an id: 1 (line 3: ',a')",
        "rows with unknown tags: 1 (line 2: 'x,aa'), received aa (1x), expected any, not_any, a, b_a",
    ]


def test_wrong_cells_are_named_with_their_line() -> None:
    table = parsed("id,label,value\nx,a,2\nx,any,1\n", VALUED)
    assert lines(table) == ["cells that are not 0 or 1: 1 (line 2: '2')"]
    table = parsed("id,label,value\nx,a,2\nx,any,0.25\n", VALUED, scores=True, exact=True)
    assert lines(table) == ["cells that are no score from 0 to 1: 1 (line 2: '2')"]
    assert table.scores is not None
    assert table.scores[0, 0] == 0.25


def test_a_table_without_rows_has_no_chips() -> None:
    for form, header in ((BY_ID, "ID,Label"), (VALUED, "id,label,value"), (LISTED, "id,label")):
        assert (parsed(f"{header}\n", form).names, lines(parsed(f"{header}\n", form))) == ((), [])
