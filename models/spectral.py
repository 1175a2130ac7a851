"""Spectral indices of the bands, as further bands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from competition.errors import UserError, unknown_name

# An index is (first - second) / (first + second).
INDICES = {"ndvi": ("N", "R"), "ndwi": ("G", "N")}


@keras.saving.register_keras_serializable(package="planet")
class SpectralIndices(layers.Layer):
    """Append spectral indices to the bands, each brought from [-1, 1] to 0 to 255; 0 / 0 counts as an index of 0.

    "ndvi" is (N - R) / (N + R), high on leaves (Rouse et al. 1974); "ndwi" is (G - N) / (G + N), high on open water
    (McFeeters 1996).

    It takes the values of the files, before any range is stretched to 0 to 255. An index forgets a factor that both
    bands share, such as illumination, only if both count from the same zero, as radiances and reflectances do; a
    stretch gives each band a zero and a gain of its own, and the denominator may then even pass through 0.

    Args:
        bands: bands of the chips, one letter each.
        indices: names of `INDICES`, in the order in which they are appended.

    Raises:
        UserError: if an index is unknown, or the chips lack a band that it needs.
    """

    def __init__(self, bands: str, indices: Sequence[str], **options: Any) -> None:
        # In float32 under any policy: the difference of two close 16-bit values is lost in bfloat16.
        super().__init__(**{"dtype": "float32", **options})
        self.bands, self.indices = bands, tuple(indices)
        for index in self.indices:
            _check(index, bands)

    def call(self, chips: Any) -> Any:
        """Return the bands and the indices, (num_chips, height, width, num_bands + num_indices)."""
        made = [self._index(chips, *INDICES[name]) for name in self.indices]
        return ops.concatenate([chips, *made], axis=-1)

    def _index(self, chips: Any, *pair: str) -> Any:
        first, second = (chips[..., self.bands.index(band), None] for band in pair)
        total = first + second
        # Where the sum is 0, the division is by 1: a gradient through an unused 0 / 0 would still be no number.
        nothing = ops.equal(total, 0)
        index = ops.where(nothing, 0.0, (first - second) / ops.where(nothing, 1.0, total))
        return (index + 1) * 127.5

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return (*input_shape[:-1], len(self.bands) + len(self.indices))

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is made from."""
        return {**super().get_config(), "bands": self.bands, "indices": self.indices}


def _check(index: str, bands: str) -> None:
    if index not in INDICES:
        raise unknown_name("index", index, list(INDICES))
    needed = sorted(INDICES[index], key="RGBN".index)
    if missing := [band for band in needed if band not in bands]:
        raise UserError(
            f"indices {index} needs bands {' and '.join(needed)}, received {bands}. "
            f"Give --images tif --bands {bands}{''.join(missing)}."
        )
