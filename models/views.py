"""Views of a chip: the symmetries of the square and small shifts, for augmentation and at test time.

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

# The views among which an augmentation draws one a chip and epoch.
AUGMENTATIONS: dict[str, tuple[str, ...]] = {
    "d4": tuple(D4),
    "flips": FLIPS,
    "quarter_turns": ("identity", "turn90", "turn180", "turn270"),
    "shifts": ("identity",),
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
    """Return chips (num_chips, size, size, num_bands) under one view of D4; no pixel changes its value."""
    turns, mirrored = D4[view]
    turned = np.rot90(chips, turns, axes=(1, 2))
    return turned[:, :, ::-1] if mirrored else turned


def augment(chips: NDArray[Any], kinds: tuple[str, ...], shift: float, random: np.random.Generator) -> NDArray[Any]:
    """Return every chip under its own random view.

    Args:
        chips: array (num_chips, size, size, num_bands), any data type.
        kinds: names of `AUGMENTATIONS`; they are applied one after another.
        shift: largest shift as a share of the size; what is uncovered mirrors the border.
        random: source of the draws.

    Returns:
        Array of the same shape and data type.
    """
    for kind in kinds:
        chips = _shifted(chips, shift, random) if kind == "shifts" else _under(chips, AUGMENTATIONS[kind], random)
    return chips


def _under(chips: NDArray[Any], views: tuple[str, ...], random: np.random.Generator) -> NDArray[Any]:
    drawn = random.integers(len(views), size=len(chips))
    result = np.empty_like(chips)
    for number, view in enumerate(views):
        chosen = np.flatnonzero(drawn == number)
        result[chosen] = apply_view(chips[chosen], view)
    return result


def _shifted(chips: NDArray[Any], share: float, random: np.random.Generator) -> NDArray[Any]:
    size = chips.shape[1]
    margin = round(share * size)
    if margin == 0:
        return chips
    padded = np.pad(chips, ((0, 0), (margin, margin), (margin, margin), (0, 0)), mode="reflect")
    offsets = random.integers(2 * margin + 1, size=(len(chips), 2))
    return np.stack([padded[i, y : y + size, x : x + size] for i, (y, x) in enumerate(offsets)])
