"""Figures are what they are called; intervals over blocks hold the truth where those over cells do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import average_precision_score, fbeta_score, precision_score, recall_score

from submissions.truth.figures import ABSENT, FEWEST, FIGURES, FOUND, MISSED, average_precision, intervals


def test_figures_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    truth, decided = random.random(500) < 0.3, random.random(500) < 0.4
    counts = np.bincount(2 * truth + decided, minlength=4).astype(float)
    found = {name: float(figure(counts)) for name, figure in FIGURES.items()}
    assert found == pytest.approx(
        {
            "sensitivity": recall_score(truth, decided),
            "specificity": recall_score(~truth, ~decided),
            "precision": precision_score(truth, decided),
            "F2": fbeta_score(truth, decided, beta=2),
            "F0.5": fbeta_score(truth, decided, beta=0.5),
        }
    )


def test_average_precision_is_that_of_scikit_learn():
    random = np.random.default_rng(1)
    truth, codes = random.random(400) < 0.2, random.integers(0, 9, 400)
    counted = np.array([np.bincount(codes[truth == value], minlength=9) for value in (False, True)])
    assert average_precision(counted) == pytest.approx(average_precision_score(truth, codes))
    assert np.isnan(average_precision(np.zeros((2, 9), dtype=np.int64)))


def test_intervals_hold_the_true_value_where_neighbours_are_alike():
    random, side, block = np.random.default_rng(2), 56, 14
    spread = 0.1497  # of such a field, in the long run
    held = {block: [], 1: []}
    for _ in range(50):
        easy = gaussian_filter(random.normal(size=(side, side)), 2)
        decided = easy > -0.8416 * spread  # of all cells four fifths in the long run, whatever this field shows
        for step, hits in held.items():
            number = np.arange(side)[:, None] // step * side + np.arange(side) // step
            kind = number.ravel() * 4 + MISSED + decided.ravel()
            counts = np.bincount(kind, minlength=(number.max() + 1) * 4).reshape(-1, 4)
            low, high = intervals(counts, draws=200)["sensitivity"]
            hits.append(low <= 0.8 <= high)
    assert np.mean(held[block]) >= 0.75
    assert np.mean(held[1]) <= 0.6


def test_too_few_blocks_give_no_interval():
    counts = np.zeros((20, 4), dtype=np.int64)
    counts[:, ABSENT], counts[: FEWEST - 1, FOUND] = 9, 3
    found = intervals(counts)
    assert np.isnan(found["sensitivity"]).all()
    assert found["specificity"] == (1.0, 1.0)
    assert np.isnan(intervals(counts[: FEWEST - 1])["specificity"]).all()
