"""Every pair on the same draws."""

from __future__ import annotations

import numpy as np
import pytest

from submissions.final.pairs import rank_pairs


def test_the_pair_of_the_highest_better_one_comes_first_and_the_others_say_how_often_they_win() -> None:
    draws = np.array([[0.90, 0.89, 0.10], [0.10, 0.11, 0.80], [0.90, 0.80, 0.85], [0.2, 0.21, 0.1]])
    first, *others = rank_pairs(draws)
    assert {first.first, first.second} == {0, 2}
    assert (first.behind, first.wins, first.same) == (0, 0, 1)
    by_pair = {frozenset((pair.first, pair.second)): pair for pair in others}
    assert (by_pair[frozenset((0, 1))].wins, by_pair[frozenset((0, 1))].same) == (0.25, 0.5)
    assert (by_pair[frozenset((1, 2))].wins, by_pair[frozenset((1, 2))].same) == (0.25, 0.25)
    for pair in others:
        assert pair.behind == pytest.approx(first.expected - pair.expected)


def test_one_submission_is_no_pair() -> None:
    with pytest.raises(ValueError, match="two submissions"):
        rank_pairs(np.ones((3, 1)))
