"""The views of D4, and of windows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.inputs.views import apply_view
from models.recipes.view_sets import D4, FLIPS, VIEWS, WINDOWS

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


@pytest.mark.parametrize("view", D4)
@pytest.mark.parametrize(
    ("dtype", "num_bands"),
    [*((np.uint8, number) for number in range(1, 6)), *((kind, n) for kind in (np.uint16, np.float32) for n in (3, 4))],
)
def test_fast_copies_are_what_turning_and_mirroring_give(view, dtype, num_bands):
    random = drawn()
    chips = random.integers(0, 256, (3, 6, 6, num_bands)).astype(dtype)
    other_layout = np.asfortranarray(chips)  # as picking bands leaves it
    turns, mirrored = D4[view]
    expected = np.rot90(chips, turns, axes=(1, 2))
    expected = np.flip(expected, axis=2) if mirrored else expected
    for given in (chips, other_layout, chips[::2], np.repeat(chips, 2, axis=3)[..., ::2]):
        seen = apply_view(given, view)
        assert seen.flags.c_contiguous
        assert seen.dtype == dtype
        np.testing.assert_array_equal(seen, expected[::2] if len(given) < 3 else expected)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_view_of_d4_undone_by_another_gives_the_chip_back(dtype):
    chips = drawn().integers(0, 256, (2, 7, 7, 3)).astype(dtype)
    for view in D4:
        undone = [other for other in D4 if np.array_equal(apply_view(apply_view(chips, view), other), chips)]
        assert len(undone) == 1


# Windows


def slope(size: int, num_bands: int = 2) -> np.ndarray:
    """Return a chip whose first band rises by 1 a row, and the others by 1 a column."""
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    return np.stack([rows, *[columns] * (num_bands - 1)], axis=-1)[None]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_shows_what_lies_there(window):
    size, (top, left, side) = 32, WINDOWS[window]
    seen, inner = apply_view(slope(size), window)[0], slice(3, -3)  # where nothing is mirrored
    centres = (np.arange(size) + 0.5) * side - 0.5
    np.testing.assert_allclose(seen[inner, :, 0], (centres + top * size)[inner, None].repeat(size, 1), atol=1e-5)
    np.testing.assert_allclose(seen[:, inner, 1], (centres + left * size)[None, inner].repeat(size, 0), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("view", [view for view, (window, _) in VIEWS.items() if window])
def test_values_stay_within_those_of_the_chip_and_plain_chips_as_they_are(view, dtype):
    chips = drawn().integers(7, 250, (2, 9, 9, 3)).astype(dtype)
    seen = apply_view(chips, view)
    assert (seen.shape, seen.dtype, seen.flags.c_contiguous) == (chips.shape, dtype, True)
    assert chips.min() <= seen.min() <= seen.max() <= chips.max()
    assert not any(np.array_equal(seen, apply_view(chips, place)) for place in D4)
    np.testing.assert_array_equal(apply_view(np.full_like(chips, 41), view), 41)


def test_a_window_is_taken_first_and_then_turned():
    chips = drawn().integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
    corner = apply_view(chips, "top_left")
    np.testing.assert_array_equal(apply_view(chips, "turn90_mirror_top_left"), apply_view(corner, "turn90_mirror"))
    assert not np.array_equal(corner, apply_view(chips, "bottom_right"))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_smallest_chips_have_windows_too(size):
    for window in WINDOWS:
        assert apply_view(np.ones((1, size, size, 1), np.uint8), window).sum() == size**2
