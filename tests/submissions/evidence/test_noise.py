"""How likely labels are to be wrong."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from submissions.evidence.noise import noise_of

NUM_CHIPS = 20_000


def drawn(rate: float, sure: float = 1.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, labels and which of these were flipped; the scores are `sure` times as sure as they should be."""
    random = np.random.default_rng(seed)
    odds = np.where(random.random(NUM_CHIPS) < 0.2, 3, -6) + random.normal(0, 2.5, NUM_CHIPS)
    there = random.random(NUM_CHIPS) < expit(odds)
    flipped = random.random(NUM_CHIPS) < rate
    return expit(sure * odds), there ^ flipped, flipped


@pytest.mark.parametrize("rate", [0.01, 0.02, 0.05])
@pytest.mark.parametrize("sure", [0.4, 1.0, 1.5])
def test_the_share_of_flipped_labels_and_of_false_alarms_is_what_it_is(rate, sure):
    scores, truth, flipped = drawn(rate, sure)
    noise = noise_of(scores, truth)
    assert noise.added == pytest.approx(rate, abs=0.006)
    assert noise.dropped == pytest.approx(rate, abs=0.02)
    listed = noise.wrong >= 0.5
    assert listed.sum() > 0.5 * flipped.sum()
    assert noise.wrong[listed].mean() == pytest.approx(flipped[listed].mean(), abs=0.05)


@pytest.mark.parametrize("sure", [0.3, 0.5, 1.0, 1.5])
def test_where_no_label_was_flipped_next_to_none_is_listed_however_sure_the_scores_are(sure):
    scores, truth, _ = drawn(0.0, sure)
    assert (noise_of(scores, truth).wrong >= 0.5).sum() <= 0.001 * NUM_CHIPS


def test_smoothed_scores_are_no_noise():
    scores, truth, _ = drawn(0.0, 1.0)
    assert (noise_of(0.05 + 0.9 * scores, truth).wrong >= 0.5).sum() <= 0.001 * NUM_CHIPS


def test_sure_scores_and_equal_ones_divide_by_nothing():
    truth = np.arange(40) % 2 == 0
    for scores in (truth.astype(np.float32), np.full(40, 0.5, np.float32), 1 - truth.astype(np.float32)):
        wrong = noise_of(scores, truth).wrong
        assert np.isfinite(wrong).all()
        assert ((wrong >= 0) & (wrong <= 1)).all()
