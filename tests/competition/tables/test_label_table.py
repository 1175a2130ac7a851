"""Tables of labels: what stands where, and every fault with its line."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.tables.label_table import LabelRows, content_of, parse_rows
from tests.competition.samples import other, planet


def parsed(text: str) -> LabelRows:
    return parse_rows(text.encode(), planet())


def test_rows_know_their_lines_whatever_stands_between() -> None:
    table = parsed('image_name,tags\r\n\r\na,clear\r\n"b","haze\r\nroad"\r\nc,\r\n')
    assert (table.names, table.lines) == (("a", "b", "c"), (3, 5, 6))
    assert table.tags == (("clear",), ("haze", "road"), ())
    assert table.problems == ()
    assert [problem.text() for problem in table.oddities] == ["blank lines: 1 (line 2)"]


def test_labels_in_columns_are_read_as_tags(tmp_path: Path) -> None:
    table = parse_rows(b"kelp,id,more,sand,rock\n1,007,x,0,1\n0,NA,,0,0\n", other(tmp_path))
    assert table.names == ("007", "NA")
    assert table.tags == (("rock", "kelp"), ())
    assert [problem.text() for problem in table.oddities] == ["extra columns: 1 ('more')"]


def test_every_wrong_cell_is_counted_though_its_row_was_met_before(tmp_path: Path) -> None:
    rows = "".join(f"{name},0,2,\n" for name in "abcd")
    (problem,) = parse_rows(f"id,sand,rock,kelp\n{rows}".encode(), other(tmp_path)).problems
    assert problem.count == 8
    assert (
        problem.text()
        == "cells that are not 0 or 1: 8 (line 2: rock '2'; line 2: kelp ''; line 3: rock '2' and 5 more)"
    )


def test_problems_of_a_table_are_found_together() -> None:
    table = parsed("image_name,tags\na,clear\nb\na,sunny sunny\nc,haze,road\na,wet\n")
    problems = [*table.problems, *table.repeated_ids(), *table.unknown_tags(planet())]
    assert [(problem.what, problem.count) for problem in problems] == [
        ("rows without 2 cells", 2),
        ("repeated ids", 2),
        ("rows with unknown tags", 2),
    ]
    assert problems[1].examples == ("line 4: 'a,sunny sunny'", "line 6: 'a,wet'")
    assert problems[2].expected.startswith("received sunny (1x), wet (1x), expected agriculture ")


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
    (problem,) = parsed(f"image_name,tags\na,{'sunny ' * 99}\n").unknown_tags(planet())
    assert len(problem.examples[0]) < 80


def test_the_content_is_that_of_the_file_or_of_the_one_in_an_archive(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"id\n")
    with zipfile.ZipFile(tmp_path / "a.csv.zip", "w") as archive:
        archive.writestr("a.csv", b"id\n")
    assert content_of(tmp_path / "a.csv") == content_of(tmp_path / "a.csv.zip") == b"id\n"


@pytest.mark.parametrize("name", ["gone.csv", "gone.csv.zip"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"No file .*{name}"):
        content_of(tmp_path / name)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"no archive")
    for path in (tmp_path / "a.zip", tmp_path):
        with pytest.raises(UserError, match=f"Cannot read {path}: "):
            content_of(path)


def test_an_open_quote_is_named_by_the_line_on_which_it_begins() -> None:
    rows = "".join(f"chip_{i},clear\n" for i in range(900))
    table = parse_rows(f'image_name,tags\nchip,clear\n"odd,clear\n{rows}'.encode(), planet())
    assert [problem.text() for problem in table.problems] == ["not a CSV file: 1 (line 3: unexpected end of data)"]
