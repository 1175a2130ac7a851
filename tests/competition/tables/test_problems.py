"""What is wrong with a table, as lines."""

from __future__ import annotations

from competition.tables.problems import Listing, problems_of


def test_three_examples_are_shown_and_all_are_counted() -> None:
    (problem,) = problems_of("missing ids", "abcde", "expected such as 'x'")
    assert problem.text() == "missing ids: 5 (a; b; c and 2 more), expected such as 'x'"
    assert problems_of("missing ids", []) == []


def test_a_listing_shows_the_lines_and_cuts_long_ones() -> None:
    listing = Listing(("a", "b", "a"), (2, 4, 5), f"id\na,1\n\n{'b' * 99}\r\na,2\n")
    assert listing.repeated() == [2]
    (problem,) = listing.problems_of("repeated ids", [1, 2])
    assert problem.examples == (f"line 4: '{'b' * 60}...'", "line 5: 'a,2'")
    assert listing.problems_of("repeated ids", []) == []
