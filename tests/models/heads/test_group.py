"""A group of heads: what it begins with and is standardised by, and that of each head the best weights are kept."""

from __future__ import annotations

import numpy as np
import pytest

from models.heads import group as group_module
from models.heads.group import VARIANCE, Moments
from models.runs.training_state import Epoch
from tests.models.heads.samples import bank_of, group_of


def test_moments_are_those_of_the_training_chips():
    group = group_of()
    features = group.bank.read(group.examples.training)
    np.testing.assert_allclose(group.moments.mean, features.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(group.moments.variance, features.var(axis=0), rtol=1e-4)
    group.standardise(features, 2.0)
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(features.std(axis=0), 2, rtol=0.02)


def test_moments_of_many_chips_are_those_of_some_spread_over_all(monkeypatch):
    monkeypatch.setattr(group_module, "ENOUGH", 20)
    bank, training = bank_of(), np.arange(60)
    made = Moments.of(bank, training)
    np.testing.assert_allclose(made.mean, bank.read(training[::3]).mean(axis=0), rtol=1e-5)


def test_features_are_taken_as_they_are_without_normalisation():
    group = group_of(head_norm="none")
    features = np.ones((2, 12), np.float32)
    group.standardise(features)
    assert (features == 1).all()
    group.standardise(features, 4.0)
    assert (features == 4).all()
    assert group.moments is None


def test_a_feature_that_never_changes_is_0_and_no_number_too_large():
    bank = bank_of()
    bank.maps["identity"][0][:, 3] = 7
    group = group_of(bank=bank)
    features = group.bank.read(group.examples.heldout)
    group.standardise(features)
    assert not features[:, 3].any()
    assert group.moments.factor[3] == pytest.approx(VARIANCE**-0.5)


@pytest.mark.parametrize("members", [1, 3])
def test_heads_of_several_seeds_begin_as_each_seed_alone(members):
    several = group_of(seeds=3, seed=4, members=members)
    assert np.array_equal(several.best, several.values)
    assert not several.slots.any()
    kernels = set()
    for number in range(3):
        alone = group_of(seed=4 + number, members=members)
        for one, other in zip(several.arrays(several.values, number), alone.arrays(alone.values, 0), strict=True):
            assert np.array_equal(one, other)
        kernels.add(alone.arrays(alone.values, 0)[0].tobytes())
        assert np.array_equal(np.atleast_2d(alone.arrays(alone.values, 0)[-1])[0], alone.priors.among_chips)
    assert len(kernels) == 3


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_of_one_head_alone_the_weights_that_are_judged_are_kept(ema):
    group = group_of(seeds=3, ema=ema)
    group.values[:], group.slots[-1] = 5, 6
    group.keep(1)
    kept = [{*np.concatenate([array.ravel() for array in group.arrays(group.best, number)])} for number in range(3)]
    assert kept[1] == ({6.0} if ema else {5.0})
    assert not {5.0, 6.0} & (kept[0] | kept[2])


def test_the_best_epochs_are_kept_in_their_order_and_their_mean_is_the_result():
    group = group_of(seeds=2, swa=3)
    for number, place in ((1, 0), (2, 0), (3, 1), (4, 2), (5, 0)):  # 1; 2 1; 2 3 1; 2 3 4; 5 2 3
        group.values[:] = number
        group.states[1].add(Epoch(number - 1, 0, 0, 0, number == 5, 0, 0, 0))
        group.keep(1, place)
    weights = [{*np.concatenate([array.ravel() for array in group.arrays(row, 1)])} for row in group.kept]
    assert weights == [{5.0}, {2.0}, {3.0}]
    assert {*np.concatenate([array.ravel() for array in group.arrays(group.best, 1)])} == {np.float32(10 / 3)}
    assert not {*np.concatenate([array.ravel() for array in group.arrays(group.best, 0)])} & {5.0, 2.0, 3.0}


def test_of_fewer_epochs_than_are_averaged_all_are():
    group = group_of(swa=3)
    for number in range(2):
        group.values[:] = number
        group.states[0].add(Epoch(number, 0, 0, 0, number, 0, 0, 0))
        group.keep(0)
    assert {*group.best} == {0.5}


def test_a_group_is_over_when_each_of_its_heads_is():
    group = group_of(seeds=2, epochs=9, patience=1)
    for metric, state in zip((0.5, 0.6), group.states, strict=True):
        state.add(Epoch(0, 0, 0, 0, metric, 0, 0, 0))
    group.states[0].add(Epoch(1, 0, 0, 0, 0.4, 0, 0, 0))
    assert (group.is_head_over(0), group.is_head_over(1), group.is_over) == (True, False, False)
    assert (group.epochs, group.taken) == (2, 2 * group.steps_per_epoch)
    group.states[1].add(Epoch(1, 0, 0, 0, 0.4, 0, 0, 0))
    assert group.is_over
