"""Resizing within a network."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray


@keras.saving.register_keras_serializable(package="planet")
class Resize(layers.Layer):
    """Resize square chips by bicubic interpolation, as Pillow does, smoothing before it makes them smaller.

    Two multiplications by fixed matrices: every backend and every format of exported networks knows them, while the
    backends' own bicubic resizing differs between them, and OpenVINO does not take TensorFlow's.

    Args:
        size: pixels along each side of what it returns.
    """

    def __init__(self, size: int, **options: Any) -> None:
        super().__init__(**options)
        self.size = size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the matrix for chips of that size."""
        self.matrix = bicubic(int(input_shape[1] or 0), self.size)

    def call(self, chips: Any) -> Any:
        """Return chips (num_chips, size, size, num_bands)."""
        _, height, width, bands = chips.shape
        matrix = ops.convert_to_tensor(self.matrix, dtype=chips.dtype)
        tall = ops.matmul(matrix, ops.reshape(chips, (-1, height, width * bands)))
        return ops.matmul(matrix, ops.reshape(tall, (-1, self.size, width, bands)))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of what it returns."""
        return (input_shape[0], self.size, self.size, input_shape[3])

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is rebuilt from."""
        return {**super().get_config(), "size": self.size}


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
