from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.init.groups import find_alone, find_groups


def weather(chips: int, seed: int, others: int = 6) -> np.ndarray:
    """Truth with one of four labels each, the last of which comes alone, beside others that come as they like."""
    rng = np.random.default_rng(seed)
    which = rng.choice(4, chips, p=[0.6, 0.2, 0.15, 0.05])
    rest = rng.random((chips, others)) < np.linspace(0.05, 0.6, others)
    rest[which == 3] = False
    return np.hstack([np.eye(4, dtype=bool)[which], rest])


@pytest.mark.parametrize("seed", range(5))
def test_a_group_and_what_stands_alone_are_found(seed: int) -> None:
    truth = weather(1000, seed)
    (group,) = find_groups(truth)
    assert sorted(group.columns) == [0, 1, 2, 3]
    assert group.exceptions == ()
    assert find_alone(truth, [group]) == [3]


def test_a_handful_of_exceptions_is_counted_and_many_are_no_group() -> None:
    truth = weather(12000, 0)
    truth[7, :4] = False
    (group,) = find_groups(truth)
    assert group.exceptions == (7,)
    truth[:300, :4] = True
    assert find_groups(truth) == []


def test_two_groups_are_both_found() -> None:
    rng = np.random.default_rng(1)
    truth = np.hstack([np.eye(3, dtype=bool)[rng.integers(0, 3, 400)], np.eye(2, dtype=bool)[rng.integers(0, 2, 400)]])
    assert {tuple(sorted(group.columns)) for group in find_groups(truth)} == {(0, 1, 2), (3, 4)}


def test_one_label_each_is_one_group_of_all() -> None:
    truth = np.eye(5, dtype=bool)[np.random.default_rng(0).integers(0, 5, 40)]
    (group,) = find_groups(truth)
    assert sorted(group.columns) == [0, 1, 2, 3, 4]
    assert find_alone(truth, [group]) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(2, 9), st.floats(0.05, 0.6))
def test_chance_makes_no_groups_on_small_tables(seed: int, chips: int, labels: int, rate: float) -> None:
    truth = np.random.default_rng(seed).random((chips, labels)) < rate
    for group in find_groups(truth):
        assert len(group.columns) == labels  # all chips happen to carry one label each
        assert (truth.sum(axis=1) == 1).all()
    assert find_alone(np.eye(3, dtype=bool)[:2], []) == []


def test_many_rare_labels_take_no_time_and_no_labels_make_no_group() -> None:
    truth = np.random.default_rng(0).random((4000, 300)) < 0.01
    assert find_groups(truth) == []
    assert find_groups(np.zeros((0, 3), dtype=bool)) == find_groups(np.zeros((5, 3), dtype=bool)) == []
