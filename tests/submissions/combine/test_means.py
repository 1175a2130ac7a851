"""Means of members' scores, of which some may have none of a label."""

from __future__ import annotations

import numpy as np
import pytest

from submissions.combine.means import Mean, RankMean, weighted_mean
from tests.submissions.combine.members import draw_members
from tests.submissions.samples import draw_scores, draw_truth, planet


def test_the_mean_is_the_mean() -> None:
    members = np.stack([draw_scores(draw_truth(planet(), 50), seed) for seed in range(3)])
    expected = [[sum(float(member[i, j]) for member in members) / 3 for j in range(17)] for i in range(50)]
    np.testing.assert_allclose(Mean().predict(members), expected, atol=1e-7)
    np.testing.assert_array_equal(Mean().predict(members[:1]), members[0])


def test_a_weighted_mean_is_over_those_that_score_a_label():
    scores = np.array([[[0.2, 0.4]], [[0.6, np.nan]]])
    np.testing.assert_allclose(weighted_mean(scores, np.array([1.0, 3.0])), [[0.5, 0.4]])
    np.testing.assert_allclose(weighted_mean(scores, np.array([0.0, 1.0])), [[0.6, 0.4]])  # the only one there is
    with pytest.raises(ValueError, match="no member"):
        weighted_mean(scores[1:], np.ones(1))


def test_geometric_and_logit_means_are_those_of_plain_numbers() -> None:
    scores = np.array([[[0.2, 0.5]], [[0.8, 0.9]]])
    np.testing.assert_allclose(Mean("geometric").predict(scores), [[0.4, 0.45**0.5]], rtol=1e-6)
    np.testing.assert_allclose(Mean("logit").predict(scores), [[0.5, 0.75]], rtol=1e-6)  # odds 1/4 and 4; 1 and 9


def test_the_mean_of_ranks_does_not_see_how_a_member_is_scaled():
    scores, truth = draw_members()
    bent = scores.copy()
    bent[1] = bent[1] ** 3
    straight, other = (RankMean().fit(own, truth).predict(own)[:, 0].argsort().argsort() for own in (scores, bent))
    assert np.abs(straight - other).mean() < 10  # of 1,200 places


def test_the_mean_of_ranks_has_the_scale_of_the_mean() -> None:
    scores, truth = draw_members()
    ranked = RankMean().fit(scores, truth).predict(scores)
    np.testing.assert_allclose(np.sort(ranked, axis=0), np.sort(Mean().predict(scores), axis=0), atol=0.03)
