"""What a network is given: size, bands, the range of their values, and how chips come to another size."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from competition.spec.images import ImageSet
from models.recipes.recipe import Recipe

# Names of bands that mean what a letter does; pretrained filters and indices go by the letters.
COLOURS = {"red": "R", "green": "G", "blue": "B", "nir": "N"}


@dataclass(frozen=True)
class Inputs:
    """What a network is given.

    Attributes:
        size: pixels along each side of a chip.
        bands: bands in the network's order: a letter each, or their names.
        low: value of each band that stands for 0.
        high: value of each band that stands for 255.
        mean: of each band over the training chips, in 0 to 1 from `low` to `high`; None where nothing asks for it.
        deviation: the same of the standard deviation.
    """

    size: int
    bands: str | tuple[str, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None

    @classmethod
    def of(cls, recipe: Recipe, images: ImageSet, dtype: np.dtype[Any], size: int) -> Inputs:
        """Return the inputs of a recipe for chips of one rendering.

        Raises:
            UserError: if the rendering lacks a band that the recipe asks for, or says no range of a band of float32.
        """
        columns_of(recipe, images)
        names = recipe.band_names
        ranges = [_range_of(band, recipe, images, dtype) for band in names]
        bands = "".join(names) if all(len(band) == 1 for band in names) else names
        return cls(size, bands, tuple(low for low, _ in ranges), tuple(high for _, high in ranges))

    @property
    def of_8_bits(self) -> bool:
        """Whether the chips' values are whole numbers from 0 to 255."""
        return {*self.low} == {0.0} and {*self.high} == {255.0}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Inputs:
        """Return the inputs that `as_dict` has given, also where they have been JSON since."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        return cls(**known)

    def as_dict(self) -> dict[str, Any]:
        """Return the values by name, as records have them; what nothing asks for is not there."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def as_colours(bands: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """Return bands with the letters of those that are called by the name of a colour."""
    return bands if isinstance(bands, str) else tuple(COLOURS.get(band.lower(), band) for band in bands)


def columns_of(recipe: Recipe, images: ImageSet) -> tuple[int, ...]:
    """Return the columns of the recipe's bands among those of a rendering.

    Raises:
        UserError: if the rendering lacks one.
    """
    names = recipe.band_names
    if not names or not set(names) <= set(images.bands):
        from competition.flags import MOST_PROPOSED, as_bands

        has = images.shown_bands if isinstance(images.band_key, str) else first(images.bands)
        example = as_bands(images.bands if len(images.bands) <= MOST_PROPOSED else images.bands[:3])
        raise UserError(
            f"The recipe asks for bands {recipe.bands!r}; the {images.suffix[0]} chips have {has}. "
            f'Give "--bands {example}", or --images with a rendering that has them.'
        )
    return tuple(images.bands.index(band) for band in names)


def as_network_input(chips: NDArray[Any], columns: tuple[int, ...]) -> NDArray[Any]:
    """Return some bands of the chips, in a data type that every backend takes: uint8, or float32."""
    if columns != tuple(range(chips.shape[-1])):
        chips = chips[..., columns]
    return chips if chips.dtype == np.uint8 else chips.astype(np.float32)


def bicubic(size: int, new_size: int) -> NDArray[np.float32]:
    """Return the matrix (new_size, size) that resizes a row of pixels (Keys 1981, a = -1/2, as in Pillow).

    Made smaller, each pixel is the mean of all those it covers, so that nothing is skipped.
    """
    scale = size / new_size
    width = max(scale, 1.0)
    centres = (np.arange(new_size) + 0.5) * scale
    distance = np.abs((np.arange(size) + 0.5 - centres[:, None]) / width)
    near = (1.5 * distance - 2.5) * distance**2 + 1
    far = ((-0.5 * distance + 2.5) * distance - 4) * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0.0))
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def _range_of(band: str, recipe: Recipe, images: ImageSet, dtype: np.dtype[Any]) -> tuple[float, float]:
    """Return the values of a band that stand for 0 and for 255."""
    if dtype == np.uint8:  # a range is that of deeper values: 8-bit chips were already brought to 0..255
        return 0.0, 255.0
    if band in images.range:
        return images.range[band]
    if dtype.kind == "f":
        raise UserError(
            f"The {recipe.images} chips hold {dtype} values, and nothing says what those of band {band!r} span. Add "
            f"{band} = [low, high] to range of the images in the competition file, such as its 1st and 99th percentile."
        )
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)
