"""Views of a chip: the symmetries of the square, for augmentation and at test time.

A view acts on arrays (num_chips, height, width, num_bands). Seen from above, a chip has no right way up, so the
eight symmetries of the square (the dihedral group D4) keep its labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A view is a number of quarter turns, then perhaps a mirroring; its name says both.
D4: dict[str, tuple[int, bool]] = {
    "identity": (0, False),
    "turn90": (1, False),
    "turn180": (2, False),
    "turn270": (3, False),
    "mirror": (0, True),
    "turn90_mirror": (1, True),
    "turn180_mirror": (2, True),
    "turn270_mirror": (3, True),
}
FLIPS = ("identity", "mirror", "turn180_mirror", "turn180")  # none, left-right, up-down, both

VIEW_SETS: dict[str, tuple[str, ...]] = {"identity": ("identity",), "flips": FLIPS, "d4": tuple(D4)}

# The views among which an augmentation draws one a chip and epoch. The last two leave a chip in its place; what they do
# is in models/augment.py.
AUGMENTATIONS: dict[str, tuple[str, ...]] = {
    "d4": tuple(D4),
    "flips": FLIPS,
    "quarter_turns": ("identity", "turn90", "turn180", "turn270"),
    "shifts": ("identity",),
    "photometric": ("identity",),
}


def drawn_views(augment: Sequence[str]) -> tuple[str, ...]:
    """Return the views of D4 among which augmentations without any other change draw, each as often as the others."""
    named = {place: view for view, place in D4.items()}
    drawn = {(0, False)}
    for kind in augment:
        others = [D4[view] for view in AUGMENTATIONS[kind]]
        # A mirroring turns the later quarter turns around.
        drawn = {
            ((turns + (-more if mirrored else more)) % 4, mirrored != again)
            for turns, mirrored in drawn
            for more, again in others
        }
    return tuple(view for place, view in named.items() if place in drawn)


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
