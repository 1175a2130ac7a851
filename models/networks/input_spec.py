"""What a network is given: size, bands, and the range of their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from competition.common.errors import UserError
from competition.spec.images import ImageSet
from models.recipes.recipe import Recipe


@dataclass(frozen=True)
class Inputs:
    """What a network is given.

    Attributes:
        size: pixels along each side of a chip.
        bands: bands in the network's order, one letter each.
        low: value of each band that stands for 0.
        high: value of each band that stands for 255.
    """

    size: int
    bands: str
    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of(cls, recipe: Recipe, images: ImageSet, dtype: np.dtype[Any], size: int) -> Inputs:
        """Return the inputs of a recipe for chips of one rendering.

        Raises:
            UserError: if the rendering lacks a band that the recipe asks for.
        """
        columns_of(recipe, images)
        whole = (0.0, float(np.iinfo(dtype).max))
        # A range is that of 16-bit values: 8-bit chips of the same rendering were already brought to 0..255.
        ranges = [images.range.get(band, whole) if dtype == np.uint16 else whole for band in recipe.bands]
        return cls(size, recipe.bands, tuple(low for low, _ in ranges), tuple(high for _, high in ranges))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Inputs:
        """Return the inputs that `dataclasses.asdict` has written as JSON."""
        return cls(values["size"], values["bands"], tuple(values["low"]), tuple(values["high"]))


def columns_of(recipe: Recipe, images: ImageSet) -> tuple[int, ...]:
    """Return the columns of the recipe's bands among those of a rendering.

    Raises:
        UserError: if the rendering lacks one.
    """
    if not recipe.bands or not set(recipe.bands) <= set(images.bands):
        raise UserError(
            f"The recipe asks for bands {recipe.bands!r}; the {images.suffix[0]} chips have {images.shown_bands}. "
            "Give --bands, or --images with a rendering that has them."
        )
    return tuple(images.bands.index(band) for band in recipe.bands)
