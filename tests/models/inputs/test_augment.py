"""What is drawn at random of an epoch's chips: views, shifts, colours, mixtures and rare labels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.common.errors import UserError
from models.inputs.augment import Span, augment, balanced_order, mix
from models.inputs.views import apply_view
from models.recipes.view_sets import AUGMENTATIONS, D4
from tests.models.samples import tiny_recipe

CHIP = np.arange(5 * 5 * 2, dtype=np.uint16).reshape(1, 5, 5, 2)
SPANS = {np.uint8: Span(), np.uint16: Span(65535.0), np.float32: Span(65535.0)}
GEOMETRIC = ("d4", "flips", "quarter_turns")
seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def changed(chips: np.ndarray, *kinds: str, seed: int = 0, **values) -> np.ndarray:
    return augment(chips, tiny_recipe(augment=kinds, **values), drawn(seed), SPANS[chips.dtype.type])


def view_of(chip: np.ndarray) -> str:
    """Return which view of `CHIP` a chip is."""
    return next(view for view in D4 if np.array_equal(apply_view(CHIP, view), chip))


def noise(dtype: type, shape: tuple[int, ...] = (6, 8, 8, 3), top: int = 256, seed: int = 0) -> np.ndarray:
    return drawn(seed).integers(0, top, shape).astype(dtype)


# Views and shifts


@pytest.mark.parametrize("kinds", [("d4",), ("flips", "quarter_turns"), ("shifts",), ("d4", "shifts", "photometric")])
@pytest.mark.parametrize("dtype", SPANS)
def test_augmentation_depends_on_its_seed_alone(kinds, dtype):
    chips = np.repeat(CHIP, 20, axis=0).astype(dtype)
    kept = chips.copy()
    one, same, other = (changed(chips, *kinds, seed=seed, shift=0.4) for seed in (1, 1, 2))
    assert (one.shape, one.dtype) == (chips.shape, chips.dtype)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(chips, kept)


@pytest.mark.parametrize("kind", GEOMETRIC)
def test_every_chip_has_a_view_of_its_own_out_of_all_there_are(kind):
    views = [view_of(chip[None]) for chip in changed(np.repeat(CHIP, 200, axis=0), kind)]
    assert set(views) == set(AUGMENTATIONS[kind])
    counts = [views.count(view) for view in AUGMENTATIONS[kind]]
    assert min(counts) > 0.4 * 200 / len(counts)


def test_augmented_chips_stay_in_their_places():
    chips = np.stack([CHIP[0] + 1000 * number for number in range(30)])
    seen = changed(chips, "d4", "shifts", shift=0.2)
    np.testing.assert_array_equal(seen.min(axis=(1, 2, 3)) // 1000, np.arange(30))
    np.testing.assert_array_equal(seen.max(axis=(1, 2, 3)) // 1000, np.arange(30))


def test_no_augmentation_leaves_chips_as_they_are():
    np.testing.assert_array_equal(changed(CHIP), CHIP)
    np.testing.assert_array_equal(changed(CHIP, "shifts", shift=0.0), CHIP)
    np.testing.assert_array_equal(changed(CHIP, "photometric", jitter=0.0), CHIP)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shifts_keep_size_and_type_and_stay_within_the_margin(dtype):
    size, margin = 20, 3
    places = np.stack(np.mgrid[:size, :size], axis=-1).astype(dtype)[None]
    seen = changed(np.repeat(places, 300, axis=0), "shifts", shift=margin / size)
    assert (seen.shape, seen.dtype) == ((300, size, size, 2), dtype)
    middle = seen[:, size // 2, size // 2].astype(int) - size // 2
    assert {tuple(shift) for shift in middle} == set(itertools.product(range(-margin, margin + 1), repeat=2))
    # Away from what the shift uncovered, the whole chip moved alike.
    inside = seen[:, margin:-margin, margin:-margin].astype(int) - places[:, margin:-margin, margin:-margin].astype(int)
    np.testing.assert_array_equal(inside, np.broadcast_to(middle[:, None, None], inside.shape))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_what_a_shift_uncovers_mirrors_the_border(share):
    size, num_chips = 10, 200
    places = np.stack(np.mgrid[:size, :size], axis=-1).astype(np.uint8)[None]
    seen = changed(np.repeat(places, num_chips, axis=0), "shifts", shift=share)
    margin = min(round(share * size), size - 1)
    mirrored = np.pad(np.arange(size), margin, mode="reflect")
    allowed = {tuple(mirrored[start:][:size]) for start in range(2 * margin + 1)}
    rows, columns = seen[..., 0], seen[..., 1]
    assert (rows == rows[:, :, :1]).all()
    assert (columns == columns[:, :1]).all()
    assert {tuple(chip) for chip in rows[:, :, 0]} == {tuple(chip) for chip in columns[:, 0]} == allowed


# Colours


@pytest.mark.parametrize("dtype", SPANS)
def test_photometric_changes_go_both_ways_and_leave_the_mean_of_all(dtype):
    chips = np.repeat(noise(dtype, (1, 16, 16, 3), int(0.7 * SPANS[dtype].top)), 400, axis=0)
    seen = changed(chips, "photometric", jitter=0.2)
    means = seen.mean(axis=(1, 2, 3), dtype=float) / chips[0].mean(dtype=float)
    assert abs(means.mean() - 1) < 0.03
    assert means.min() < 0.9
    assert means.max() > 1.1
    assert abs(means - 1).max() < 0.35


def test_photometric_changes_contrast_and_single_bands_too():
    chips = np.repeat(noise(np.uint8, (1, 16, 16, 3), 150) + np.uint8(20), 100, axis=0)
    seen = changed(chips, "photometric", jitter=0.2).astype(float)
    spread = seen.std(axis=(1, 2, 3)) / seen.mean(axis=(1, 2, 3))
    assert spread.max() > 1.2 * spread.min()
    warmth = seen[..., 0].mean(axis=(1, 2)) / seen[..., 2].mean(axis=(1, 2))
    assert 1.03 < warmth.max() / warmth.min() < (1.05 / 0.95) ** 2


@pytest.mark.parametrize("dtype", SPANS)
def test_photometric_changes_keep_the_order_of_values_and_saturate(dtype):
    top = int(SPANS[dtype].top)
    ramp = np.linspace(0, top, 256).astype(dtype).reshape(1, 16, 16, 1)
    seen = changed(np.repeat(ramp, 50, axis=0), "photometric", jitter=0.5).reshape(50, -1)
    assert (np.diff(seen.astype(float), axis=1) >= 0).all()
    assert seen.min() == 0
    assert seen.max() == top
    assert (seen[:, -1] == top).mean() > 0.2  # the bright end is cut off, and does not begin again at 0


@pytest.mark.parametrize("value", [0, 1, 255])
def test_chips_of_one_value_stay_of_one_value_a_band(value):
    seen = changed(np.full((20, 6, 6, 3), value, dtype=np.uint8), "photometric", jitter=0.9)
    assert (seen == seen[:, :1, :1]).all()
    assert value or not seen.any()


def test_tables_and_arithmetic_change_values_alike():
    chips = noise(np.uint8, (4, 8, 8, 4))
    seen = changed(chips, "photometric", jitter=0.3)
    floats = augment(chips.astype(np.float32), tiny_recipe(augment=("photometric",), jitter=0.3), drawn(), Span())
    assert floats.dtype == np.float32
    np.testing.assert_allclose(seen, floats, atol=0.501)


# Mixtures


@given(seed=seeds, alpha=st.sampled_from([0.1, 0.4, 1.0, 5.0]), num_chips=st.integers(1, 9), kind=st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_mixup_blends_chips_and_targets_by_the_same_weights(seed, alpha, num_chips, kind):
    dtype, shape = [
        (np.uint8, (4, 4, 3)), (np.uint16, (4, 4, 4)), (np.float32, (4, 4, 3)), (np.float16, (12,)), (np.float32, (12,))
    ][kind]  # fmt: skip
    chips = noise(dtype, (num_chips, *shape), seed=seed)
    targets = np.eye(num_chips, dtype=bool)  # one label per chip, so that a row of targets says what is in the mixture
    mixed, weights = mix(chips, targets, tiny_recipe(mixup=alpha), drawn(seed))
    assert (mixed.shape, mixed.dtype, weights.dtype) == (chips.shape, dtype, np.float32)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    expected = np.einsum("ij,j...->i...", weights.astype(float), chips.astype(float))
    within = 0.5001 if np.issubdtype(dtype, np.integer) else 0.2 if dtype == np.float16 else 1e-3
    np.testing.assert_allclose(mixed.astype(float), expected, atol=within)


@given(seed=seeds, alpha=st.sampled_from([0.1, 1.0, 5.0]), size=st.integers(1, 12), num_chips=st.integers(2, 6))
@settings(max_examples=60, deadline=None)
def test_cutmix_mixes_targets_by_area(seed, alpha, size, num_chips):
    numbers = np.arange(num_chips, dtype=np.uint8)
    chips = np.broadcast_to(numbers[:, None, None, None], (num_chips, size, size, 3))
    mixed, weights = mix(chips, np.eye(num_chips, dtype=bool), tiny_recipe(cutmix=alpha), drawn(seed))
    assert (mixed.shape, mixed.dtype, weights.dtype) == (chips.shape, np.uint8, np.float32)
    shares = (mixed[..., 0, None] == numbers).mean(axis=(1, 2))
    np.testing.assert_allclose(weights, shares, atol=1e-6)
    for number, chip in enumerate(mixed[..., 0]):  # what was pasted is one rectangle
        pasted = chip != number
        assert pasted.sum() == pasted.any(axis=0).sum() * pasted.any(axis=1).sum()


def test_pasted_rectangles_keep_their_place():
    chips = np.stack([np.arange(64, dtype=np.uint8).reshape(8, 8, 1)] * 5)
    np.testing.assert_array_equal(mix(chips, np.eye(5), tiny_recipe(cutmix=1.0), drawn())[0], chips)


def test_weights_are_drawn_for_each_pair_and_have_the_mean_of_their_distribution():
    for values in ({"mixup": 0.4}, {"cutmix": 1.0}):
        _, weights = mix(np.zeros((2000, 16, 16, 1), np.uint8), np.eye(2000), tiny_recipe(**values), drawn())
        kept = weights.diagonal()
        assert len(set(kept)) > 50
        # A square of side s is cut off at the border to (s - s²/4)² on average, where s² is uniform: 0.32.
        assert abs(kept.mean() - (0.5 if "mixup" in values else 0.68)) < 0.03


def test_both_mixtures_take_turns():
    chips = np.stack([np.full((8, 8, 1), value, dtype=np.uint8) for value in (0, 200, 0, 200)])
    recipe = tiny_recipe(mixup=1.0, cutmix=1.0)
    blended = [len(np.unique(mix(chips, np.eye(4), recipe, drawn(seed))[0])) > 2 for seed in range(100)]
    assert 30 < sum(blended) < 70


@pytest.mark.parametrize("values", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0}])
def test_mixing_depends_on_its_seed_alone(values):
    chips, truth = noise(np.uint8), noise(np.uint8, (6, 4), 2).astype(bool)
    kept = chips.copy()
    one, same, other = (mix(chips, truth, tiny_recipe(**values), drawn(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one[0], same[0])
    np.testing.assert_array_equal(one[1], same[1])
    assert not np.array_equal(one[0], other[0])
    np.testing.assert_array_equal(chips, kept)


def test_without_mixing_chips_and_targets_are_what_they_were():
    chips, truth = noise(np.uint8), noise(np.uint8, (6, 4), 2).astype(bool)
    mixed, targets = mix(chips, truth, tiny_recipe(), drawn())
    np.testing.assert_array_equal(mixed, chips)
    np.testing.assert_array_equal(targets, truth)
    assert targets.dtype == np.float32


def test_rectangles_cannot_be_pasted_into_features():
    with pytest.raises(UserError, match=r"received the features .* Give --cutmix 0"):
        mix(np.zeros((4, 10), np.float16), np.eye(4), tiny_recipe(cutmix=1.0), drawn())


# Rare labels


def labels_with(*num_positives: int, num_chips: int = 400) -> np.ndarray:
    """Return truth whose labels have so many positives, at random."""
    truth = np.zeros((num_chips, len(num_positives)), dtype=bool)
    for label, number in enumerate(num_positives):
        truth[drawn(label).choice(num_chips, number, replace=False), label] = True
    return truth


def test_every_second_chip_of_a_balanced_epoch_carries_a_rare_label_in_equal_shares():
    truth, positions = labels_with(300, 3, 200, 30, 0, 7), np.arange(0, 400)
    order = balanced_order(truth, positions, drawn())
    assert len(order) == len(positions)
    # Of five labels with positives the three rarest: numbers 1, 5 and 3.
    drawn_rare, rare = order[1::2], truth[:, [1, 3, 5]]
    assert rare[drawn_rare].any(axis=1).all()
    counts = np.bincount(drawn_rare, minlength=400)
    for label, share in zip((1, 5, 3), (67, 67, 66), strict=True):
        of_it_alone = counts[truth[:, label] & (rare.sum(axis=1) == 1)]
        times = share // truth[:, label].sum()
        assert set(of_it_alone) <= {times, times + 1}  # each of a label's chips as often as the others
    uniform = order[0::2]
    assert len(set(uniform)) == len(uniform)


@pytest.mark.parametrize("num_positives", [(4,), (4, 100), (150, 2)])
def test_half_of_a_specialists_chips_carry_any_of_its_labels(num_positives):
    truth, positions = labels_with(*num_positives), np.arange(50, 350)
    for batch in balanced_order(truth, positions, drawn()).reshape(-1, 10):
        assert truth[batch].any(axis=1).sum() >= 5
    rare = balanced_order(truth, positions, drawn())[1::2]
    for label in range(len(num_positives)):
        if truth[positions, label].any():
            assert truth[rare, label].sum() >= 150 // len(num_positives)


@given(seed=seeds, num_chips=st.integers(1, 40), num_labels=st.integers(1, 6), share=st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_a_balanced_epoch_has_the_chips_given_and_their_number(seed, num_chips, num_labels, share):
    truth = drawn(seed).random((2 * num_chips, num_labels)) < share
    positions = drawn(seed).permutation(2 * num_chips)[:num_chips]
    order, same = (balanced_order(truth, positions, drawn(seed)) for _ in range(2))
    np.testing.assert_array_equal(order, same)
    assert len(order) == num_chips
    assert set(order) <= set(positions)
    if not truth[positions].any():
        assert sorted(order) == sorted(positions)


def test_balanced_epochs_differ_and_reach_every_chip_in_time():
    truth, positions, random = labels_with(300, 3, 30), np.arange(400), drawn()
    orders = [balanced_order(truth, positions, random) for _ in range(12)]
    assert not np.array_equal(orders[0], orders[1])
    assert set(np.concatenate(orders)) == set(positions)
    # More chips carry the label than it has places for, so that others of them come in each epoch.
    common = labels_with(300)
    often = [balanced_order(common, positions, random)[1::2] for _ in range(12)]
    assert set(np.concatenate(often)) == set(np.flatnonzero(common[:, 0]))


def test_values_below_zero_are_changed_within_what_their_bands_span():
    random = drawn(3)
    low, high = (-25.0, 0.0, -300.0), (0.0, 0.5, 70_000.0)
    unit = random.uniform(-0.1, 1.3, (200, 8, 8, 3)).astype(np.float32)
    chips = (unit * np.subtract(high, low) + low).astype(np.float32)
    span = Span.of(np.dtype(np.float32), low, high)
    made = augment(chips, tiny_recipe(augment=("photometric",), jitter=0.2), drawn(), span)
    assert (made.dtype, made.shape) == (np.float32, chips.shape)
    assert np.isfinite(made).all()
    assert made[..., 2].max() > 70_000  # which is no bound
    changed = (made - np.float32(low)) / np.subtract(high, low, dtype=np.float32)
    assert np.abs(changed - unit).max() < 1
    assert np.abs(changed.mean() - unit.mean()) < 0.05
    # No value overtakes another of its band.
    for chip, before in zip(changed, unit, strict=True):
        for band in range(3):
            assert (np.diff(chip[..., band].ravel()[before[..., band].ravel().argsort()]) > -1e-4).all()


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255.0), (np.uint16, 65535.0)])
def test_unsigned_values_span_their_type_whatever_their_bands_do(dtype, top):
    assert Span.of(np.dtype(dtype), (1000.0,), (4000.0,)) == Span(top)
