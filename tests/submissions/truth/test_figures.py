"""Figures are what they are called; intervals over blocks hold the truth where those over cells do not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import average_precision_score, fbeta_score, precision_score, recall_score

from submissions.truth.figures import ABSENT, FEWEST, FIGURES, FOUND, MISSED, average_precision


def test_figures_are_those_of_scikit_learn():
    random = np.random.default_rng(0)
    truth, decided = random.random(500) < 0.3, random.random(500) < 0.4
    counts = np.bincount(2 * truth + decided, minlength=4)[None]
    found = {name: figure.value(counts) for name, figure in FIGURES.items()}
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
    spread = 0.1411  # of such a field, in the long run
    held = {step: {name: [] for name in FIGURES} for step in (block, 1)}
    for _ in range(200):
        there, easy = (gaussian_filter(random.normal(size=(side, side)), 2, mode="wrap") / spread for _ in range(2))
        truth, decided = there > 0.8416, easy > -0.8416  # a fifth, and of either kind four fifths, in the long run
        expected = np.array([[16, 64, 4, 16]])
        for step, hits in held.items():
            number = np.arange(side)[:, None] // step * side + np.arange(side) // step
            kind = (number * 4 + 2 * truth + decided).ravel()
            counts = np.bincount(kind, minlength=(number.max() + 1) * 4).reshape(-1, 4)
            for name, figure in FIGURES.items():
                low, high = figure.interval(counts)
                hits[name].append(low <= figure.value(expected) <= high)
    assert {name: share for name, hits in held[block].items() if (share := np.mean(hits)) < 0.83} == {}
    assert {name: share for name, hits in held[1].items() if (share := np.mean(hits)) > 0.6} == {}


def test_what_is_not_known_has_no_interval():
    counts = np.zeros((20, 4), dtype=np.int64)
    counts[:, ABSENT], counts[: FEWEST - 1, FOUND], counts[0, MISSED] = 9, 3, 1
    assert np.isnan(FIGURES["sensitivity"].interval(counts)).all()  # of too few blocks
    assert np.isnan(FIGURES["specificity"].interval(counts)).all()  # as no cell says how much blocks differ
    counts[FEWEST, FOUND] = 1
    low, high = FIGURES["sensitivity"].interval(counts)
    assert 0 < low < 13 / 14 < high < 1
