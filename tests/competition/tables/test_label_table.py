"""Tables of labels: what stands where, and every fault with its line."""

from __future__ import annotations

import pytest

from competition.spec.tables import TableForm
from competition.tables.label_table import LabelRows, parse_rows
from tests.competition.samples import planet

SEABED = TableForm(id_column="id"), ("sand", "rock", "kelp")


def parsed(text: str) -> LabelRows:
    return parse_rows(text.encode(), planet().tables, planet().labels)


def lines(text: str, form: TableForm, labels: tuple[str, ...] = SEABED[1]) -> list[str]:
    return [problem.text() for problem in parse_rows(text.encode(), form, labels).problems]


def test_rows_know_their_lines_whatever_stands_between() -> None:
    table = parsed('image_name,tags\r\n\r\na,clear\r\n"b","haze\r\nroad"\r\nc,\r\n')
    assert (table.names, tuple(table.chips.lines)) == (("a", "b", "c"), (3, 5, 6))
    assert table.tags == (("clear",), ("haze", "road"), ())
    assert table.problems == ()
    assert [problem.text() for problem in table.oddities] == ["blank lines: 1 (line 2)"]


def test_labels_in_columns_are_read_as_tags() -> None:
    table = parse_rows(b"kelp,id,more,sand,rock\n1,007,x,0,1\n0,NA,,0,0\n", *SEABED)
    assert table.names == ("007", "NA")
    assert table.tags == (("rock", "kelp"), ())
    assert [problem.text() for problem in table.oddities] == ["extra columns: 1 ('more')"]


def test_every_wrong_cell_is_counted_though_its_row_was_met_before() -> None:
    rows = "".join(f"{name},0,2,\n" for name in "abcd")
    (problem,) = parse_rows(f"id,sand,rock,kelp\n{rows}".encode(), *SEABED).problems
    assert problem.count == 8
    assert (
        problem.text()
        == "cells that are not 0 or 1: 8 (line 2: rock '2'; line 2: kelp ''; line 3: rock '2' and 5 more)"
    )


def test_what_a_submission_may_not_hold_a_training_table_may() -> None:
    content = b"id, sand ,rock,kelp\n x ,1.0, False,0\n"
    assert parse_rows(content, *SEABED).tags == (("sand",),)
    assert parse_rows(content, *SEABED, exact=True).problems[0].text().startswith("missing columns: 1 ('sand')")
    content = b"id,sand,rock,kelp\nx,1.0,0,0\n"
    assert parse_rows(content, *SEABED, exact=True).problems[0].count == 1


def test_problems_of_a_table_are_found_together() -> None:
    table = parsed("image_name,tags\na,clear\nb\na,sunny sunny\nc,haze,road\na,wet\n")
    problems = table.problems
    assert [(problem.what, problem.count) for problem in problems] == [
        ("rows without 2 cells", 2),
        ("repeated ids", 2),
        ("rows with unknown tags", 2),
    ]
    assert problems[1].examples == ("line 4: 'a,sunny sunny'", "line 6: 'a,wet'")
    assert problems[2].expected.startswith("received sunny (1x), wet (1x), expected agriculture, ")
    assert problems[2].expected.endswith(" and 12 more")


@pytest.mark.parametrize("separator", ["|", ",", ";", "/"])
def test_the_separator_by_which_all_tags_were_known_is_named(separator: str) -> None:
    form = TableForm(id_column="id", tags_column="tags", none="nothing")
    text = f'id,tags\na,"wet sand{separator}rock"\nb,rock\nc,nothing\nd,"rock{separator} wet sand"\n'
    (line,) = lines(text, form, ("rock", "wet sand"))
    assert line.endswith(f"expected ' ' between tags, received {separator!r}: say separator = {separator!r}")
    assert "say separator" not in lines(f"{text}e,mud\n", form, ("rock", "wet sand"))[0]


def test_tags_beside_the_word_for_none_are_a_fault() -> None:
    form = TableForm(id_column="id", tags_column="tags", separator="|", none="No Finding")
    assert lines("id,tags\na,No Finding\nb,Mass\n", form, ("Mass", "Hernia")) == []
    (line,) = lines("id,tags\na,No Finding\nb,No Finding|Mass\n", form, ("Mass", "Hernia"))
    assert line.startswith("rows with tags and 'No Finding', the word for none: 1 (line 3: ")


@pytest.mark.parametrize(("mark", "entry"), [(";", '";"'), ("\t", r'"\t"'), ("|", '"|"')])
def test_the_delimiter_of_the_file_is_named_and_nothing_that_follows(mark: str, entry: str) -> None:
    text = "id,sand,rock,kelp\nx,1,0,2\n".replace(",", mark)
    (line,) = lines(text, SEABED[0])
    assert line.startswith("wrong delimiter: 1 (line 1: ")
    assert line.endswith(
        f'expected "," between cells, received {entry}: say delimiter = {entry} in the competition file'
    )
    assert lines(text.replace("2", "0"), SEABED[0].model_copy(update={"delimiter": mark})) == []


def test_a_table_of_many_labels_is_named_in_a_short_line() -> None:
    labels = tuple(f"label_{i}" for i in range(1103))
    text = "id,tags\n" + "".join(f"{i},x{i}\n" for i in range(50))
    for line in lines(text, TableForm(id_column="id", tags_column="tags"), labels) + lines(text, SEABED[0], labels):
        assert len(line) < 300


def test_rows_without_an_id_are_named() -> None:
    assert lines("id,sand,rock,kelp\n ,1,0,0\n", SEABED[0]) == ["rows without an id: 1 (line 2: ' ,1,0,0')"]


def test_a_column_without_a_name_can_hold_the_ids() -> None:
    table = parse_rows(b",sand,rock,kelp\n007,1,0,0\n", TableForm(id_column=""), SEABED[1])
    assert table.names == ("007",)


def test_scores_are_read_as_such() -> None:
    table = parse_rows(b"id,sand,rock,kelp\nx,0.5,1,0\ny,2,nan,0\n", *SEABED, scores=True)
    assert [problem.text() for problem in table.problems] == [
        "cells that are no score from 0 to 1: 2 (line 3: sand '2'; line 3: rock 'nan')"
    ]
    assert table.scores is not None
    assert table.scores[0].tolist() == [0.5, 1, 0]
    assert table.faulty == {1}


def test_a_table_that_is_none_has_no_rows_and_one_problem() -> None:
    for text in (
        "",
        "image_name,labels\na,clear\n",
        "image_name,tags,tags\n",
        'image_name,tags\na,"b',
        "image_name,tags\0",
    ):
        table = parsed(text)
        assert not table.is_table
        assert (table.names, len(table.problems)) == ((), 1)
    assert "line 2: " in parsed('image_name,tags\na,"b').problems[0].text()


def test_a_byte_order_mark_is_odd_and_no_problem() -> None:
    table = parsed("\ufeffimage_name,tags\na,clear\n")
    assert (table.names, table.problems) == (("a",), ())
    assert table.oddities[0].what.startswith("a byte order mark")


def test_a_long_row_is_cut_short() -> None:
    (problem,) = parsed(f"image_name,tags\na,{'sunny ' * 99}\n").problems
    assert len(problem.examples[0]) < 80


def test_an_open_quote_is_named_by_the_line_on_which_it_begins() -> None:
    rows = "".join(f"chip_{i},clear\n" for i in range(900))
    table = parsed(f'image_name,tags\nchip,clear\n"odd,clear\n{rows}')
    assert [problem.text() for problem in table.problems] == ["not a CSV file: 1 (line 3: unexpected end of data)"]
