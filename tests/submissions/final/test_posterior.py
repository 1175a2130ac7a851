"""What submissions are worth in private, given noisy scores."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from submissions.final.pairs import rank_pairs
from submissions.final.posterior import Known, Sizes, draw_private
from tests.benchmarks.bench_choose import backtest

SIZES = Sizes(40_000, 20_000, 40_000)
NOISE = 0.001  # of a public score


def known(ours: list[float], public: list[float], correlation: float = 0.8) -> Known:
    count = len(ours)
    shared = np.full((count, count), correlation)
    np.fill_diagonal(shared, 1.0)
    return Known(np.array(ours), np.array(public), NOISE**2 * SIZES.public * shared, SIZES)


def means(of: Known) -> NDArray[np.float64]:
    return draw_private(of, draws=4000).mean(axis=0)


def test_scores_far_apart_are_believed_and_scores_as_near_as_noise_are_drawn_together() -> None:
    far = means(known([0.90, 0.92, 0.94, 0.96], [0.91, 0.93, 0.95, 0.97]))
    np.testing.assert_allclose(far, [0.91, 0.93, 0.95, 0.97], atol=0.001)
    near = means(known([np.nan] * 4, [0.9, 0.9003, 0.9006, 0.9009]))
    assert np.ptp(near) < 0.7 * 0.0009
    assert (np.diff(near) > 0).all()


def test_both_scores_count() -> None:
    ours = means(known([0.900, 0.901, 0.902], [0.9, 0.9, 0.9]))
    public = means(known([0.9, 0.9, 0.9], [0.900, 0.901, 0.902]))
    for found in (ours, public):
        assert (np.diff(found) > 0.0001).all()


def test_where_cross_fitted_scores_foretold_little_the_public_ones_count_more() -> None:
    random = np.random.default_rng(0)
    ours, moved = 0.9 + 0.001 * random.normal(size=(2, 12))
    foretold = known(ours.tolist(), ours.tolist())
    apart = known(ours.tolist(), moved.tolist())
    for of, weight in ((foretold, 1.0), (apart, 0.0)):
        slope = np.polyfit(ours, means(of), 1)[0]
        assert slope == pytest.approx(weight, abs=0.35)


def test_a_shift_of_all_says_nothing_of_which_is_better() -> None:
    ours, public = [0.90, 0.902, 0.901], [0.901, 0.9, 0.902]
    moved = [score - 0.05 for score in public]
    np.testing.assert_allclose(means(known(ours, moved)) + 0.05, means(known(ours, public)), atol=1e-4)


def test_those_that_agree_on_every_chip_are_worth_no_second_choice() -> None:
    of = known([0.9010, 0.9010, 0.9005], [0.9010, 0.9010, 0.9005], 0.5)
    of.per_chip[0, 1] = of.per_chip[1, 0] = of.per_chip[0, 0]
    best = rank_pairs(draw_private(of, draws=4000))[0]
    assert 2 in (best.first, best.second)


def test_the_same_scores_give_the_same_draws_and_other_seeds_others() -> None:
    of = known([0.9, 0.91], [0.9, np.nan])
    np.testing.assert_array_equal(draw_private(of, draws=50), draw_private(of, draws=50))
    assert not np.array_equal(draw_private(of, draws=50), draw_private(of, draws=50, seed=1))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="No submission has a score"):
        known([np.nan, np.nan], [np.nan, np.nan])
    with pytest.raises(ValueError, match="Shapes"):
        Known(np.zeros(2), np.zeros(3), np.eye(2), SIZES)


@pytest.mark.slow
@pytest.mark.parametrize("own_shift", [0.0003])
def test_choosing_beats_the_usual_ways_where_the_truth_is_known(own_shift: float) -> None:
    reached = backtest(own_shift, 150, seed=7)
    chosen, *usual = reached[:, :4].mean(axis=0)
    assert chosen > max(usual)
