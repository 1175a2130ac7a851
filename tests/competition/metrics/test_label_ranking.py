"""How well scores rank the labels of each chip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from competition.metrics import label_ranking
from tests.competition.metrics.matrices import SCORES, Matrices


@given(SCORES)
@settings(deadline=None)
def test_a_precision_is_the_share_of_carried_labels_among_those_that_score_as_much(drawn: Matrices) -> None:
    truth, scores = drawn
    ((part, found),) = label_ranking.precisions(truth, scores)
    assert part.start == 0
    for chip, label in np.ndindex(truth.shape):
        reached = scores[chip] >= scores[chip, label]
        expected = (truth[chip] & reached).sum() / reached.sum() if truth[chip, label] else 0
        assert found[chip, label] == pytest.approx(expected)


def test_chips_are_taken_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    truth, scores = random.random((7, 3)) < 0.5, random.random((7, 3))
    whole = label_ranking.precision_sums(truth, scores)
    by_label = label_ranking.precision_by_label(truth, scores)
    monkeypatch.setattr(label_ranking, "CELLS_AT_ONCE", 6)
    np.testing.assert_array_equal(label_ranking.precision_sums(truth, scores), whole)
    np.testing.assert_allclose(label_ranking.precision_by_label(truth, scores), by_label)


def test_a_label_that_no_chip_carries_has_no_precision() -> None:
    truth, scores = np.array([[True, False], [True, False]]), np.array([[0.9, 0.1], [0.1, 0.9]])
    np.testing.assert_allclose(label_ranking.precision_by_label(truth, scores), [0.75, np.nan])
