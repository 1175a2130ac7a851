"""Views by name: those that augmentation draws from, and those that scores are averaged over at test time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from competition.common.errors import UserError, unknown_name

# A place of D4 is a number of quarter turns, then perhaps a mirroring; its name says both.
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

# A window of the chip that is brought to the chip's own size: its top, left and side as shares of the chip's. Where it
# reaches beyond the border, the chip is mirrored there.
Window = tuple[float, float, float]
WINDOWS: dict[str, Window] = {
    "nearer": (1 / 16, 1 / 16, 7 / 8),
    "farther": (-1 / 16, -1 / 16, 9 / 8),
    "top_left": (0, 0, 7 / 8),
    "top_right": (0, 1 / 8, 7 / 8),
    "bottom_left": (1 / 8, 0, 7 / 8),
    "bottom_right": (1 / 8, 1 / 8, 7 / 8),
}

VIEW_SETS: dict[str, tuple[str, ...]] = {
    "identity": ("identity",),
    "flips": FLIPS,
    "d4": tuple(D4),
    "scales": ("identity", "nearer", "farther"),
    "crops": ("identity", "top_left", "top_right", "bottom_left", "bottom_right"),
}

# A view is a window of the chip, "" for the whole, under a place of D4.
VIEWS: dict[str, tuple[str, str]] = {
    "_".join(filter(None, ("" if place == "identity" and window else place, window))): (window, place)
    for window in ("", *WINDOWS)
    for place in D4
}

# The views among which an augmentation draws, anew for each chip and epoch. The last two leave a chip in its place:
# what they do is in models/inputs/augment.py.
AUGMENTATIONS: dict[str, tuple[str, ...]] = {
    "d4": tuple(D4),
    "flips": FLIPS,
    "quarter_turns": ("identity", "turn90", "turn180", "turn270"),
    "shifts": ("identity",),
    "photometric": ("identity",),
}


def views_of(sets: str) -> tuple[str, ...]:
    """Return the views of some sets, joined by commas: each window of one set under each place of another.

    Raises:
        UserError: if there is no such set, or one is named twice.
    """
    names = sets.split(",")
    for name in (name for name in names if name not in VIEW_SETS):
        raise unknown_name("set of views", name, list(VIEW_SETS))
    if len(set(names)) < len(names):
        raise UserError(f"views names a set twice: {sets!r}.")
    every = [VIEW_SETS[name] for name in names]
    if len(every) == 1:
        return every[0]
    windows = dict.fromkeys(VIEWS[view][0] for views in every for view in views)
    places = _reached(views for views in every if set(views) <= set(D4))
    named = {parts: view for view, parts in VIEWS.items()}
    return tuple(named[window, place] for window in windows for place in places)


def drawn_views(augment: Sequence[str]) -> tuple[str, ...]:
    """Return the views of D4 among which augmentations without any other change draw, each as often as the others."""
    return _reached(AUGMENTATIONS[kind] for kind in augment)


def _reached(sets: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the places of D4 that are reached by one of each set after another."""
    drawn = {(0, False)}
    for views in sets:
        others = [D4[view] for view in views]
        # A mirroring turns the later quarter turns around.
        drawn = {
            ((turns + (-more if mirrored else more)) % 4, mirrored != again)
            for turns, mirrored in drawn
            for more, again in others
        }
    return tuple(view for view, place in D4.items() if place in drawn)
