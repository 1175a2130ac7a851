"""Shares of labels by scores alone."""

from __future__ import annotations

import numpy as np
import pytest

from submissions.shares.label_shift import estimate_shares, most_likely_share
from tests.submissions.samples import draw_scores


def draw(share: float, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    truth = np.random.default_rng(seed).random((count, 1)) < share
    return truth, draw_scores(truth, seed + 100, signal=2.0)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.8])
def test_a_share_that_has_moved_is_found_by_scores_that_are_not_calibrated(share: float) -> None:
    truth, scores = draw(0.3, 6000, 0)
    _, others = draw(share, 6000, 1)
    found = estimate_shares(scores**3, truth, others**3)
    assert found.value[0] == pytest.approx(share, abs=0.03)
    assert found.low[0] <= found.value[0] <= found.high[0]
    assert 0.005 < found.high[0] - found.low[0] < 0.1


def test_the_interval_holds_the_share_about_as_often_as_it_says() -> None:
    held = []
    for seed in range(60):
        (truth, scores), (_, others) = draw(0.2, 1500, seed), draw(0.1, 1500, seed + 1000)
        found = estimate_shares(scores, truth, others, resamples=60)
        held.append(found.low[0] <= 0.1 <= found.high[0])
    assert np.mean(held) > 0.85


def test_two_bins_are_the_estimate_by_a_confusion_matrix() -> None:
    with_it, without, theirs = np.array([[20_000, 80_000]]), np.array([[90_000, 10_000]]), np.array([[62_000, 38_000]])
    by_matrix = (0.38 - 0.1) / (0.8 - 0.1)
    assert most_likely_share(with_it, without, theirs)[0] == pytest.approx(by_matrix, abs=1e-4)


def test_labels_that_cannot_be_told_have_no_share() -> None:
    truth = np.array([[True, False, True, False]] * 3 + [[False, False, True, True]] * 3)
    scores = np.full((6, 4), 0.5)
    scores[:, 3] = np.nan
    found = estimate_shares(scores, truth, scores)
    np.testing.assert_array_equal(np.isnan(found.value), [False, True, True, True])
