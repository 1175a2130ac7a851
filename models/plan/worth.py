"""What pays: rules as data, each with its reason, by which a plan weighs what steps are worth against their seconds.

Everything is in thousandths of the metric, as F2 was measured on Planet's chips, of 32 pixels enlarged and of 256. A
plan asks for no more than the order of what pays; whether a step has helped is judged by its own cross-fitted figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

# How far the frozen features of a backbone fall short of the best one's.
BACKBONES = {"DenseNet121": 0.0, "VGG16": 2.0, "MobileNetV2": 5.0}
OTHER_BACKBONE = 5.0

# From scratch, in seconds rather than hours, nothing reaches frozen features.
SCRATCH = {"residual": 35.0, "two_convolutions": 50.0}
SCRATCH_BY_EPOCHS = {1: 25.0, 2: 16.0, 4: 8.0, 8: 2.0, 12: 0.0}

SIZES = (32, 48, 64, 96, 128, 160, 224)
ENLARGED = 2.0  # times as large as they are small chips are best; large ones as they are, up to the largest size
BY_HALVING = 5.0  # lost with each halving from there
ABOVE = 1.0  # lost with each doubling beyond


class Views(NamedTuple):
    """The views that a head learns from, and those over which its scores are averaged.

    Attributes:
        augment: of the recipe.
        views: of the recipe.
        tag: in the names of models.
        short: what is lost against the best.
    """

    augment: tuple[str, ...]
    views: str
    tag: str
    short: float


# Test chips are often more than the labelled ones: their views cost the most, and bring the least.
VIEWS = (
    Views((), "identity", "plain", 9.0),
    Views(("flips",), "identity", "flips-1", 6.5),
    Views(("flips",), "flips", "flips", 2.0),
    Views(("d4",), "flips", "d4-4", 0.7),
    Views(("d4",), "d4", "d4", 0.0),
)


class Head(NamedTuple):
    """A way of fitting heads to features.

    Attributes:
        values: of the recipe, that differ from the recipe's own.
        short: what is lost against the best.
        other: what it adds to a blend with others on the same features, where it is as good as they are.
    """

    values: Mapping[str, Any]
    short: float
    other: float


LINEAR, QUICK, BRIEF, DENSE, WIDE, JOINT = "linear", "quick", "brief", "dense", "wide", "joint"
SCRATCH_HEAD = "scratch"
HEADS = {
    # By gradient: as good as by least squares, and with 36,037 chips in a tenth of the seconds. There five folds of
    # these took 26, 68, 151 and 305 s on DenseNet121's features.
    LINEAR: Head({"dense": (), "members": 1, "solver": "gradient", "epochs": 8}, 11.9, 0.0),
    QUICK: Head({"epochs": 12, "batch_size": 640}, 4.5, 0.2),
    BRIEF: Head({"epochs": 24}, 1.5, 0.3),
    DENSE: Head({}, 0.0, 0.4),  # the recipe's own
    # Where chips are few, its heavy dropout is worth more than what it costs: with 950 of 256 pixels .9088 to .9046.
    WIDE: Head({"dense": (1024,), "input_dropout": 0.5, "dropout": 0.7, "seed": 1}, 0.0, 0.4),
    JOINT: Head({}, 0.0, 0.5),  # on several backbones' features side by side: about as good as a blend of their heads
    SCRATCH_HEAD: Head({}, 0.0, 0.0),
}
# Which heads are fitted to every bank of a plan; a plan takes one of these sets.
HEAD_SETS = (
    (LINEAR,),
    (QUICK,),
    (BRIEF,),
    (DENSE,),
    (BRIEF, JOINT),
    (DENSE, JOINT),
    (DENSE, WIDE),
    (DENSE, WIDE, JOINT),
)
FEW_CHIPS = 5_000  # labelled, up to which wide heads are weighed: with 36,037 they were .001 worse than others
MOST_JOINT = 3  # backbones under one head

# What the second member of a blend adds, where it is as good as the best. Of DenseNet121 at 64 px with VGG16 at 48,
# MobileNetV2 at 48, itself at 96 and at 32 px: 3.9, 1.9, 2.8 and 2.4; with the first three of them 5.1, with eight 5.9.
NEW_BACKBONE, NEW_SIZE = 4.0, 3.0
SPREAD = 25.0  # one that is this much worse adds nothing
DECAY = 0.45  # what a further member adds, as a share of what it would add as the second


@dataclass(frozen=True)
class Weighed:
    """What is to be known of a model to weigh it.

    Attributes:
        features: the backbones and input sizes that it takes features of.
        head: one of `HEADS`.
        short: how far it falls short of the best.
    """

    features: tuple[tuple[str, int], ...]
    head: str
    short: float


def short_of_size(size: int, chip_size: int) -> float:
    """Return what is lost by an input size, for chips of a size.

    Example:
        >>> short_of_size(32, 32), short_of_size(64, 32), short_of_size(224, 256)
        (5.0, 0.0, 0.0)
    """
    best = min(ENLARGED * chip_size, SIZES[-1]) if chip_size <= SIZES[2] else min(chip_size, SIZES[-1])
    doublings = math.log2(size / best)
    return -BY_HALVING * doublings if doublings < 0 else ABOVE * doublings


def sizes_for(chip_size: int) -> tuple[int, ...]:
    """Return the input sizes to weigh for chips of a size: from a quarter of it to three times it."""
    fitting = tuple(size for size in SIZES if chip_size / 4 <= size <= 3 * chip_size)
    return fitting or (SIZES[0] if chip_size < SIZES[0] else SIZES[-1],)


def worth(models: Sequence[Weighed]) -> float:
    """Return what the best blend of models is worth, in thousandths; only differences mean something.

    The best model counts in full, the others by what is new in them, less where they are worse, or others came before.
    A joint head comes with heads on each of its backbones: to these it adds little.
    """
    if not models:
        return 0.0
    best, *others = sorted(models, key=lambda model: (len(model.features) > 1, model.short))
    seen, made, adds = set(best.features), {(best.features, best.head)}, list[float]()
    for model in others:
        if (model.features, model.head) in made:  # the same under other views
            new = 0.0
        elif len(model.features) > 1 or seen.issuperset(model.features):
            new = HEADS[model.head].other
        else:
            new = NEW_SIZE if _backbones(model.features) <= _backbones(seen) else NEW_BACKBONE
        adds.append(new * max(0.0, 1 - (model.short - best.short) / SPREAD))
        seen.update(model.features)
        made.add((model.features, model.head))
    ranked = sorted(adds, reverse=True)
    return 100.0 - best.short + sum(add * DECAY**rank for rank, add in enumerate(ranked))


def _backbones(features: Iterable[tuple[str, int]]) -> set[str]:
    return {backbone for backbone, _ in features}
