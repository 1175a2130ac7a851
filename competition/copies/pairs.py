"""Pairs of pictures that are equal, and pairs that are nearly so, found without comparing each with each.

Equal ones have one digest of their pixels. Nearly equal ones, such as a copy saved anew or at another size, have
gradients of nearly the same signs (a difference hash, here of 8 x 8 cells across and down: 128 bits). Sorted by these
bits, begun at each quarter word in turn, two such chips lie side by side in one of the orders; so the work grows with
the number of chips and not with its square. Smooth and hazy chips have similar gradients without being copies: chips
without contrast are left out, and each match is confirmed on the pixels.

Source: the dHash of N. Krawetz, "Kind of Like That", 2013; the sorted neighbourhood of Hernandez and Stolfo, 1995.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from competition.copies.prints import shrink, to_grey

ORDERS, NEIGHBOURS = 8, 6  # sortings, and chips that each is compared with in each of them
MOST_BITS = 16  # of 128 that may differ; a JPEG saved anew at quality 75 differs in 3 of them, 12 at most (99 %)
THUMB = 32
# Correlation at 32 x 32, slopes taken off, from which two are copies. Saved anew at quality 75, 19 of 20 chips of a
# forest reach it, at half the size 9 of 10; no two of 97,228 different ones are above 0.72, though 0.97 with slopes.
CONFIRMED = 0.94
CAST = 0.2  # by which the level of a band, relative to the mean of all, may differ between copies
CONTRAST = 2 / 255  # standard deviation of the cells, as a part of the range, below which a chip is flat
MOST_PAIRS = 20_000  # confirmed on the pixels, the most alike first
BATCH = 2048
Pairs = NDArray[np.int64]


def equal_pairs(digests: NDArray[np.bytes_]) -> Pairs:
    """Return pairs (num_pairs, 2) of equal pictures: of several, the first with each of the others.

    Args:
        digests: of the pictures' pixels.
    """
    _, first, group = np.unique(digests, return_index=True, return_inverse=True)
    others = np.flatnonzero(first[group] != np.arange(len(digests)))
    return np.stack([first[group][others], others], axis=1)


def alike(prints: NDArray[Any], levels: NDArray[np.float32], full: float) -> Pairs:
    """Return pairs (num_pairs, 2) that may be nearly equal, the most alike first; equal ones are not among them.

    Args:
        prints: of the chips, of type `PRINT`.
        levels: mean of each band (num_chips, num_bands).
        full: the range of the values, against which contrast is judged.
    """
    _, first = np.unique(prints["digest"], return_index=True)
    chips = np.sort(first[prints["contrast"][first] >= CONTRAST * full])
    bits = np.ascontiguousarray(prints["bits"][chips])
    words = bits.view("<u8")
    found = [np.empty((0, 3), np.int64)]
    for turn in range(0, bits.shape[1], bits.shape[1] // ORDERS):
        keys = np.ascontiguousarray(np.roll(bits, -turn, axis=1)).view(">u8")
        order = np.lexsort(keys.T[::-1])
        for step in range(1, NEIGHBOURS + 1):
            one, other = order[:-step], order[step:]
            differing = np.bitwise_count(words[one] ^ words[other]).sum(axis=1, dtype=np.int64)
            near = differing <= MOST_BITS
            ends = np.sort(chips[np.stack([one[near], other[near]], axis=1)], axis=1)
            found.append(np.column_stack([differing[near], ends]))
    pairs = np.unique(np.concatenate(found), axis=0)[:, 1:]
    casts = levels / np.maximum(np.abs(levels).mean(axis=1, keepdims=True), 1e-9)
    return pairs[(np.abs(casts[pairs[:, 0]] - casts[pairs[:, 1]]) <= CAST).all(axis=1)]


def confirmed(pairs: Pairs, read: Callable[[int], NDArray[Any]]) -> Pairs:
    """Return those pairs whose pixels agree.

    Args:
        pairs: as `alike` returns them.
        read: decodes a chip, by its number in the pairs.
    """

    def thumb(number: int) -> NDArray[np.float32]:
        pixels = shrink(to_grey(read(number))[0], THUMB).ravel()
        detail = pixels - slopes @ (slopes.T @ pixels)
        return detail / max(float(np.linalg.norm(detail)), 1e-9)

    slopes, kept = _slopes(THUMB), [np.empty((0, 2), np.int64)]
    with ThreadPoolExecutor(2 * cpu_count()) as pool:
        for start in range(0, len(pairs), BATCH):
            batch = pairs[start : start + BATCH]
            chips = np.unique(batch)
            thumbs = np.stack(list(pool.map(thumb, chips.tolist())))
            one, other = thumbs[np.searchsorted(chips, batch)].swapaxes(0, 1)
            agreement = np.einsum("pi,pi->p", one, other)
            kept.append(batch[agreement >= CONFIRMED])
    return np.concatenate(kept)


def _slopes(size: int) -> NDArray[np.float32]:
    """Return an orthonormal basis (size * size, 3) of pictures of one colour, and of even slopes."""
    across, down = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    planes = np.stack([np.ones(size * size), across.ravel(), down.ravel()], axis=1)
    return np.linalg.qr(planes)[0].astype(np.float32)
