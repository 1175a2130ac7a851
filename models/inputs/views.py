"""How pixels move under a view of a chip, for augmentation and at test time.

A view acts on arrays (num_chips, height, width, num_bands). Seen from above, a chip has no right way up, so the
eight symmetries of the square (the dihedral group D4) keep its labels. Under a window the chip is seen from nearer or
farther, or without two of its borders: that window is resampled to the chip's size, so that networks need know nothing
of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.recipes.view_sets import D4, VIEWS, WINDOWS, Window


def apply_view(chips: NDArray[Any], view: str) -> NDArray[Any]:
    """Return chips (num_chips, size, size, num_bands) under one view, in their data type.

    Under a view of D4 no pixel changes its value; under one of a window, pixels are interpolated first. The result is
    contiguous; under the identity it is `chips` itself where they are.
    """
    window, view = VIEWS[view]
    if window:
        chips = _seen_through(chips, WINDOWS[window])
    if view == "identity":
        return np.ascontiguousarray(chips)
    target = np.empty(chips.shape, dtype=chips.dtype)
    copy_pixels(seen_under(chips, view), target)
    return target


def seen_under(chips: NDArray[Any], view: str) -> NDArray[Any]:
    """Return chips (num_chips, size, size, num_bands) under one view of D4 without copying them."""
    turns, mirrored = D4[view]
    turned = np.rot90(chips, turns, axes=(1, 2))
    return turned[:, :, ::-1] if mirrored else turned


def _seen_through(chips: NDArray[Any], window: Window) -> NDArray[Any]:
    """Return a window of each chip, resampled to the chip's size, whole numbers rounded.

    Each new pixel is interpolated linearly, rows and columns, between the centres of the four pixels around its own
    centre; beyond the border the chip is mirrored, its outermost pixels not repeated.
    """
    top, left, side = window
    above, below, down = _between(chips.shape[1], top, side)
    before, behind, right = _between(chips.shape[2], left, side)
    down, right = down[:, None, None], right[:, None]
    result = np.empty(chips.shape, dtype=chips.dtype)
    for chip, target in zip(chips, result, strict=True):  # one by one, which stays in the processor's cache
        rows = chip[above] * (1 - down) + chip[below] * down
        seen = rows[:, before] * (1 - right) + rows[:, behind] * right
        target[...] = np.rint(seen) if chips.dtype.kind in "iu" else seen
    return result


def _between(size: int, start: float, side: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return for each new pixel along a side the two pixels that it lies between, and how near to the second."""
    centres = (np.arange(size) + 0.5) * side + start * size - 0.5
    first = np.floor(centres).astype(np.int64)
    turned = [size - 1 - np.abs(size - 1 - np.abs(each)) for each in (first, first + 1)]
    one, other = (np.clip(each, 0, size - 1) for each in turned)
    return one, other, (centres - first).astype(np.float32)


def copy_pixels(source: NDArray[Any], target: NDArray[Any]) -> None:
    """Copy pixels to an array of the same shape (..., width, num_bands), in the items that NumPy copies fastest.

    NumPy copies an array seen from another side value by value, in loops as short as a pixel has bands. Whole pixels
    as one item each are 2 to 8 times as fast; of three bands, as 3 bytes make a bad item, one band after another is.
    """
    num_bands = source.shape[-1]
    pixel = source.itemsize * num_bands
    whole_pixels = source.strides[-1] == target.strides[-1] == source.itemsize
    if whole_pixels and source.strides[-2] == pixel:  # rows stay rows, and are copied as such
        target[...] = source
    elif whole_pixels and num_bands != 3:
        item = np.dtype((np.void, pixel))
        target.view(item)[...] = source.view(item)
    else:
        for band in range(num_bands):
            target[..., band] = source[..., band]
