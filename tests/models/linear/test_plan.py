"""Inner folds: nobody is judged by a head that knows him, and one head serves two folds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.linear.plan import Plan


def plan_of(num_folds: int, chips: int = 60) -> Plan:
    return Plan.of(np.arange(chips) % num_folds, seed=0)


@given(st.integers(2, 12), st.integers(1, 3))
def test_inner_heads_learn_neither_from_the_fold_nor_from_those_they_are_judged_on(num_folds, reach):
    plan = plan_of(num_folds)
    for fold in range(num_folds):
        inner = plan.inner(fold, reach)
        assert 1 <= len(inner) <= 2 * reach
        for part, training in inner.items():
            assert plan.folds[part] != fold
            learnt = plan.positions(training)
            assert not set(learnt % num_folds) & {fold}
            assert not set(learnt) & set(plan.parts[part])
            assert len(learnt) + len(plan.parts[part]) == len(plan.positions(plan.training(fold)))


@pytest.mark.parametrize(("num_folds", "reach", "fits"), [(3, 2, 3), (4, 2, 6), (5, 2, 10), (5, 1, 5), (10, 2, 20)])
def test_an_inner_head_serves_two_folds(num_folds, reach, fits):
    plan = plan_of(num_folds)
    trainings = [training for fold in range(num_folds) for training in plan.inner(fold, reach).values()]
    assert len(set(trainings)) == fits
    assert {trainings.count(training) for training in trainings} == {2}


def test_of_two_folds_each_is_halved_by_the_seed():
    folds = np.repeat([3, 7], 20)
    plan = Plan.of(folds, seed=0)
    assert plan.folds == (3, 3, 7, 7)
    assert [len(part) for part in plan.parts] == [10] * 4
    assert sorted(np.concatenate(plan.parts)) == list(range(40))
    assert plan.inner(3, 1) == {2: (3,), 3: (2,)}
    assert not np.array_equal(plan.parts[0], Plan.of(folds, seed=1).parts[0])


def test_one_chip_to_learn_from_leaves_none_to_judge_by():
    plan = Plan.of(np.array([0, 0, 0, 1]), seed=0)
    assert plan.training(0) == (2,)
    assert plan.inner(0, 2) == {}


def test_a_fold_of_all_chips_is_refused():
    with pytest.raises(ValueError, match="fold 4 leaves no chips"):
        Plan.of(np.full(5, 4), seed=0).training(4)
