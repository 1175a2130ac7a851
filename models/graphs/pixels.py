"""What is done to pixels before a network that others made: bands are standardised, and chips are resized.

Both are straight lines, so that their order plays no part: `Resize` of networks of Keras does the same in between.
Chips of several networks side by side are made smaller first, for each that takes them so by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.networks.input_spec import Inputs, bicubic
from models.recipes.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Pixels:
    """From chips (num_chips, chip_size, chip_size, num_bands) in the files' values to what a network is given.

    Attributes:
        chip_size: pixels along each side of a chip.
        size: those of what the network is given.
        scale: float32 array (num_bands,), by which values are multiplied.
        offset: float32 array (num_bands,), which is added then.
    """

    chip_size: int
    size: int
    scale: NDArray[np.float32]
    offset: NDArray[np.float32]

    @classmethod
    def of(cls, recipe: Recipe, inputs: Inputs, mean: tuple[float, ...], deviation: tuple[float, ...]) -> Pixels:
        """Return what a recipe asks for.

        Args:
            recipe: gives the size.
            inputs: size and bands of the chips, and what their values span.
            mean: of each band, or of all, in 0 to 1 from the band's lowest value to its highest.
            deviation: the same of the standard deviation.
        """
        low, high = np.array(inputs.low), np.array(inputs.high)
        scale = 1 / ((high - low) * np.array(deviation))
        offset = -low * scale - np.array(mean) / np.array(deviation)
        shape = (len(low),)
        return cls(
            inputs.size,
            recipe.input_size,
            np.broadcast_to(scale, shape).astype(np.float32),
            np.broadcast_to(offset, shape).astype(np.float32),
        )

    @property
    def num_bands(self) -> int:
        """Number of bands of a chip."""
        return len(self.scale)

    @property
    def matrix(self) -> NDArray[np.float32] | None:
        """The matrix (size, chip_size) that resizes each side; None where nothing is to be done."""
        return None if self.chip_size == self.size else bicubic(self.chip_size, self.size)

    def __call__(self, chips: NDArray[Any]) -> NDArray[np.float32]:
        """Return what the network is given of chips, (num_chips, num_bands, size, size)."""
        seen = np.moveaxis(chips.astype(np.float32) * self.scale + self.offset, -1, 1)
        if (matrix := self.matrix) is not None:
            seen = matrix @ seen @ matrix.T
        return np.ascontiguousarray(seen, dtype=np.float32)


@dataclass(frozen=True)
class Shrinking:
    """Chips made smaller as `Resize` of networks of Keras makes them, and decoding those that a network has alone.

    Attributes:
        chip_size: pixels along each side of a chip.
        size: those of what it becomes.
        whole: round to whole numbers in 0 to 255 after each side, as chips of 8 bits are.
    """

    chip_size: int
    size: int
    whole: bool

    @property
    def matrix(self) -> NDArray[np.float32] | None:
        """The matrix (size, chip_size) that resizes each side, the width first; None where nothing is to be done."""
        return None if self.chip_size == self.size else bicubic(self.chip_size, self.size)

    def __call__(self, chips: NDArray[Any]) -> NDArray[Any]:
        """Return chips (num_chips, size, size, num_bands)."""
        if (matrix := self.matrix) is None:
            return chips
        wide = self._rounded(matrix @ chips.astype(np.float32))
        return self._rounded(matrix @ wide.swapaxes(1, 2)).swapaxes(1, 2)

    def _rounded(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.floor(pixels + np.float32(0.5)).clip(0, 255) if self.whole else pixels
