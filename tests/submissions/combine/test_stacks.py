"""Stacks: what is learnt, and what is left as it was."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from submissions.combine.means import Mean
from submissions.combine.stack_columns import Columns
from submissions.combine.stacks import PENALTIES, Boosting, Logistic, Ridge, Stack
from tests.submissions.combine.members import draw_members


def test_the_ridge_is_that_of_scikit_learn() -> None:
    scores, truth = draw_members()
    columns = StandardScaler().fit_transform(Columns().fit(scores, truth).of_all())
    expected = RidgeCV(alphas=PENALTIES).fit(columns, truth.astype(np.float32)).predict(columns)
    stacked = Ridge(Columns()).fit(scores, truth).predict(scores)
    np.testing.assert_allclose(stacked, np.clip(expected, 0, 1), atol=1e-5)


@pytest.mark.parametrize("make", [Ridge, partial(Logistic, own=True), Boosting], ids=["ridge", "logistic", "lightgbm"])
def test_a_label_that_no_chip_carries_keeps_the_mean_of_its_members(make: Callable[[Columns], Stack]) -> None:
    scores, truth = draw_members(300)
    truth[:, 1] = False
    stacked = make(Columns()).fit(scores, truth).predict(scores)
    np.testing.assert_array_equal(stacked[:, 1], Mean().predict(scores)[:, 1])
    assert (stacked[:, 0] != Mean().predict(scores)[:, 0]).any()
