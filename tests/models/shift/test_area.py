"""The area under the ROC curve of labelled chips against those to predict."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.shift.area import FEWEST, area

RANDOM = np.random.default_rng(0)


def test_within_one_fold_it_is_that_of_scikit_learn_with_weights_and_ties() -> None:
    values, is_test = RANDOM.integers(0, 9, 300).astype(float), RANDOM.random(300) < 0.4
    weights = RANDOM.random(300)
    found = area(values, is_test, np.zeros(300, dtype=int), weights)
    assert found.value == pytest.approx(roc_auc_score(is_test, values, sample_weight=weights))


def test_chips_are_compared_within_folds_alone() -> None:
    folds = np.repeat([0, 1], 200)
    values = RANDOM.normal(size=400) + 100 * folds
    is_test = RANDOM.random(400) < np.where(folds, 0.8, 0.2)
    assert roc_auc_score(is_test, values) > 0.7
    assert abs(area(values, is_test, folds).sigmas) < 3


@pytest.mark.parametrize("weighed", [False, True])
def test_the_error_is_how_far_areas_of_the_same_kind_lie_apart(weighed: bool) -> None:
    found = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        is_test, weights = random.random(240) < 0.4, random.exponential(size=240) if weighed else None
        found.append(area(random.normal(size=240) + 0.5 * is_test, is_test, random.integers(0, 3, 240), weights))
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.15)


def test_of_few_chips_there_is_no_figure() -> None:
    is_test = np.arange(100) < FEWEST - 1
    found = area(RANDOM.normal(size=100), is_test, np.zeros(100, dtype=int))
    assert np.isnan(found.value)
    assert (found.text(), found.sigmas, found.differs) == ("", 0.0, False)
