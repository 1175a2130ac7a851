"""The values of a scene as those of the chips that a model has learnt from, and a look at whether they can be.

Units and offsets differ between suppliers, and a model scores whatever it is given: reflectances of 0 to 1 where it has
learnt 0 to 10,000 are black to it. So the values of sampled windows are compared with those of chips before the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.data.chips import BrokenChipError, read_chip
from competition.index.chip_index import ChipFile
from competition.scenes.scene import Scene
from competition.spec.images import ImageSet

AT = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)  # the quantiles that are compared
LEAST, FIRST, HALF, LAST, MOST = 0, 1, 3, 5, 6  # of their places
SAMPLED = 200  # windows, and chips
LARGEST = 256  # pixels along each side to which a larger window is brought
SIZE = 32  # pixels along each side of them that are taken
FLAT = 0.01  # of the chips' range: a scene that spans less holds nothing, or other units
CLOSER = 1 / 3  # of its distance: as near must a shift that is undone bring values to the chips'
# What suppliers do to values: factor and offset that undo it, and what it is called.
CAUSES: tuple[tuple[float, float, str], ...] = (
    (1e4, 0, "reflectances of 0 to 1 where the chips have 0 to 10,000"),
    (1e-4, 0, "0 to 10,000 where the chips have reflectances of 0 to 1"),
    (1, -1000, "an offset of 1,000, as Sentinel-2 has since 2022"),
    (1, 1000, "a missing offset of 1,000, as Sentinel-2 has since 2022"),
    (1 / 257, 0, "16 bits where the chips have 8"),
    (257, 0, "8 bits where the chips have 16"),
    (1 / 255, 0, "0 to 255 where the chips have 0 to 1"),
    (255, 0, "0 to 1 where the chips have 0 to 255"),
    (10, 0, "a factor of 10"),
    (0.1, 0, "a factor of 10"),
)


@dataclass(frozen=True, eq=False)
class ChipValues:
    """What the values of chips are.

    Attributes:
        dtype: their data type.
        bands: as the network takes them.
        quantiles: float array (len(AT), num_bands).
        sampled: whether the quantiles are those of chips; or else of even values between what stands for 0 and 255.
    """

    dtype: str
    bands: tuple[str, ...]
    quantiles: NDArray[np.float64]
    sampled: bool

    @classmethod
    def of_chips(
        cls, files: Sequence[ChipFile], images: ImageSet, bands: Sequence[str], *, seed: int = 0
    ) -> ChipValues:
        """Return the values of some chips, sampled of many.

        Args:
            files: of the chips.
            images: their rendering.
            bands: of these, as the network takes them.
            seed: of the sample.

        Raises:
            UserError: if all of them are broken.
        """
        some = np.random.default_rng(seed).permutation(len(files))[:SAMPLED]
        columns, chips = [images.bands.index(band) for band in bands], []
        for place in sorted(some):
            with suppress(BrokenChipError):  # which training may have left out
                chips.append(_thinned(read_chip(files[place], images)[..., columns]))
        if not chips:
            raise UserError("No chip can be read that says what values a model has learnt from.")
        return cls(str(chips[0].dtype), tuple(bands), quantiles_of(chips), sampled=True)

    @classmethod
    def of_range(cls, dtype: str, bands: Sequence[str], low: Sequence[float], high: Sequence[float]) -> ChipValues:
        """Return the values of chips of which no more is known than what stands for 0 and for 255, as of an export."""
        even = np.array(low) + np.array(AT)[:, None] * (np.array(high) - np.array(low))
        return cls(dtype, tuple(bands), even, sampled=False)


def _thinned(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return some of the pixels (height, width, ...), evenly spread."""
    return pixels[:: max(1, len(pixels) // SIZE), :: max(1, pixels.shape[1] // SIZE)]


def quantiles_of(arrays: Iterable[NDArray[Any]]) -> NDArray[np.float64]:
    """Return the quantiles `AT` of each band of some arrays (..., num_bands) together: (len(AT), num_bands)."""
    pixels = np.concatenate([array.reshape(-1, array.shape[-1]) for array in arrays])
    return np.quantile(pixels.astype(np.float64), AT, axis=0)


@dataclass(frozen=True)
class Values:
    """How a scene's values become those of chips: by a factor and what is added then, band by band.

    Attributes:
        scale: the factors.
        offset: what is added.
        dtype: of the chips.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    dtype: str

    def __call__(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return pixels (..., num_bands) of a scene as those of chips, of their data type."""
        dtype = np.dtype(self.dtype)
        if pixels.dtype == dtype and {*self.scale} == {1.0} and {*self.offset} == {0.0}:
            return pixels
        values = self.unrounded(pixels)
        if dtype.kind == "f":
            return values.astype(dtype)
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)

    def unrounded(self, pixels: NDArray[Any]) -> NDArray[np.float64]:
        """Return the same before it is brought to the data type of the chips, in which reflectances may all be 0."""
        return pixels.astype(np.float64) * self.scale + self.offset


def values_of(
    scene: Scene,
    chips: ChipValues,
    window: tuple[int, int],
    *,
    how: Literal["match"] | None = None,
    scale: float | None = None,
    offset: float | None = None,
) -> Values:
    """Return how a scene's values become those of chips.

    What the file says of scale and offset is done first. Then they stay as they are, where they are of the chips' kind,
    unless a flag says otherwise.

    Args:
        scene: with the chips' bands.
        chips: whose values are wanted.
        window: width and height of windows, to sample.
        how: "match" stretches each band so that its 5th and 95th percentile become those of the chips.
        scale: a factor for all bands.
        offset: what is added then.

    Raises:
        UserError: if values of another kind are given and no flag says how they become those of chips, or two do.
    """
    factors, added = np.array(scene.scales), np.array(scene.offsets)
    if how == "match":
        if scale is not None or offset is not None:
            raise UserError("--values match finds scale and offset by itself. Leave --scale and --offset out.")
        found = sampled(scene, window)
        if found is None:
            raise UserError(f"No window of {scene.source.shown} holds data that --values match could go by.")
        found, wanted = found * factors + added, chips.quantiles
        spread = np.maximum(found[LAST] - found[FIRST], np.finfo(np.float64).tiny)
        stretch = (wanted[LAST] - wanted[FIRST]) / spread
        return _values(factors * stretch, (added - found[FIRST]) * stretch + wanted[FIRST], chips)
    if scale is None and offset is None and not _is_like(scene.dtype, chips.dtype):
        raise UserError(
            f"The scene holds {scene.dtype} values, and the chips {chips.dtype}. Give --values match, which stretches "
            "them by their quantiles, or --scale and --offset."
        )
    scale = 1.0 if scale is None else scale
    return _values(factors * scale, added * scale + (offset or 0.0), chips)


def _values(scale: NDArray[np.float64], offset: NDArray[np.float64], chips: ChipValues) -> Values:
    return Values(tuple(map(float, scale)), tuple(map(float, offset)), chips.dtype)


def _is_like(one: str, other: str) -> bool:
    """Whether values of one data type may be those of another one: of as many bits, or both broken numbers."""
    types = np.dtype(one), np.dtype(other)
    return types[0] == types[1] or (types[0].kind == types[1].kind == "f") or ({one, other} == {"int16", "uint16"})


@dataclass(frozen=True, eq=False)
class Probe:
    """The values of a scene beside those of chips.

    Attributes:
        bands: names.
        found: of the scene, as the network would be given it: float array (len(AT), num_bands); None if it has no data.
        chips: what the network has learnt from.
        problem: one line of why these cannot be what it has learnt, and which flag mends it; "" if they can.
    """

    bands: tuple[str, ...]
    found: NDArray[np.float64] | None
    chips: ChipValues
    problem: str

    def text(self) -> str:
        """Return the values of both in one line, and the problem."""
        if self.found is None:
            return self.problem
        what = "chips" if self.chips.sampled else "range"
        shown = "; ".join(
            f"{band} {_shown(self.found, column)} ({what} {_shown(self.chips.quantiles, column)})"
            for column, band in enumerate(self.bands)
        )
        return f"Values, 5th to 95th percentile: {shown}." + (f"\n{self.problem}" if self.problem else "")

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON."""
        return {
            "bands": list(self.bands),
            "at": list(AT),
            "scene": None if self.found is None else self.found.T.tolist(),
            "chips": self.chips.quantiles.T.tolist(),
            "problem": self.problem,
        }


def probe(scene: Scene, window: tuple[int, int], values: Values, chips: ChipValues) -> Probe:
    """Compare the values of sampled windows with those of chips.

    Args:
        scene: with the chips' bands.
        window: width and height of windows.
        values: how the scene's values become those of chips.
        chips: the values that the model has learnt from.
    """
    found = sampled(scene, window, values)
    if found is None:
        return Probe(chips.bands, None, chips, f"None of {SAMPLED} windows of {scene.source.shown} holds data.")
    return Probe(chips.bands, found, chips, _problem(found, chips.quantiles))


def sampled(scene: Scene, window: tuple[int, int], values: Values | None = None) -> NDArray[np.float64] | None:
    """Return the quantiles of a scene's values, of sampled windows; None if these hold no data."""
    pixels = []
    for each in scene.sample(window, SAMPLED):
        array, valid = map(_thinned, scene.read(each, min(LARGEST, each.width, each.height)))
        if valid.any():
            pixels.append((array if values is None else values.unrounded(array))[valid])
    return quantiles_of(pixels) if pixels else None


def _problem(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> str:
    """Return why values cannot be what a network has learnt; "" if they can be.

    A scene may be all forest or all cloud, so that no more is asked than that its middle lies among the chips' values,
    and that it is not flat; and where all of it lies above or below the chips' middle, that nothing known explains it.
    """
    now, is_off = _distance(found, wanted), _is_off(found, wanted)
    undone = [found * scale + offset for scale, offset, _ in CAUSES]
    distances = [np.inf if _is_off(each, wanted) else _distance(each, wanted) for each in undone]
    best = int(np.argmin(distances))
    shifted = (found[FIRST] > wanted[HALF]).all() or (found[LAST] < wanted[HALF]).all()
    if not (is_off or (shifted and distances[best] < now * CLOSER)):
        return ""
    said = "The scene's values cannot be what the model has learnt"
    if distances[best] < now:
        scale, offset, cause = CAUSES[best]
        flags = [f"--scale {scale:.6g}"] * (scale != 1) + [f"--offset {offset:g}"] * (offset != 0)
        return f"{said}: they look like {cause}. Give {' '.join(flags)}, or --values match."
    return f"{said}. Give --values match, which stretches them by their quantiles, or --scale and --offset."


def _is_off(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> bool:
    """Whether half of the bands are flat, or have their middle outside of what is wanted."""
    outside = (found[HALF] < wanted[LEAST]) | (found[HALF] > wanted[MOST])
    flat = (found[MOST] - found[LEAST]) / _reach(wanted) < FLAT
    return bool((outside | flat).mean() >= 0.5)


def _distance(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    """Return how far quantiles are from each other, as a share of what is wanted spans: the median of all."""
    return float(np.median(np.abs(found - wanted) / _reach(wanted)))


def _reach(wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(wanted[MOST] - wanted[LEAST], np.finfo(np.float64).tiny)


def _shown(quantiles: NDArray[np.float64], column: int) -> str:
    return f"{quantiles[FIRST, column]:,.4g} to {quantiles[LAST, column]:,.4g}"
