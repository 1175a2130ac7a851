"""The checks that decode chips: sizes, kinds, broken ones, and whether two renderings of a chip agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from competition.common.progress import reporter
from competition.data.chips import BrokenChipError, read_chip, resize_chip
from competition.spec.images import ImageSet

VISIBLE = "RGB"
SIZE = 64  # pixels along a side at which renderings are compared; at 32, haze alone makes two scenes alike
SAME_SCENE = 0.5  # mean correlation of red, green and blue below which two renderings show two scenes
BATCH = 2048


@dataclass
class ChipScan:
    """What decoding the chips of one rendering and split has shown.

    Attributes:
        decoded: number of chips tried.
        broken: ids of chips that `read_chip` refuses, by its reason.
        constant: ids of chips whose pixels are all equal, though not black.
        kinds: how many chips have each shape and data type, such as "256 x 256 x 3 uint8".
    """

    decoded: int = 0
    broken: dict[str, list[str]] = field(default_factory=dict)
    constant: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class BandFit:
    """How the bands of one rendering go with the red, green and blue of another.

    Attributes:
        same_scene: number of chips that show the same scene in both.
        declared: mean correlation with the bands in the order of the competition file.
        best: mean correlation with the bands in the order that fits best.
        order: that order, written like `ImageSet.bands`.
        strangers: ids of chips that show another scene.
    """

    same_scene: int
    declared: float
    best: float
    order: tuple[str, ...]
    strangers: tuple[str, ...]


def scan_chips(files: Mapping[str, Path], images: ImageSet, *, sample: int | None = None, title: str = "") -> ChipScan:
    """Decode chips in threads and keep what is wrong with them, not the chips.

    Args:
        files: chip files by id.
        images: the rendering they belong to.
        sample: decode only so many, spread evenly over `files`.
        title: of the bar.
    """

    def look(name: str) -> tuple[str, str, str, bool]:
        try:
            chip = read_chip(files[name], images)
        except BrokenChipError as error:
            return name, _reason(error, files[name]), "", False
        kind = " x ".join(map(str, chip.shape))
        return name, "", f"{kind} {chip.dtype}", bool((chip == chip[:1, :1]).all())

    scan = ChipScan()
    names = spread(list(files), sample)
    # Reading waits on the disk, and the decoders let other threads run.
    with ThreadPoolExecutor(2 * cpu_count()) as pool, reporter.bar(len(names), title) as bar:
        for start in range(0, len(names), BATCH):
            for name, problem, kind, is_constant in pool.map(look, names[start : start + BATCH]):
                scan.decoded += 1
                bar.update()
                if problem:
                    scan.broken.setdefault(problem, []).append(name)
                else:
                    scan.kinds[kind] += 1
                if is_constant:
                    scan.constant.append(name)
    return scan


def compare_renderings(
    files: Mapping[str, Path],
    images: ImageSet,
    reference_files: Mapping[str, Path],
    reference: ImageSet,
    *,
    sample: int = 48,
) -> BandFit | None:
    """Correlate the bands of one rendering with the red, green and blue of another, chip by chip.

    Args:
        files: chip files of the rendering in question, by id.
        images: that rendering.
        reference_files: chip files of the rendering it is compared with, by id.
        reference: that rendering.
        sample: number of chips to compare, spread evenly over those that both have.

    Returns:
        The fit, or None if either lacks a visible band or no chip can be compared.
    """
    if not set(VISIBLE) <= set(images.bands) & set(reference.bands):
        return None
    assignments = list(permutations(range(len(images.bands)), len(VISIBLE)))
    shared = [name for name in files if name in reference_files]
    names, correlations = [], []
    for name, matrix in _correlations(spread(shared, sample), files, images, reference_files, reference):
        names.append(name)
        correlations.append([matrix[assignment, range(len(VISIBLE))].mean() for assignment in map(list, assignments)])
    if not names:
        return None
    table = np.array(correlations)  # (num_chips, num_assignments)
    # One order for all chips, not the best for each: among many orders, one would fit even another scene.
    same = table[:, np.median(table, axis=0).argmax()] >= SAME_SCENE
    strangers = tuple(name for name, is_same in zip(names, same, strict=True) if not is_same)
    declared = tuple(images.bands.index(letter) for letter in VISIBLE)
    means = table[same].mean(axis=0) if same.any() else np.zeros(len(assignments))
    # On a tie the competition file is right.
    best = max(range(len(assignments)), key=lambda i: (means[i], assignments[i] == declared))
    return BandFit(
        same_scene=int(same.sum()),
        declared=float(means[assignments.index(declared)]),
        best=float(means[best]),
        order=_order(images.bands, assignments[best]) if same.any() else images.bands,
        strangers=strangers,
    )


def spread(names: Sequence[str], count: int | None) -> list[str]:
    """Return `count` of the names, spread evenly over them; all if there are no more, or `count` is None."""
    if count is None or count >= len(names):
        return list(names)
    return [names[i] for i in np.linspace(0, len(names) - 1, count).astype(int)]


def _correlations(
    names: Sequence[str],
    files: Mapping[str, Path],
    images: ImageSet,
    reference_files: Mapping[str, Path],
    reference: ImageSet,
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Yield the id and the correlations (num_bands, 3) of each chip that is not broken or flat."""
    visible = [reference.bands.index(letter) for letter in VISIBLE]
    for name in names:
        try:
            chip = read_chip(files[name], images)
            picture = read_chip(reference_files[name], reference)[:, :, visible]
        except BrokenChipError:
            continue  # scan_chips reports it
        size = min(SIZE, len(chip), len(picture))
        bands, colours = _standardised(chip, size), _standardised(picture, size)
        if bands.any() and colours.any():
            yield name, bands.T @ colours / len(bands)


def _reason(error: BrokenChipError, path: Path) -> str:
    """Return what is wrong without the path, so that equal reasons are equal."""
    reason = str(error).removeprefix(f"Broken chip {path}: ").rstrip(".")
    return "not an image file" if str(path) in reason else reason


def _standardised(chip: NDArray[np.uint8] | NDArray[np.uint16], size: int) -> NDArray[np.float64]:
    pixels = resize_chip(chip, size).reshape(size * size, -1).astype(np.float64)
    centred = pixels - pixels.mean(axis=0)
    spreads = centred.std(axis=0)
    return np.divide(centred, spreads, out=np.zeros_like(centred), where=spreads > 0)


def _order(bands: tuple[str, ...], assignment: tuple[int, ...]) -> tuple[str, ...]:
    """Return the names of `bands` with red, green and blue at the positions given, the others in their order."""
    placed = dict(zip(assignment, VISIBLE, strict=True))
    others = iter(band for band in bands if band not in VISIBLE)
    return tuple(placed[i] if i in placed else next(others) for i in range(len(bands)))
