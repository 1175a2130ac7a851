"""The views of D4 and the augmentations drawn from them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.views import AUGMENTATIONS, D4, FLIPS, VIEW_SETS, apply_view, augment

CHIP = np.arange(5 * 5 * 2, dtype=np.uint16).reshape(1, 5, 5, 2)


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def view_of(chip: np.ndarray, of: np.ndarray = CHIP) -> str:
    """Return which view of `of` a chip is."""
    return next(view for view in D4 if np.array_equal(apply_view(of, view), chip))


def test_the_eight_views_of_a_chip_are_distinct():
    assert len({apply_view(CHIP, view).tobytes() for view in D4}) == len(D4) == 8


def test_identity_leaves_a_chip_as_it_is():
    np.testing.assert_array_equal(apply_view(CHIP, "identity"), CHIP)


def test_views_form_a_group():
    products = {(a, b): view_of(apply_view(apply_view(CHIP, a), b)) for a, b in itertools.product(D4, D4)}
    for view in D4:  # a Latin square, so that every view has an inverse
        assert {products[view, other] for other in D4} == {products[other, view] for other in D4} == set(D4)


def test_flips_form_a_group_of_their_own():
    for a, b in itertools.product(FLIPS, FLIPS):
        assert view_of(apply_view(apply_view(CHIP, a), b)) in FLIPS
    assert all(view_of(apply_view(apply_view(CHIP, view), view)) == "identity" for view in FLIPS)


def test_views_do_what_their_names_say():
    rows = CHIP[0]
    expected = {
        "mirror": rows[:, ::-1],
        "turn180": rows[::-1, ::-1],
        "turn180_mirror": rows[::-1],
        "turn90": rows.swapaxes(0, 1)[::-1],
        "turn90_mirror": rows.swapaxes(0, 1)[::-1, ::-1],
    }
    for view, chip in expected.items():
        np.testing.assert_array_equal(apply_view(CHIP, view)[0], chip)


@pytest.mark.parametrize("view", D4)
def test_views_move_whole_pixels_within_their_chip(view):
    chips = np.stack([CHIP[0], CHIP[0] + 100, CHIP[0] + 200])
    seen = apply_view(chips, view)
    assert (seen.shape, seen.dtype) == (chips.shape, chips.dtype)
    for before, after in zip(chips, seen, strict=True):
        # As many as there were, each with all of its bands.
        assert sorted(map(tuple, after.reshape(-1, 2))) == sorted(map(tuple, before.reshape(-1, 2)))


def test_view_sets_begin_with_the_chip_as_it_is_and_repeat_none():
    assert VIEW_SETS["identity"] == ("identity",)
    for views in VIEW_SETS.values():
        assert views[0] == "identity"
        assert len(set(views)) == len(views)


@pytest.mark.parametrize("kinds", [("d4",), ("flips", "quarter_turns"), ("shifts",), ("d4", "shifts")])
def test_augmentation_depends_on_its_seed_alone(kinds):
    chips = np.repeat(CHIP, 20, axis=0)
    kept = chips.copy()
    one, same, other = (augment(chips, kinds, 0.4, drawn(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(chips, kept)


@pytest.mark.parametrize("kind", ["d4", "flips", "quarter_turns"])
def test_every_chip_has_a_view_of_its_own_out_of_all_there_are(kind):
    seen = augment(np.repeat(CHIP, 200, axis=0), (kind,), 0.0, drawn())
    views = [view_of(chip[None]) for chip in seen]
    assert set(views) == set(AUGMENTATIONS[kind])
    counts = [views.count(view) for view in AUGMENTATIONS[kind]]
    assert min(counts) > 0.4 * 200 / len(counts)


def test_augmented_chips_stay_in_their_places():
    chips = np.stack([CHIP[0] + 1000 * number for number in range(30)])
    seen = augment(chips, ("d4", "shifts"), 0.2, drawn())
    np.testing.assert_array_equal(seen.min(axis=(1, 2, 3)) // 1000, np.arange(30))
    np.testing.assert_array_equal(seen.max(axis=(1, 2, 3)) // 1000, np.arange(30))


def test_no_augmentation_leaves_chips_as_they_are():
    np.testing.assert_array_equal(augment(CHIP, (), 0.5, drawn()), CHIP)
    np.testing.assert_array_equal(augment(CHIP, ("shifts",), 0.0, drawn()), CHIP)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shifts_keep_size_and_type_and_stay_within_the_margin(dtype):
    size, margin = 20, 3
    places = np.stack(np.mgrid[:size, :size], axis=-1).astype(dtype)[None]
    seen = augment(np.repeat(places, 300, axis=0), ("shifts",), margin / size, drawn())
    assert (seen.shape, seen.dtype) == ((300, size, size, 2), dtype)
    middle = seen[:, size // 2, size // 2].astype(int) - size // 2
    assert {tuple(shift) for shift in middle} == set(itertools.product(range(-margin, margin + 1), repeat=2))
    # Away from what the shift uncovered, the whole chip moved alike.
    inside = seen[:, margin:-margin, margin:-margin].astype(int) - places[:, margin:-margin, margin:-margin].astype(int)
    np.testing.assert_array_equal(inside, np.broadcast_to(middle[:, None, None], inside.shape))


def test_what_a_shift_uncovers_mirrors_the_border():
    row = np.tile(np.arange(10, dtype=np.uint8), (10, 1))[None, :, :, None]
    seen = augment(np.repeat(row, 100, axis=0), ("shifts",), 0.2, drawn())
    rows = {tuple(chip[0, :, 0]) for chip in seen}
    assert (2, 1, 0, 1, 2, 3, 4, 5, 6, 7) in rows
    assert (2, 3, 4, 5, 6, 7, 8, 9, 8, 7) in rows
