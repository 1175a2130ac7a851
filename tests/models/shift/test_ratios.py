"""What labelled chips weigh by the log odds of being to predict."""

from __future__ import annotations

import numpy as np
import pytest

from folds.store.chip_weights import effective
from models.shift.ratios import LARGEST, ratios

RANDOM = np.random.default_rng(0)
SIZE = 6000


def chips(move: float, slope: float, offset: float = 0.0, size: int = SIZE):
    """Return log odds, sides and folds of chips, of which those to predict lie `move` away; odds of any scale."""
    is_test = RANDOM.random(size) < 0.6
    place = RANDOM.normal(size=size) + move * is_test
    return place, slope * place + offset, is_test, RANDOM.integers(0, 5, size)


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (4.0, 2.0), (0.2, -3.0)])
def test_weights_are_the_ratio_of_densities_whatever_the_scale_of_the_odds(slope: float, offset: float) -> None:
    place, odds, is_test, folds = chips(0.5, slope, offset)
    weights, ours = ratios(odds, is_test, folds), place[~is_test]
    true = np.exp(0.5 * ours - 0.125)
    assert np.corrcoef(weights, true)[0, 1] > 0.95
    assert np.average(ours, weights=weights) == pytest.approx(place[is_test].mean(), abs=0.06)


def test_odds_that_say_nothing_weigh_all_chips_alike() -> None:
    _, odds, is_test, folds = chips(0.0, 1.0)
    weights = ratios(odds, is_test, folds)
    assert weights.mean() == pytest.approx(1)
    assert effective(weights) > 0.98 * len(weights)


def test_constant_odds_weigh_all_chips_the_same() -> None:
    _, odds, is_test, folds = chips(0.0, 0.0)
    np.testing.assert_allclose(ratios(odds, is_test, folds), 1, atol=0.05)


def test_no_chip_stands_for_many() -> None:
    _, odds, is_test, folds = chips(8.0, 1.0)
    weights = ratios(odds, is_test, folds)
    assert weights.min() > 0
    assert weights.max() <= LARGEST
    assert np.isfinite(weights).all()
