"""Whether values fill the range that they are scaled by, and whether train and test are on one level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from competition.checks.pixels import ChipScan
from competition.checks.report import Finding
from competition.common.text import first
from competition.spec.base import toml_key
from competition.spec.images import ImageSet, image_key

SMALL_PART = 0.3  # of the whole range of a data type: 14 bits in 16 and fewer
SMALL_PART_OF_GIVEN = 0.1  # of a range that somebody has written: a band may be dark in most of the chips
CUT_OFF = 0.05  # share of the pixels; the 1st and 99th percentile cut off 0.02
DIFFERENT = 0.5  # standard deviations of the chips' means, between train and test
ERRORS = 4  # and as many standard errors, as few chips differ by chance
FEWEST = 8  # chips of either split
SHOWN = 13  # bands in a line: as many as Sentinel-2 has
WORST = 3
Range = tuple[float, float]


def check_ranges(name: str, title: str, scan: ChipScan, images: ImageSet) -> Iterator[Finding]:
    """Find bands whose values use a small part of their range, or are cut off by the one that is given.

    Args:
        name: of the rendering, as the competition file has it.
        title: of rendering and split, for the findings.
        scan: with pixels.
        images: the rendering.
    """
    pixels = scan.pixels
    if not len(pixels) or pixels.dtype == np.uint8:  # a range is one of deeper values
        return
    ends = np.percentile(pixels, [1, 99], axis=0).T
    narrow, cut = dict[str, Range](), dict[str, Range]()
    part, share = 1.0, 0.0
    for band, values, (low, high) in zip(images.bands, pixels.T, ends, strict=True):
        least, most = images.range.get(band, _whole(pixels.dtype))
        outside = float(np.mean((values < least) | (values > most)))
        used = (high - low) / (most - least)
        if band in images.range and outside > CUT_OFF:
            cut[band], share = (low, high), max(share, outside)
        elif used < (SMALL_PART_OF_GIVEN if band in images.range else SMALL_PART):
            narrow[band], part = (low, high), min(part, used)
    if narrow:
        text = f"values of {pixels.dtype} use as little as {part:.1%} of their range"
        text = text if part else f"values of {pixels.dtype} have no range, which training needs"
        yield Finding("warning", f"{title}: {text}; {_entry(name, narrow)}, the 1st and 99th percentile.")
    if cut:
        text = f"[{image_key(name)}.range] cuts off up to {share:.1%} of the pixels of a band"
        yield Finding("warning", f"{title}: {text}; {_entry(name, cut)}, the 1st and 99th percentile, or wider.")


def check_levels(name: str, train: ChipScan, test: ChipScan, images: ImageSet) -> Iterator[Finding]:
    """Find bands whose level differs between train and test, by the size of the difference and not its certainty.

    Args:
        name: of the rendering.
        train: scan of the labelled chips.
        test: scan of the chips to predict.
        images: the rendering.
    """
    if min(len(train.names), len(test.names)) < FEWEST:
        return
    types = [", ".join(map(str, sorted(scan.dtypes, key=str))) for scan in (train, test)]
    if types[0] != types[1]:  # and so the levels differ
        yield Finding("warning", f"{name}: train and test are of different types: {types[0]} and {types[1]}.")
        return
    means = [scan.levels.mean(axis=0, dtype=np.float64) for scan in (train, test)]
    spread = np.sqrt((train.levels.var(axis=0, dtype=np.float64) + test.levels.var(axis=0, dtype=np.float64)) / 2)
    gap = np.abs(means[0] - means[1])
    effect = np.divide(gap, spread, out=np.where(gap > 0, np.inf, 0.0), where=spread > 0)
    least = max(DIFFERENT, ERRORS * float(np.hypot(len(train.names) ** -0.5, len(test.names) ** -0.5)))
    worst = [band for band in np.argsort(-effect, kind="stable") if effect[band] >= least]
    if worst:
        shown = [
            f"{images.bands[band]} {_number(float(means[0][band]))} and {_number(float(means[1][band]))} "
            f"({min(effect[band], 99):.1f} standard deviations)"
            for band in worst
        ]
        yield Finding("warning", f"{name}: train and test differ in level, mean of a chip: {first(shown, WORST)}.")


def _whole(dtype: np.dtype[Any]) -> Range:
    """Return what values of a data type span where no range is given: all that it can hold."""
    if dtype.kind == "f":
        return -np.inf, np.inf
    return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)


def _entry(name: str, ranges: Mapping[str, Range]) -> str:
    """Return the entry of the competition file that says these ranges."""
    lines = [f"{toml_key(band)} = {_range(low, high)}" for band, (low, high) in ranges.items()]
    return f"write under [{image_key(name)}.range] {first(lines, SHOWN)}"


def _range(low: float, high: float) -> str:
    """Return a range as a TOML file has it; it must rise, even if all values are equal."""
    high = high if high > low else low + 1
    texts = ((_number(low, digits), _number(high, digits)) for digits in (4, 6, 9, 17))
    return next(f"[{one}, {other}]" for one, other in texts if one != other)


def _number(value: float, digits: int = 4) -> str:
    """Return a number with so many digits, and all of those before the point."""
    return f"{value:.0f}" if digits == 4 and abs(value) >= 1000 else f"{value:.{digits}g}"
