"""Batches: every chip once an epoch, with its labels, and never all chips at once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.backend.devices import batch_size_for
from models.inputs.augment import augment
from models.inputs.batches import Batches, Chips, Taught, TrainingBatches, drawn_order, slices, targets_of
from models.inputs.views import apply_view
from tests.models.samples import NumberedCache, array_chips, tiny_recipe

NUM_CHIPS = 41
# The labels of chip i are the binary digits of i, so that a row of labels says whose it is.
TRUTH = (np.arange(NUM_CHIPS)[:, None] >> np.arange(6) & 1).astype(bool)
POSITIONS = np.arange(3, NUM_CHIPS)


def epoch(number: int, **values) -> TrainingBatches:
    recipe = tiny_recipe(**{"batch_size": 8, "augment": ("d4", "shifts"), **values})
    return TrainingBatches(source_of(NumberedCache(NUM_CHIPS)), POSITIONS, TRUTH, recipe, number)


def source_of(cache: Any) -> Chips:
    return Chips(cache, (0, 1, 2), batch_size=4)


def order(batches: Batches) -> list[int]:
    return [int(chip[0, 0, 0]) for i in range(len(batches)) for chip in batches[i][0]]


@pytest.mark.parametrize("number", [0, 1, 7])
def test_every_training_chip_comes_once_an_epoch(number):
    batches = epoch(number)
    assert sorted(order(batches)) == POSITIONS.tolist()
    assert [len(batches[i][0]) for i in range(len(batches))] == [8, 8, 8, 8, 6]


def test_the_order_differs_between_epochs_and_seeds_and_repeats_for_the_same():
    assert order(epoch(0)) == order(epoch(0))
    orders = [order(epoch(0)), order(epoch(1)), order(epoch(2)), order(epoch(0, seed=1)), POSITIONS.tolist()]
    assert len({tuple(one) for one in orders}) == 5


def test_labels_stay_with_their_chips():
    batches = epoch(4)
    for i in range(len(batches)):
        chips, labels = batches[i]
        assert labels.dtype == np.float32
        np.testing.assert_array_equal(labels @ 2 ** np.arange(6), chips[:, 0, 0, 0])
        assert (chips == chips[:, :1, :1, :1]).all()


def test_a_batch_depends_on_seed_epoch_and_number_alone():
    """Whatever was asked for before: resumed training asks for other batches first."""
    chips = np.random.default_rng(0).integers(0, 255, (NUM_CHIPS, 4, 4, 3)).astype(np.uint8)
    cache = SimpleNamespace(read=lambda positions: chips[positions])
    recipe = tiny_recipe(batch_size=8, augment=("d4",))

    def batch(epoch: int, index: int) -> bytes:
        return TrainingBatches(source_of(cache), POSITIONS, TRUTH, recipe, epoch)[index][0].tobytes()

    assert batch(1, 2) == batch(1, 2)
    assert len({batch(epoch, index) for epoch in (0, 1) for index in (0, 1, 2)}) == 6


def test_views_are_drawn_anew_for_each_batch_and_epoch(monkeypatch):
    states = []

    def remember(chips, recipe, random, top):
        states.append(random.bit_generator.state["state"]["state"])
        return augment(chips, recipe, random, top)

    monkeypatch.setattr("models.inputs.batches.augment", remember)
    for number in (0, 1):
        order(epoch(number))
    dealing = [np.random.default_rng([0, number]).bit_generator.state["state"]["state"] for number in (0, 1)]
    assert len({*states, *dealing}) == 10 + 2


def test_held_out_chips_come_in_order_and_unchanged():
    cache = NumberedCache(NUM_CHIPS)
    batches = Batches(source_of(cache), np.array([5, 3, 30]), TRUTH, 2)
    assert order(batches) == [5, 3, 30]
    assert cache.asked == [[5, 3], [30]]


def test_no_more_chips_are_read_than_a_batch_holds():
    batches = epoch(0)
    order(batches)
    assert max(map(len, batches.source.cache.asked)) == 8


def test_chips_come_under_one_view_after_another_in_the_order_asked_for():
    source = array_chips(9)
    positions = np.array([7, 2, 5])
    seen = list(source.views(positions, ("identity", "turn90_mirror")))
    np.testing.assert_array_equal(seen[0], source.read(positions))
    np.testing.assert_array_equal(seen[1], apply_view(source.read(positions), "turn90_mirror"))
    assert all(chips.flags.c_contiguous for chips in seen)


@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_slices_are_all_of_it_in_its_order(count):
    positions = np.arange(count)[::-1]
    parts = list(slices(positions, 4))
    assert [start for start, _ in parts] == list(range(0, count, 4))
    assert [number for _, part in parts for number in part] == list(positions)


def test_batches_hold_about_as_many_pixels_whatever_the_size():
    assert [batch_size_for(size) for size in (16, 64, 224, 299, 2000)] == [1024, 512, 41, 23, 8]


# Pseudo-labels


def taught_of(weight: float = 0.5) -> Taught:
    """Return pseudo-labels of the last two of three chips that follow: of each, all labels are carried or none."""
    planes = np.zeros((3, 12), dtype=np.float32)
    planes[1, :6], planes[2, 6:] = weight, weight
    return Taught.of(TRUTH).followed_by(planes)


@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
def test_an_epoch_has_the_chips_with_pseudo_labels_too(sampling):
    drawn = drawn_order(POSITIONS, TRUTH, tiny_recipe(sampling=sampling), 0, taught_of())
    assert len(drawn) == len(POSITIONS) + 2
    assert not {NUM_CHIPS} & set(drawn.tolist())  # that has none
    if sampling == "uniform":
        assert sorted(drawn) == [*POSITIONS, NUM_CHIPS + 1, NUM_CHIPS + 2]


def test_their_targets_weigh_what_is_said_and_those_of_others_one():
    targets = targets_of(np.array([NUM_CHIPS + 2, 5, NUM_CHIPS + 1, NUM_CHIPS]), TRUTH, taught_of())
    carried, absent = targets[:, :6], targets[:, 6:]
    assert (carried + absent).tolist() == [[0.5] * 6, [1] * 6, [0.5] * 6, [0] * 6]
    assert carried[1].tolist() == TRUTH[5].tolist()
    assert carried[2].tolist() == [0.5] * 6
    assert carried[0].tolist() == [0] * 6


def test_batches_read_them_behind_the_labelled_chips():
    source = source_of(NumberedCache(NUM_CHIPS)).followed_by(source_of(NumberedCache(3)))
    batches = TrainingBatches(source, POSITIONS, TRUTH, tiny_recipe(batch_size=8, augment=()), 0, taught_of())
    drawn = drawn_order(POSITIONS, TRUTH, tiny_recipe(), 0, taught_of())
    read = np.concatenate([batches[i][0][:, 0, 0, 0] for i in range(len(batches))])
    assert read.tolist() == [position % NUM_CHIPS for position in drawn]
    assert np.concatenate([batches[i][1] for i in range(len(batches))]).shape == (len(POSITIONS) + 2, 12)
