"""What is kept of a picture to find others like it: the digest of its pixels, and the signs of its gradients.

Source: the dHash of N. Krawetz, "Kind of Like That", 2013, here of 8 x 8 cells across and down: 128 bits.
"""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

CELLS = 8  # along each side, of which the signs of the gradients are kept
SEEN = 64  # pixels along a side of what gradients are taken from; of more, every second, third, ...

# What is kept of a chip, to find pictures like it.
PRINT = np.dtype([("digest", "S16"), ("bits", "u1", (CELLS * CELLS // 4,)), ("contrast", "f4")])


def fingerprint(chip: NDArray[Any], grey: NDArray[np.float32]) -> tuple[bytes, NDArray[np.uint8], float]:
    """Return what is kept of a chip, as `PRINT` has it.

    Args:
        chip: array (height, width, num_bands), as it was read.
        grey: the mean of its bands, as `to_grey` returns it.
    """
    content = hashlib.sha256(repr(chip.shape).encode())
    content.update(np.ascontiguousarray(chip).data)
    cells = shrink(grey, CELLS + 1)
    signs = np.empty((2, CELLS, CELLS), bool)
    np.greater(cells[:-1, 1:], cells[:-1, :-1], out=signs[0])
    np.greater(cells[1:, :-1], cells[:-1, :-1], out=signs[1])
    flat = cells.ravel() - cells[0, 0]  # about 0, for the sake of the digits of the squares
    variance = float(flat @ flat) / flat.size - (float(flat.sum()) / flat.size) ** 2
    return content.digest()[:16], np.packbits(signs), max(variance, 0.0) ** 0.5


def to_grey(chip: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the mean of the bands at as many pixels as fingerprints need, and the mean of each band.

    Args:
        chip: array (height, width, num_bands).

    Returns:
        Two float arrays: (rows, columns), at most twice `SEEN` of each, and (num_bands,).
    """
    height, width, bands = chip.shape
    part = chip[:: max(1, height // SEEN), :: max(1, width // SEEN)]
    # Matrix products: of arrays as small as these, NumPy's means take several times as long.
    pixels: NDArray[np.float32] = part.astype(np.float32).reshape(-1, bands)
    grey: NDArray[np.float32] = (pixels @ np.full(bands, 1 / bands, np.float32)).reshape(part.shape[:2])
    return grey, np.full(len(pixels), 1 / len(pixels), np.float32) @ pixels


def shrink(grey: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return an array (rows, columns) as `size` x `size` means of areas."""
    rows, columns = grey.shape
    return (_areas(rows, size) @ grey @ _areas(columns, size).T).astype(np.float32, copy=False)


@functools.lru_cache(maxsize=256)
def _areas(pixels: int, cells: int) -> NDArray[np.float32]:
    """Return the weights (cells, pixels) of means over equal parts of a side."""
    edges = np.linspace(0, pixels, cells + 1)
    starts, stops, at = edges[:-1, None], edges[1:, None], np.arange(pixels)
    overlap = np.clip(np.minimum(stops, at + 1) - np.maximum(starts, at), 0, None)
    return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)
