"""Stratified folds, of chips and of groups of chips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold, KFold

from competition.common.errors import UserError
from folds.dealing import stratify
from folds.dealing.stratify import MAX_SEED, _assign, grouped_stratified_folds, stratified_folds

RATES = [0.9, 0.5, 0.2, 0.05, 0.02, 0.01]
QUICK = settings(max_examples=40, deadline=None)
seeds = st.integers(0, MAX_SEED)


@st.composite
def chips(draw: st.DrawFn) -> tuple[NDArray[np.bool_], int]:
    """Truth of a few chips, and a number of folds that they fill."""
    num_chips = draw(st.integers(2, 40))
    truth = draw(arrays(bool, (num_chips, draw(st.integers(1, 4)))))
    return truth, draw(st.integers(2, min(num_chips, 7)))


@st.composite
def grouped_chips(draw: st.DrawFn) -> tuple[NDArray[np.bool_], list[int], int]:
    """Truth of a few chips, their groups, and a number of folds that the groups fill."""
    truth, k = draw(chips())
    extra = draw(st.lists(st.integers(0, 12), min_size=len(truth) - k, max_size=len(truth) - k))
    return truth, draw(st.permutations([*range(k), *extra])), k


def simulated(num_chips: int, seed: int = 0) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((num_chips, len(RATES))) < RATES


def alike_groups(truth: NDArray[np.bool_], mean_size: int) -> NDArray[np.int64]:
    """Groups of chips with like labels and geometric sizes: the hard case, and that of scenes cut into chips."""
    rng = np.random.default_rng(1)
    num_chips = len(truth)
    groups = np.empty(num_chips, dtype=np.int64)
    order = np.lexsort((rng.random(num_chips), *truth.T + (rng.random(truth.T.shape) < 0.02)))
    groups[order] = np.repeat(np.arange(num_chips), rng.geometric(1 / mean_size, num_chips))[:num_chips]
    return groups


def deviations(truth: NDArray[np.bool_], folds: NDArray[np.int64], k: int) -> NDArray[np.float64]:
    """How far each fold's share of each label is off its share in all, relatively (k, num_labels)."""
    shares = np.array([truth[folds == fold].mean(axis=0) for fold in range(k)])
    return np.abs(shares / truth.mean(axis=0) - 1)


def objective(truth: NDArray[np.bool_], folds: NDArray[np.int64], k: int) -> float:
    """Squared relative deviations of labels and chips from a k-th of all, summed plainly."""
    total = 0.0
    for column in [*truth.T, np.ones(len(truth), dtype=bool)]:
        for fold in range(k):
            if column.any():
                total += ((column & (folds == fold)).sum() / (column.sum() / k) - 1) ** 2
    return total


@QUICK
@given(chips(), seeds)
def test_every_chip_is_in_one_of_k_folds_and_none_is_empty(chips, seed):
    truth, k = chips
    folds = stratified_folds(truth, k, seed)
    assert folds.shape == (len(truth),)
    assert folds.dtype == np.int64
    assert set(folds) == set(range(k))


@QUICK
@given(grouped_chips(), seeds)
def test_groups_are_never_split_and_no_fold_is_empty(chips, seed):
    truth, groups, k = chips
    folds = grouped_stratified_folds(truth, groups, k, seed)
    assert folds.dtype == np.int64
    assert set(folds) == set(range(k))
    for group in set(groups):
        assert len(set(folds[np.array(groups) == group])) == 1


@QUICK
@given(grouped_chips(), seeds)
def test_no_single_group_could_be_moved_for_the_better(chips, seed):
    truth, groups, k = chips
    folds = grouped_stratified_folds(truth, groups, k, seed)
    reached = objective(truth, folds, k)
    for group in set(groups):
        for fold in range(k):
            moved = np.where(np.array(groups) == group, fold, folds)
            assert objective(truth, moved, k) >= reached - 1e-7


@QUICK
@given(grouped_chips(), seeds)
def test_names_of_groups_play_no_part(chips, seed):
    truth, groups, k = chips
    renamed = [f"scene {13 - group}" for group in groups]
    np.testing.assert_array_equal(
        grouped_stratified_folds(truth, groups, k, seed), grouped_stratified_folds(truth, renamed, k, seed)
    )


@QUICK
@given(grouped_chips(), seeds)
def test_without_labels_fold_sizes_differ_by_a_group_at_most(chips, seed):
    truth, groups, k = chips
    folds = grouped_stratified_folds(np.zeros_like(truth), groups, k, seed)
    sizes = np.bincount(folds, minlength=k)
    assert sizes.max() - sizes.min() <= np.unique(groups, return_counts=True)[1].max()


@QUICK
@given(chips(), seeds)
def test_the_rarest_label_is_assigned_within_one(chips, seed):
    truth, k = chips
    counts = np.column_stack([truth, np.ones(len(truth))]).astype(np.int64)
    for folds in (stratified_folds(truth, k, seed), _assign(counts, k, np.random.default_rng(seed))):
        support = truth.sum(axis=0)
        if support.any():
            rarest = np.flatnonzero(support == support[support > 0].min())
            spreads = [np.ptp(np.bincount(folds[truth[:, label]], minlength=k)) for label in rarest]
            assert min(spreads) <= 1


def test_assigning_stratifies_before_any_move():
    truth = simulated(4000)
    counts = np.column_stack([truth, np.ones(4000)]).astype(np.int64)
    folds = _assign(counts, 5, np.random.default_rng(0))
    positives = np.array([counts[folds == fold].sum(axis=0) for fold in range(5)])
    assert np.ptp(positives, axis=0).max() <= 3


def test_large_groups_are_assigned_first():
    folds = _assign(np.array([[1], [1], [1], [5], [1], [1]]), 2, np.random.default_rng(0))
    assert np.bincount(folds, weights=[1, 1, 1, 5, 1, 1]).tolist() == [5, 5]


def test_moves_better_what_assigning_left():
    truth = simulated(2000)
    groups = np.arange(2000) // 10
    counts = np.column_stack([truth, np.ones(2000)]).reshape(200, 10, -1).sum(axis=1).astype(np.int64)
    pairs = []
    for seed in range(8):
        dealt = _assign(counts, 5, np.random.default_rng(seed))[groups]
        moved = grouped_stratified_folds(truth, groups, 5, seed)
        pairs.append((objective(truth, dealt, 5), objective(truth, moved, 5)))
    assert all(after <= before for before, after in pairs)
    assert sum(after < before for before, after in pairs) > 4


def test_neighbours_in_the_file_may_meet_in_a_fold():
    truth = np.zeros((20, 1), dtype=bool)
    met = [len(set(grouped_stratified_folds(truth, range(20), 2, seed)[:2])) == 1 for seed in range(30)]
    assert 5 < sum(met) < 25


def test_groups_of_many_labels_are_moved_as_those_of_few(monkeypatch):
    truth, groups = simulated(600), np.arange(600) // 4
    whole = grouped_stratified_folds(truth, groups, 5, 0)
    monkeypatch.setattr(stratify, "MOST_DENSE", 1)
    np.testing.assert_array_equal(grouped_stratified_folds(truth, groups, 5, 0), whole)


@pytest.mark.parametrize("grouped", [False, True])
def test_a_seed_makes_the_same_folds_again_and_another_seed_others(grouped):
    truth = simulated(300)

    def deal(seed):
        return (
            grouped_stratified_folds(truth, np.arange(300) // 3, 5, seed)
            if grouped
            else stratified_folds(truth, 5, seed)
        )

    np.testing.assert_array_equal(deal(0), deal(0))
    assert (deal(0) != deal(1)).mean() > 0.5


@pytest.mark.parametrize("grouped", [False, True])
def test_single_chips_are_stratified_far_better_than_by_chance(grouped):
    truth = simulated(4000)
    folds = grouped_stratified_folds(truth, range(4000), 5, 0) if grouped else stratified_folds(truth, 5, 0)
    by_chance = np.empty(4000, dtype=np.int64)
    for fold, (_, heldout) in enumerate(KFold(5, shuffle=True, random_state=0).split(truth)):
        by_chance[heldout] = fold
    assert deviations(truth, folds, 5).max() < 0.25 * deviations(truth, by_chance, 5).max()
    sizes = np.bincount(folds)
    assert sizes.min() > 0.99 * 800
    assert sizes.max() < 1.01 * 800
    positives = np.array([truth[folds == fold].sum(axis=0) for fold in range(5)])
    assert (np.abs(positives - truth.sum(axis=0) / 5)[:, truth.sum(axis=0) < 100] <= 1).all()


def test_groups_are_stratified_far_better_than_by_group_kfold():
    truth = simulated(6000)
    groups = alike_groups(truth, mean_size=6)
    by_size = np.empty(6000, dtype=np.int64)
    for fold, (_, heldout) in enumerate(GroupKFold(5).split(truth, groups=groups)):
        by_size[heldout] = fold
    folds = grouped_stratified_folds(truth, groups, 5, 0)
    assert deviations(truth, folds, 5).max() < 0.2 * deviations(truth, by_size, 5).max()
    sizes = np.bincount(folds)
    assert sizes.min() > 0.98 * 1200
    assert sizes.max() < 1.02 * 1200


def test_a_group_larger_than_a_fold_is_allowed():
    truth = simulated(300)
    groups = np.where(np.arange(300) < 150, 0, np.arange(300))
    folds = grouped_stratified_folds(truth, groups, 5, 0)
    sizes = np.sort(np.bincount(folds))
    assert sizes[-1] == 150
    assert sizes[0] >= 35


def test_a_single_label_is_stratified():
    truth = np.arange(100)[:, None] < 10
    for folds in (stratified_folds(truth, 5, 0), grouped_stratified_folds(truth, range(100), 5, 0)):
        assert np.bincount(folds[:10], minlength=5).tolist() == [2] * 5
        assert np.bincount(folds).tolist() == [20] * 5


@pytest.mark.parametrize(
    ("k", "seed", "message"),
    [
        (1, 0, r"k must be 2 or more folds; received 1\."),
        (21, 0, r"k must be at most the number of chips, 20; received 21\."),
        (5, -1, r"The seed must be 0 to 4294967295; received -1\."),
        (5, 2**32, r"The seed must be 0 to 4294967295; received 4294967296\."),
    ],
)
def test_k_and_seed_out_of_range_are_refused(k, seed, message):
    truth = simulated(20)
    with pytest.raises(UserError, match=message):
        stratified_folds(truth, k, seed)
    with pytest.raises(UserError, match=message):
        grouped_stratified_folds(truth, range(20), k, seed)


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(UserError, match=r"5 folds need at least 5 groups; there are 4\. Choose a smaller k\."):
        grouped_stratified_folds(simulated(20), np.arange(20) % 4, 5, 0)


def test_groups_of_another_length_are_refused():
    with pytest.raises(UserError, match=r"one group for each of 20 chips; received 19 groups\."):
        grouped_stratified_folds(simulated(20), range(19), 5, 0)


@pytest.mark.parametrize("missing", [None, float("nan"), "", "  "])
def test_a_chip_without_a_group_is_refused(missing):
    groups = [*map(str, range(18)), missing, missing]
    with pytest.raises(UserError, match=r"2 of 20 chips have no group; the first is in row 18\."):
        grouped_stratified_folds(simulated(20), groups, 5, 0)


@pytest.mark.parametrize("shape", [(20,), (20, 0), (20, 2, 2)])
def test_truth_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"truth must have shape \(num_chips, num_labels\); received"):
        stratified_folds(np.zeros(shape, dtype=bool), 5, 0)
