"""Sensitivity, specificity, precision and F-beta of counted cells, with intervals over blocks of ground.

Neighbouring cells share windows, clouds and the river that runs through them: they are not independent, and an interval
over cells is far too narrow. So blocks of ground are drawn again with replacement, each with all of its cells.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

ABSENT, FALSE, MISSED, FOUND = range(4)  # kinds of cells: 2 x (is true) + (is decided)
FEWEST = 5  # blocks with cells that a figure is of, below which its interval is not known
DRAWS = 2000
LEVEL = 95  # percent

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole > 0))


def f_beta(counts: Floats, beta: float) -> Floats:
    """Return the F-beta of counts (..., 4); NaN where there is nothing to find and nothing decided."""
    found = (1 + beta**2) * counts[..., FOUND]
    return _share(found, found + beta**2 * counts[..., MISSED] + counts[..., FALSE])


FIGURES: dict[str, Callable[[Floats], Floats]] = {
    "sensitivity": lambda counts: _share(counts[..., FOUND], counts[..., FOUND] + counts[..., MISSED]),
    "specificity": lambda counts: _share(counts[..., ABSENT], counts[..., ABSENT] + counts[..., FALSE]),
    "precision": lambda counts: _share(counts[..., FOUND], counts[..., FOUND] + counts[..., FALSE]),
    "F2": lambda counts: f_beta(counts, 2.0),
    "F0.5": lambda counts: f_beta(counts, 0.5),
}
OF = {"specificity": (ABSENT, FALSE), "precision": (FALSE, FOUND)}  # kinds of cells of a figure; others: of the true


def intervals(counts: Counts, draws: int = DRAWS, seed: int = 0) -> dict[str, tuple[float, float]]:
    """Return the 95 % interval of each figure, NaN where it is of cells in fewer than `FEWEST` blocks.

    Args:
        counts: of cells by block and kind, int array (num_blocks, 4).
        draws: of blocks.
        seed: of the draws.
    """
    held = counts[counts.any(axis=1)].astype(np.float64)
    num, wide = len(held), (float("nan"), float("nan"))
    if num < FEWEST:
        return dict.fromkeys(FIGURES, wide)
    times = np.random.default_rng(seed).multinomial(num, np.full(num, 1 / num), size=draws)
    drawn, found = times @ held, {}
    for name, figure in FIGURES.items():
        of = held[:, OF.get(name, (MISSED, FOUND))].any(axis=1).sum()
        values = figure(drawn)
        low, high = np.nanpercentile(values, ((100 - LEVEL) / 2, (100 + LEVEL) / 2)) if of >= FEWEST else wide
        found[name] = (float(low), float(high))
    return found


def average_precision(codes: NDArray[np.int64]) -> float:
    """Return the average precision of scores, NaN where nothing is true.

    Args:
        codes: how many cells have each number on disk, int array (2, num_codes): those that are not true, and are.
    """
    false, true = np.cumsum(codes[:, ::-1], axis=1).astype(np.float64)
    if not true[-1]:
        return float("nan")
    precision = true / np.maximum(false + true, 1)
    return float((precision * np.diff(true, prepend=0)).sum() / true[-1])
