"""Views by name: the symmetries of the square that augmentation draws from, and those averaged at test time."""

from __future__ import annotations

from collections.abc import Sequence

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

# The views among which an augmentation draws, anew for each chip and epoch. The last two leave a chip in its place:
# what they do is in models/inputs/augment.py.
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
