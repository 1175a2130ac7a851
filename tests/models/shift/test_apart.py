"""Telling chips to predict from labelled ones, each by a classifier that has not seen it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.shift.apart import reduced, told_apart
from models.shift.area import area
from tests.models.shift.samples import both_of


def features(count: int, seed: int, move: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 6)) * [1, 5, 0.1, 30, 1, 0] + [move, 3, 0, -50, 0, 7]


@pytest.mark.parametrize(("move", "expected"), [(0.0, 0.5), (1.0, 0.76), (40.0, 1.0)])
def test_a_shift_is_found_as_far_as_it_goes(move: float, expected: float) -> None:
    both = both_of(features(500, 0), features(700, 1, move))
    found = area(told_apart(reduced(both), both.is_test, both.folds), both.is_test, both.folds, learnt=True)
    assert found.value == pytest.approx(expected, abs=3 * found.error + 1e-3)
    assert found.differs == (move > 0)


def test_no_chip_has_a_part_in_what_is_said_of_its_fold() -> None:
    ours, theirs = features(90, 0), features(60, 1, 1.0)
    both = both_of(ours, theirs)
    said, held = told_apart(reduced(both), both.is_test, both.folds), both.folds == 1
    turned = replace(both, is_test=np.where(held, ~both.is_test, both.is_test))  # only who they are
    np.testing.assert_array_equal(told_apart(reduced(turned), turned.is_test, turned.folds)[held], said[held])
    assert (told_apart(reduced(turned), turned.is_test, turned.folds)[~held] != said[~held]).any()


def test_where_nothing_has_shifted_areas_lie_as_far_from_a_half_as_their_errors_say() -> None:
    found = []
    for seed in range(40):
        both = both_of(features(90, seed), features(90, seed + 1000))
        found.append(area(told_apart(reduced(both), both.is_test, both.folds), both.is_test, both.folds, learnt=True))
    values, errors = np.array(found).T
    assert 0.75 < (values.std() / errors.mean()) < 1.3
    assert abs(values.mean() - 0.5) < 3 * values.std() / np.sqrt(len(values))


def test_constant_features_say_nothing() -> None:
    same = np.full((60, 4), 3.0)
    both = both_of(same, same)
    found = area(told_apart(reduced(both), both.is_test, both.folds), both.is_test, both.folds)
    assert found.value == 0.5
    assert not found.differs
