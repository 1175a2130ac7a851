"""Tables: as wide as the terminal, and no figure cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.terminal.tables import fits, folded, table

WORDS = st.text("ab [/]é雪", max_size=40)
FIGURES = st.integers(-(10**6), 10**6).map(lambda number: f"{number:,}")


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@given(st.lists(st.tuples(WORDS, WORDS, *[FIGURES] * 9), max_size=4))
def test_no_line_is_wider_than_the_terminal_and_every_figure_is_whole(rows: list[tuple[str, ...]]) -> None:
    from rich.cells import cell_len

    text = table(["name", "words", *(f"figure {number}" for number in range(9))], rows, "llr")
    assert max(map(cell_len, text.splitlines())) <= 80
    shown = text.split()
    assert all(figure in shown for row in rows for figure in row[2:])
    assert all(word in text for row in rows for word in row[1].split() if cell_len(word) < 16)


def test_columns_that_do_not_fit_follow_below_with_the_first_one() -> None:
    text = table(["model", *"abcdefgh"], [["resnet50", *["0.123456789"] * 8]])
    first, second = text.split("\n\n")
    assert [line.split()[0] for line in (first, second)] == ["model", "model"]
    assert first.splitlines()[0].split() + second.splitlines()[0].split()[1:] == ["model", *"abcdefgh"]
    assert not fits(["model", *"abcdefgh"], [["resnet50", *["0.123456789"] * 8]])


def test_what_can_be_spared_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    headers, rows = ["name", "metric", "seconds", "more"], [["a name", "0.9" * 21, "1" * 10, "2" * 10]]
    assert table(headers, rows, spare=["more", "seconds"]).splitlines()[0].split() == ["name", "metric"]
    monkeypatch.setenv("COLUMNS", "100")
    assert table(headers, rows, spare=["more", "seconds"]).splitlines()[0].split() == headers


def test_it_is_plain_where_there_is_no_terminal_and_markup_is_text() -> None:
    text = table(["name", "figure"], [["[bold]x[/bold]", 1], ["y", 20]], marked=[0])
    assert text.splitlines()[2:] == ["[bold]x[/bold]       1", "y                   20"]
    assert "\x1b" not in text


def test_a_dumb_terminal_cuts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    text = table(["name", *(f"figure {number}" for number in range(9))], [["a name", *["1234567890"] * 9]])
    assert text.splitlines()[-1].split() == ["a", "name", *["1234567890"] * 9]


def test_lines_are_folded_for_a_terminal_alone_and_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "a line of words " * 8
    assert folded(line) == line
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    lines = folded(f"{line}\nshort\n{'x' * 100}").splitlines()
    assert [len(line) <= 80 for line in lines] == [True, True, True, False]
    assert lines[2:] == ["short", "x" * 100]
