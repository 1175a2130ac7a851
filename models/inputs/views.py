"""How pixels move under a view of a chip, for augmentation and at test time.

A view acts on arrays (num_chips, height, width, num_bands). Seen from above, a chip has no right way up, so the
eight symmetries of the square (the dihedral group D4) keep its labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.recipes.view_sets import D4


def apply_view(chips: NDArray[Any], view: str) -> NDArray[Any]:
    """Return chips (num_chips, size, size, num_bands) under one view of D4; no pixel changes its value.

    The result is contiguous; under the identity it is `chips` itself where they are.
    """
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


def side_by_side(under_views: Iterable[NDArray[Any]], most: int) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield the chips of as many views at once as `most` bytes take, one at least, and how many views these are.

    A runner that works on several chips at a time runs out of work at the end of each call.

    Args:
        under_views: the same chips under one view after another.
        most: bytes at once.
    """
    views: list[NDArray[Any]] = []
    for chips in under_views:
        if views and (len(views) + 1) * chips.nbytes > most:
            yield len(views), np.concatenate(views)
            views = []
        views.append(chips)
    if views:
        yield len(views), np.concatenate(views)


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
