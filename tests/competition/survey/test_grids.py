from __future__ import annotations

import csv
import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.spec.tables import TableForm
from competition.survey import grids as module
from competition.survey.grids import find_separator, head_of, natural, read_grid
from competition.tables.csv_files import CsvFile

WORDS = st.text(alphabet=string.ascii_letters + string.digits + "äéß _-", min_size=1, max_size=8).map(str.strip)
CELLS = st.lists(st.lists(WORDS.filter(bool), min_size=3, max_size=3), min_size=2, max_size=8)


@given(CELLS, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_a_table_is_read_whatever_parts_its_cells_and_however_it_is_encoded(
    rows: list[list[str]], mark: str, encoding: str
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=mark).writerows([["id", "one, two", "three"], *rows])
    grid = read_grid("t.csv", text.getvalue().encode(encoding))
    assert grid.header == ("id", "one, two", "three")
    assert [list(row) for row in grid.rows] == rows
    assert (grid.delimiter, grid.torn) == (mark, 0)


def test_rows_that_are_torn_are_counted_and_lists_are_no_tables() -> None:
    grid = read_grid("t.csv", b"id, tags\n007, a b\n8\n9,c,d\n\n")
    assert grid.rows == [("007", "a b")]
    assert grid.torn == 2
    for content in (b"", b"id\na\nb\n"):
        with pytest.raises(csv.Error):
            read_grid("t.csv", content)


def test_a_table_whose_rows_say_the_same_is_constant() -> None:
    assert read_grid("t", b"id,tags\na,x\nb,x\n").is_constant
    assert not read_grid("t", b"id,tags\na,x\nb,y\n").is_constant


def test_numbers_in_names_are_in_numeric_order() -> None:
    assert sorted(["10", "2", "x1", "B8A", "B09", "B08"], key=natural) == ["2", "10", "B08", "B8A", "B09", "x1"]


@pytest.mark.parametrize(
    ("cells", "separator"),
    [
        (["clear primary", "cloudy", "haze primary water", "partly_cloudy road primary"], " "),
        (["healthy", "scab", "scab frog_eye_leaf_spot", "rust"], " "),
        (["16 0", "7 1 2 0", "5"], " "),
        (["Mass|Hernia", "No Finding", "Effusion|Mass"], "|"),
        (["Urban fabric, Pastures", "Pastures", "Urban fabric"], ", "),
        (["cat,dog", "cat", "dog"], ","),
        (["a; b", "b"], "; "),
        (["Annual Crop", "Permanent Crop", "Sea Lake", "River"], "|"),
        (["Moors, heathland and scrub", "Beaches, dunes, sands", "Transitional woodland, shrub"], "|"),
        (["cat", "dog"], " "),
    ],
)
def test_what_parts_tags_is_found_and_labels_of_several_words_stay_whole(cells: list[str], separator: str) -> None:
    assert find_separator(dict.fromkeys(cells, 3), [])[0] == separator


def test_the_sample_shows_that_a_blank_parts_tags() -> None:
    cells = dict.fromkeys(["owl kite", "kite crow"], 1)
    assert find_separator(cells, ["owl crow"]) == (" ", "in 2 rows")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_head_of_a_table_is_its_first_rows_whole(encoding: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD", 200)
    rows = [f'{i},"größe {i}{end}and, more"' for i in range(500)]
    content = (end.join(["id,text", *rows]) + end).encode(encoding)
    head = head_of(content)
    assert 50 < len(head) <= 200 * 4
    form = TableForm(encoding=encoding)
    found, whole = (list(CsvFile.parse(each, form).rows()) for each in (head, content))
    assert found == whole[: len(found)]
    assert len(found) >= 1


def test_the_head_reaches_a_second_row_and_is_all_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD", 10)
    header = b",".join(b"column%d" % i for i in range(100)) + b"\n"
    assert head_of(header + b"row 1\n" + b"row 2\n" * 1000).startswith(header + b"row 1\n")
    assert head_of(b"x" * 1000) == b"x" * 1000
    assert head_of(b'id,"a\n' + b"x\n" * 100) == b'id,"a\n' + b"x\n" * 100
    assert head_of(b"id\n") == b"id\n"
