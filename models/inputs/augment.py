"""What chance does to the chips of an epoch: which are drawn, what each looks like, and which are mixed.

All of it is drawn from the generator given, so that a batch depends on what that generator was made of and on nothing
else. The chips given are never changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from models.inputs.views import copy_pixels, seen_under
from models.recipes.recipe import Recipe
from models.recipes.view_sets import AUGMENTATIONS


@dataclass(frozen=True)
class Span:
    """What the values of chips span.

    Attributes:
        top: the largest value of unsigned whole numbers: they begin at 0, and are cut to it.
        low: of other numbers, by band, the value that stands for 0; these are not cut.
        high: of other numbers, by band, the value that stands for 255.
    """

    top: float = 255.0
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()

    @classmethod
    def of(cls, dtype: np.dtype[Any], low: Sequence[float], high: Sequence[float]) -> Span:
        """Return the span of chips whose files have a data type, and whose bands go from `low` to `high`."""
        if dtype.kind == "u":
            return cls(float(np.iinfo(dtype).max))
        return cls(float("inf"), tuple(low), tuple(high))


OF_8_BITS = Span()
BAND_SHARE = 0.25  # changes of single bands, as a share of the whole chip's
DARKEST_OF_SPAN = 2**-4  # the same of chips that may be below 0, as a share of what they span
DARKEST = 2**-16  # the least mean of a chip, as a share of the top: a black one has nothing to divide by


def augment(chips: NDArray[Any], recipe: Recipe, random: np.random.Generator, span: Span) -> NDArray[Any]:
    """Return every chip changed at random, by the recipe's augmentations one after another.

    d4, flips, quarter_turns: each chip under one of these views. shifts: each chip moved by up to recipe.shift of its
    size both ways; what is uncovered mirrors the border. photometric: each chip's values changed by up to
    recipe.jitter (see `_photometric`).

    Args:
        chips: array (num_chips, size, size, num_bands), uint8, uint16 or float32.
        recipe: gives augment, shift and jitter.
        random: source of the draws.
        span: what their values span.

    Returns:
        Array of the same shape and data type.
    """
    for kind in recipe.augment:
        if kind == "photometric":
            chips = _photometric(chips, recipe.jitter, random, span)
        elif kind == "shifts":
            chips = _shifted(chips, recipe.shift, random)
        else:
            chips = _under(chips, AUGMENTATIONS[kind], random)
    return chips


def _under(chips: NDArray[Any], views: tuple[str, ...], random: np.random.Generator) -> NDArray[Any]:
    seen = [seen_under(chips, view) for view in views]
    result = np.empty(chips.shape, dtype=chips.dtype)
    for i, drawn in enumerate(random.integers(len(views), size=len(chips))):
        copy_pixels(seen[drawn][i], result[i])
    return result


def _shifted(chips: NDArray[Any], share: float, random: np.random.Generator) -> NDArray[Any]:
    size = chips.shape[1]
    margin = min(round(share * size), size - 1)
    if margin == 0:
        return chips
    mirrored = np.pad(np.arange(size), margin, mode="reflect")
    result = np.empty(chips.shape, dtype=chips.dtype)
    for chip, target, (down, right) in zip(
        chips, result, random.integers(-margin, margin + 1, size=(len(chips), 2)), strict=True
    ):
        rows, columns = mirrored[margin + down :][:size], mirrored[margin + right :][:size]
        # Rows move whole; of the columns only the few uncovered ones are picked one by one, as this is slow.
        moved = chip.take(rows, axis=0)
        kept = slice(max(0, -right), size - max(0, right))
        uncovered = slice(0, kept.start) if right < 0 else slice(kept.stop, size)
        target[:, kept] = moved[:, kept.start + right : kept.stop + right]
        target[:, uncovered] = moved[:, columns[uncovered]]
    return result


def _photometric(chips: NDArray[Any], jitter: float, random: np.random.Generator, span: Span) -> NDArray[Any]:
    """Return chips of other brightness, contrast, gamma and colour temperature.

    All changes are relative to the chip's own mean, not to its type's range, of which satellite chips of 16 bits fill
    only a small part: with m the mean and v a value,

        v' = brightness * temperature_of_band * (m + contrast * (m * (v / m)^gamma - m)), cut to [0, top]

    where brightness and contrast are uniform in 1 ± jitter, the temperature in 1 ± jitter / 4, and the logarithm to
    base 2 of gamma is uniform in ± jitter / 2. Whole numbers are rounded.

    Values that may be below 0 are first brought to what their band spans, from 0 to 1, and nothing is cut: what lies
    below keeps its sign under gamma.
    """
    top = span.top
    if span.low:
        low, high = np.array(span.low, np.float32), np.array(span.high, np.float32)
        changed = _photometric((chips - low) / (high - low), jitter, random, Span(top))
        changed *= high - low
        changed += low
        return changed.astype(chips.dtype)
    means, gains, contrasts, gammas = _photometric_factors(chips, jitter, random, top)
    result = np.empty(chips.shape, dtype=chips.dtype)
    if chips.dtype == np.uint8:  # there are but 256 values: each becomes the same wherever it stands
        tables = _changed(np.arange(256, dtype=np.float32)[None, :, None], means, gains, contrasts, gammas, top)
        tables = np.ascontiguousarray(np.rint(tables).astype(np.uint8).swapaxes(1, 2))
        for i, band in np.ndindex(tables.shape[:2]):
            # Clipping, which has nothing to clip, is twice as fast as checking.
            result[i, ..., band] = tables[i, band].take(chips[i, ..., band], mode="clip")
        return result
    gains = np.tile(gains, chips.shape[2])  # one per value of a row: loops over rows are longer than over bands
    for i, chip in enumerate(chips):  # one by one, as what lies between then stays in the processor's cache
        rows = chip.reshape(len(chip), -1).astype(np.float32)
        changed = _changed(rows, means[i], gains[i], contrasts[i], gammas[i], top).reshape(chip.shape)
        result[i] = np.rint(changed) if chips.dtype.kind == "u" else changed
    return result


def _photometric_factors(
    chips: NDArray[Any], jitter: float, random: np.random.Generator, top: float
) -> tuple[NDArray[np.float32], ...]:
    """Return means, gains, contrasts and gammas, each (num_chips, 1, 1); gains (num_chips, 1, num_bands)."""
    num_chips, num_bands = len(chips), chips.shape[-1]
    darkest = DARKEST * top if np.isfinite(top) else DARKEST_OF_SPAN
    means = chips[:, ::4, ::4].mean(axis=(1, 2, 3), dtype=np.float64).clip(darkest)  # near enough, at 1/16
    brightness = random.uniform(1 - jitter, 1 + jitter, size=(num_chips, 1))
    temperature = random.uniform(-jitter, jitter, size=(num_chips, num_bands)) * BAND_SHARE + 1
    contrasts = random.uniform(1 - jitter, 1 + jitter, size=num_chips)
    gammas = 2 ** random.uniform(-jitter / 2, jitter / 2, size=num_chips)
    factors = (means, brightness * temperature, contrasts, gammas)
    return tuple(factor.reshape(num_chips, 1, -1).astype(np.float32) for factor in factors)


def _changed(
    values: NDArray[np.float32],
    mean: NDArray[np.float32],
    gain: NDArray[np.float32],
    contrast: NDArray[np.float32],
    gamma: NDArray[np.float32],
    top: float,
) -> NDArray[np.float32]:
    bent = values / mean
    if np.isfinite(top):
        bent **= gamma
    else:
        bent = np.copysign(np.abs(bent) ** gamma, bent)
    bent -= 1
    bent *= contrast
    bent += 1
    changed = bent * (mean * gain)
    return np.clip(changed, 0, top, out=changed) if np.isfinite(top) else changed


def mix(
    chips: NDArray[Any], truth: NDArray[Any], recipe: Recipe, random: np.random.Generator
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return chips mixed in pairs, and their targets mixed by the same weights.

    Each chip is mixed with the one before it, the first with the last: a training batch is in random order. Where a
    recipe has both mixup and cutmix, each batch has one of them, as likely as the other.

    Sources: mixup, Zhang et al., ICLR 2018, with one weight ~ Beta(alpha, alpha) for each pair; cutmix, Yun et al.,
    ICCV 2019.

    Args:
        chips: array (num_chips, size, size, num_bands), or for mixup features (num_chips, num_features).
        truth: array (num_chips, num_labels), bool or in [0, 1].
        recipe: gives mixup and cutmix, the alphas; 0 is off.
        random: source of the draws.

    Returns:
        The chips, in their shape and data type, whole numbers rounded; targets (num_chips, num_labels) in [0, 1].

    Raises:
        UserError: if features are to be mixed by cutmix.
    """
    if recipe.cutmix and chips.ndim != 4:
        raise UserError(
            "cutmix pastes rectangles of pixels, received the features of a frozen backbone. "
            "Give --cutmix 0, with --mixup for features, or --train full."
        )
    targets = truth.astype(np.float32)
    kinds = [kind for kind, alpha in ((_mixup, recipe.mixup), (_cutmix, recipe.cutmix)) if alpha]
    if not kinds:
        return chips, targets
    kind = kinds[random.integers(len(kinds))]
    mixed, kept = kind(chips, recipe.mixup if kind is _mixup else recipe.cutmix, random)
    kept = kept[:, None]
    return mixed, targets * kept + np.roll(targets, 1, axis=0) * (1 - kept)


def _mixup(chips: NDArray[Any], alpha: float, random: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return blended chips, and the weight of each in its blend."""
    kept = random.beta(alpha, alpha, size=len(chips)).astype(np.float32)
    result = np.empty(chips.shape, dtype=chips.dtype)
    if chips.dtype == np.uint8:
        # In 256ths, in 16 bits: half the time of floats. Targets are mixed by the rounded weights, so nothing is lost.
        parts = np.rint(kept * 256).astype(np.uint16)
        for i, part in enumerate(parts):
            blend = chips[i] * part
            blend += chips[i - 1] * (np.uint16(256) - part)
            blend += np.uint16(128)
            np.right_shift(blend, np.uint16(8), out=result[i], casting="unsafe")
        return result, (parts / np.float32(256)).astype(np.float32)
    for i, weight in enumerate(kept):
        blend = chips[i] * weight + chips[i - 1] * (1 - weight)
        result[i] = np.rint(blend) if chips.dtype.kind in "iu" else blend
    return result, kept


def _cutmix(chips: NDArray[Any], alpha: float, random: np.random.Generator) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Return chips with a rectangle of another, and the share of each that is left."""
    num_chips, size = chips.shape[:2]
    half_sides = np.sqrt(1 - random.beta(alpha, alpha, size=(num_chips, 1))) * size / 2
    middles = random.integers(size, size=(num_chips, 2))
    begins = np.rint(middles - half_sides).astype(int).clip(0, size)
    ends = np.rint(middles + half_sides).astype(int).clip(0, size)
    result = chips.copy()
    for i, ((top, left), (bottom, right)) in enumerate(zip(begins, ends, strict=True)):
        result[i, top:bottom, left:right] = chips[i - 1, top:bottom, left:right]
    return result, (1 - (ends - begins).prod(axis=1) / size**2).astype(np.float32)


def balanced_order(
    truth: NDArray[np.bool_], positions: NDArray[np.int64], random: np.random.Generator
) -> NDArray[np.int64]:
    """Return an epoch in which every second chip carries a rare label.

    Rare is the rarer half of the labels that any of the chips carry, rounded up, and at least two: of a specialist's
    one or two labels, all. The even places of the epoch go to chips drawn uniformly without replacement. The odd
    places go in equal shares to the rare labels; a label's share to the chips that carry it, each of which comes as
    often as the others, give or take once. So a batch of an even number of chips has half of its places for rare
    labels, and a chip that carries one may come many times in an epoch. Without any positive, the order is uniform.

    Args:
        truth: bool array (num_chips_in_source, num_labels).
        positions: positions of the training chips in the source.
        random: source of the draws.

    Returns:
        As many positions as were given.
    """
    order = random.permutation(positions)
    num_positives = truth[positions].sum(axis=0)
    carried = np.flatnonzero(num_positives)
    rare = carried[np.argsort(num_positives[carried], kind="stable")][: max(2, -(-len(carried) // 2))]
    places = len(positions) // 2
    if not len(rare) or not places:
        return order
    shares = np.full(len(rare), places // len(rare))
    shares[: places % len(rare)] += 1  # what is left over goes to the rarest
    drawn = [
        _evenly(positions[truth[positions, label]], share, random) for label, share in zip(rare, shares, strict=True)
    ]
    uniform = order[: len(order) - places]
    order = np.empty_like(order)
    order[0::2], order[1::2] = uniform, random.permutation(np.concatenate(drawn))
    return order


def _evenly(positions: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` of the positions, each as often as the others, give or take once."""
    rounds = count // len(positions) + 1
    return np.concatenate([random.permutation(positions) for _ in range(rounds)])[:count]
