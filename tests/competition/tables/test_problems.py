"""What is wrong with a table, as lines."""

from __future__ import annotations

from competition.tables.problems import Lines, problems_of


def test_three_examples_are_shown_and_all_are_counted() -> None:
    (problem,) = problems_of("missing ids", "abcde", "expected such as 'x'")
    assert problem.text() == "missing ids: 5 (a; b; c and 2 more), expected such as 'x'"
    assert problems_of("missing ids", []) == []


def test_a_listing_shows_the_lines_and_cuts_long_ones() -> None:
    stands = Lines(("a", "b", "a"), (2, 4, 5), f"id\na,1\n\n{'b' * 99}\r\na,2\n")
    assert list(stands.repeated()) == [2]
    (problem,) = stands.problems_of("repeated ids", [1, 2])
    assert problem.examples == (f"line 4: '{'b' * 59}…'", "line 5: 'a,2'")
    assert stands.problems_of("repeated ids", []) == []


def test_a_kind_says_what_follows_and_is_no_part_of_the_text() -> None:
    (of_cases,) = problems_of("rows without 3 cells", ["line 2: 1 cells"], kind="lost")
    (of_lines,) = Lines(("a",), (2,), "id\na,x\n").problems_of("rows with unknown tags", [0], kind="tags")
    assert (of_cases.kind, of_lines.kind, problems_of("missing ids", "a")[0].kind) == ("lost", "tags", "")
    assert of_cases.text() == "rows without 3 cells: 1 (line 2: 1 cells)"
