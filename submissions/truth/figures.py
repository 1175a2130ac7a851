"""Sensitivity, specificity, precision and F-beta of counted cells, with intervals over blocks of ground.

Neighbouring cells share windows, clouds and the river that runs through them: they are not independent, and an interval
over cells is far too narrow. Each figure is a ratio of sums over blocks, and its interval the usual one of such a
ratio: linearised, on the scale of log odds, by Student's t with as many degrees of freedom as blocks that hold such
cells, less one. On 400 made fields each, of 16 to 64 blocks, 85 to 91 of a hundred intervals hold the true value where
blocks are four times as wide as what is alike in them, and 88 to 94 where they are seven to fourteen times as wide, as
blocks that touch are alike, too; of intervals over cells 14 to 38. So they are called 95 %, and are nearer to 90 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import t as student

ABSENT, FALSE, MISSED, FOUND = range(4)  # kinds of cells: 2 x (is true) + (is decided)
FEWEST = 5  # blocks with cells that a figure is of, below which its interval is not known
LEVEL = 0.95

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Ratio:
    """A figure: a share of cells, each as often as its kind says.

    Attributes:
        part: how often cells of each kind count above the line.
        whole: and below it.
        of: kinds of cells that the figure is of.
    """

    part: tuple[float, float, float, float]
    whole: tuple[float, float, float, float]
    of: tuple[int, int]

    def value(self, counts: Counts) -> float:
        """Return it for counts (num_blocks, 4); NaN where there is nothing that it is of."""
        part, whole = counts.sum(axis=0) @ np.array([self.part, self.whole]).T
        return float(part / whole) if whole else float("nan")

    def interval(self, counts: Counts) -> tuple[float, float]:
        """Return its 95 % interval for counts (num_blocks, 4).

        NaN where fewer than `FEWEST` blocks have cells that it is of, and where it is 0 or 1: nothing then says how
        much blocks differ.
        """
        value, num = self.value(counts), int(counts[:, self.of].any(axis=1).sum())
        if num < FEWEST or not 0 < value < 1:
            return float("nan"), float("nan")
        part, whole = (counts @ np.array([self.part, self.whole]).T).T
        error = np.sqrt(num / (num - 1) * ((part - value * whole) ** 2).sum()) / whole.sum()
        reach = student.ppf((1 + LEVEL) / 2, num - 1) * error / (value * (1 - value))
        low, high = expit(logit(value) + np.array([-reach, reach]))
        return float(low), float(high)


def f_beta(beta: float) -> Ratio:
    """Return the F-beta, which is NaN where there is nothing to find and nothing decided."""
    square = beta**2
    return Ratio((0, 0, 0, 1 + square), (0, 1, square, 1 + square), (MISSED, FOUND))


FIGURES = {
    "sensitivity": Ratio((0, 0, 0, 1), (0, 0, 1, 1), (MISSED, FOUND)),
    "specificity": Ratio((1, 0, 0, 0), (1, 1, 0, 0), (ABSENT, FALSE)),
    "precision": Ratio((0, 0, 0, 1), (0, 1, 0, 1), (FALSE, FOUND)),
    "F2": f_beta(2.0),
    "F0.5": f_beta(0.5),
}


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
