"""Whether two renderings of a chip, such as its JPEG and its GeoTIFF, show one scene, and in which order of bands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.checks.pixels import spread
from competition.checks.report import Finding, about
from competition.data.chips import BrokenChipError, read_chip, resize_chip
from competition.index.chip_index import ChipFile
from competition.spec.images import ImageSet

VISIBLE = "RGB"
SIZE = 64  # pixels along a side at which renderings are compared; at 32, haze alone makes two scenes alike
ENOUGH = 8  # chips compared, for a share of them to mean something
MIXED_UP = 0.25  # share of compared chips showing another scene from which the names must be wrong
TIED = 1e-9  # mean correlation by which two orders of bands differ in rounding alone
CLEARLY_BETTER = 0.02  # mean correlation by which another order of bands must win
SAME_SCENE = 0.5  # mean correlation of red, green and blue below which two renderings show two scenes


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


def compare_renderings(
    files: Mapping[str, ChipFile],
    images: ImageSet,
    reference_files: Mapping[str, ChipFile],
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
    shared = [name for name in files if name in reference_files]
    found = dict(_correlations(spread(shared, sample), files, images, reference_files, reference))
    return fit_bands(tuple(found), np.array(list(found.values())), images.bands) if found else None


def fit_bands(names: Sequence[str], correlations: NDArray[np.float64], bands: tuple[str, ...]) -> BandFit:
    """Find the order of bands that goes best with red, green and blue, and the chips that show another scene.

    Args:
        names: ids of the chips.
        correlations: float array (num_chips, num_bands, 3) of each band with red, green and blue.
        bands: as the competition file has them.
    """
    declared, colours = [bands.index(letter) for letter in VISIBLE], range(len(VISIBLE))
    # One order for all chips, not the best for each: among many orders, one would fit even another scene.
    usual = _best_places(np.median(correlations, axis=0), declared)
    same = correlations[:, usual, colours].mean(axis=1) >= SAME_SCENE
    means = correlations[same].mean(axis=0) if same.any() else np.zeros((len(bands), len(VISIBLE)))
    best = _best_places(means, declared)
    return BandFit(
        same_scene=int(same.sum()),
        declared=float(means[declared, colours].mean()),
        best=float(means[best, colours].mean()),
        order=_order(bands, best),
        strangers=tuple(name for name, is_same in zip(names, same, strict=True) if not is_same),
    )


def _best_places(correlations: NDArray[np.float64], declared: list[int]) -> list[int]:
    """Return which bands, of correlations (num_bands, 3), go best with red, green and blue; on a tie those declared."""
    from scipy.optimize import linear_sum_assignment

    colours, places = linear_sum_assignment(correlations.T, maximize=True)
    best = correlations[places, colours].mean()
    return declared if correlations[declared, colours].mean() >= best - TIED else places.tolist()


def judge_scenes(fit: BandFit, title: str, default: str) -> Iterator[Finding]:
    """Find chips that show another scene than those of the default rendering.

    Args:
        fit: of a rendering with the default one.
        title: of rendering and split, for the finding.
        default: name of the default rendering.
    """
    compared = fit.same_scene + len(fit.strangers)
    text = f"{title}: of {compared} chips compared, those that show another scene than their {default}"
    if compared >= ENOUGH and len(fit.strangers) >= MIXED_UP * compared:
        yield from about("error", f"{text}; names must be mixed up", fit.strangers)
    else:
        yield from about("warning", text, fit.strangers)


def judge_bands(fit: BandFit, images: ImageSet, title: str, default: str) -> Iterator[Finding]:
    """Find another order of bands that goes better with the default rendering; see `judge_scenes`."""
    if not fit.same_scene:
        return
    order = f"band order {_written(images.bands)} has r = {fit.declared:.3f}"
    known = f"{title}: {order} with {default} over {fit.same_scene} chips"
    if fit.order == images.bands:
        yield Finding("note", f"{known}; no other order fits better.")
    elif fit.best < fit.declared + CLEARLY_BETTER:
        yield Finding("note", f"{known}; {_written(fit.order)} fits no worse (r = {fit.best:.3f}).")
    else:
        text = f"but {_written(fit.order)} has r = {fit.best:.3f}. See `bands` in the competition file."
        yield Finding("warning", f"{known}, {text}")


def _correlations(
    names: Sequence[str],
    files: Mapping[str, ChipFile],
    images: ImageSet,
    reference_files: Mapping[str, ChipFile],
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


def _standardised(chip: NDArray[Any], size: int) -> NDArray[np.float64]:
    pixels = resize_chip(chip, size).reshape(size * size, -1).astype(np.float64)
    centred = pixels - pixels.mean(axis=0)
    spreads = centred.std(axis=0)
    return np.divide(centred, spreads, out=np.zeros_like(centred), where=spreads > 0)


def _order(bands: tuple[str, ...], places: list[int]) -> tuple[str, ...]:
    """Return the names of `bands` with red, green and blue at the positions given, the others in their order."""
    placed = dict(zip(places, VISIBLE, strict=True))
    others = iter(band for band in bands if band not in VISIBLE)
    return tuple(placed[i] if i in placed else next(others) for i in range(len(bands)))


def _written(bands: Sequence[str]) -> str:
    return ("" if all(len(band) == 1 for band in bands) else ",").join(bands)
