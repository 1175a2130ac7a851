"""Chips set aside to judge epochs by."""

from __future__ import annotations

import numpy as np
import pytest

from competition.common.errors import UserError
from folds.dealing.inner import PARTS, inner_split

TRUTH = np.random.default_rng(0).random((400, 5)) < [0.9, 0.5, 0.2, 0.1, 0.05]


def test_a_tenth_is_set_aside_with_its_share_of_every_label():
    aside = inner_split(TRUTH, None, 0)
    assert abs(aside.sum() - len(TRUTH) / PARTS) <= 1
    assert (np.abs(TRUTH[aside].sum(axis=0) - TRUTH.sum(axis=0) / PARTS) <= 1.5).all()


def test_the_seed_decides_which():
    np.testing.assert_array_equal(inner_split(TRUTH, None, 3), inner_split(TRUTH, None, 3))
    assert (inner_split(TRUTH, None, 3) != inner_split(TRUTH, None, 4)).any()


@pytest.mark.parametrize("size", [4, 150])
def test_groups_stay_whole(size):
    groups = [f"scene {row // size}" for row in range(len(TRUTH))]
    aside = inner_split(TRUTH, groups, 0)
    assert 0 < aside.sum() < len(TRUTH)
    for group in set(groups):
        assert len(set(aside[[row for row, own in enumerate(groups) if own == group]])) == 1


@pytest.mark.parametrize(("rows", "groups", "what"), [(1, None, "one chip"), (9, ["a"] * 9, "one group")])
def test_what_cannot_be_divided_is_refused(rows, groups, what):
    with pytest.raises(UserError, match=f"--monitor inner divides the chips to learn from, but they are {what}"):
        inner_split(TRUTH[:rows], groups, 0)
