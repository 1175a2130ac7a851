"""The columns that stacks learn from."""

from __future__ import annotations

import numpy as np
import pytest

from competition.common.errors import UserError
from submissions.combine.stack_columns import NEIGHBOURS, Columns
from submissions.decide.log_odds import log_odds
from tests.submissions.combine.members import draw_members


def test_a_label_has_the_log_odds_of_its_members_and_the_mean_where_one_is_lacking() -> None:
    scores, truth = draw_members(50)
    scores[2, :, 1] = np.nan
    table = Columns().fit(scores, truth)
    np.testing.assert_allclose(table.of_label(0), log_odds(scores[:, :, 0]).T, rtol=1e-6)
    np.testing.assert_allclose(table.of_label(1)[:, 2], log_odds(scores[:2, :, 1].mean(axis=0)), rtol=1e-4)
    assert table.of_all().shape == (50, 3 * 4)


def test_extras_tell_of_groups_doubt_and_disagreement() -> None:
    scores = np.array([[[0.5, 0.25, 0.5]], [[0.5, 0.75, 0.5]]], dtype=np.float32)
    extra = Columns(["groups", "entropy", "spread"], [[0, 1]]).of(scores).extra[0]
    np.testing.assert_allclose(extra, [1.0, np.log(2), 0.0, 0.25, 0.0], rtol=1e-6)


def test_neighbours_of_chips_fitted_to_are_others() -> None:
    scores, truth = draw_members(200)
    columns = Columns(["neighbours"])
    fitted = columns.fit(scores, truth).extra
    # Asked again like strangers, the chips find themselves as the nearest: one neighbour of all is another.
    assert 0 < np.abs(columns.of(scores).extra - fitted).max() <= 1 / NEIGHBOURS + 1e-6
    assert np.corrcoef(fitted[:, 0], truth[:, 0])[0, 1] > 0.3


def test_an_unknown_extra_is_named() -> None:
    with pytest.raises(UserError, match=r"Unknown extra column 'entropie'. Known: entropy, groups"):
        Columns(["entropie"])
