"""Every pair of submissions: what the better of the two is expected to score, and how often another pair would win."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pair:
    """Two submissions, on the same draws of private scores as every other pair.

    Attributes:
        first, second: columns of the draws; the first is expected to score more.
        expected: mean of the better of the two.
        behind: how much less than that of the pair of the highest mean.
        error: standard error of `behind`, as draws are finitely many.
        wins: share of the draws in which the better of these two beats the better of that pair.
        same: share of those in which it is the same.
    """

    first: int
    second: int
    expected: float
    behind: float
    error: float
    wins: float
    same: float


def rank_pairs(draws: NDArray[np.float64]) -> list[Pair]:
    """Return every pair, the best first.

    Args:
        draws: float array (num_draws, num_submissions) of private scores; more is better.

    Raises:
        ValueError: if there are fewer than two submissions.

    Example:
        >>> best, *_ = rank_pairs(np.array([[0.9, 0.1, 0.8], [0.1, 0.8, 0.2]]))
        >>> best.first, best.second, round(best.expected, 3)  # not the two of the highest mean: these fail together
        (0, 1, 0.85)
    """
    if draws.shape[1] < 2:
        raise ValueError(f"A pair needs two submissions, received {draws.shape[1]}.")
    order = np.argsort(-draws.mean(axis=0), kind="stable")
    columns = np.ascontiguousarray(draws.T)
    pairs = [(int(order[i]), int(order[j])) for i, j in combinations(range(len(order)), 2)]
    expected = np.array([np.maximum(columns[i], columns[j]).mean() for i, j in pairs])
    best = pairs[int(expected.argmax())]
    reference = np.maximum(columns[best[0]], columns[best[1]])
    ranked = []
    for number in np.argsort(-expected, kind="stable"):
        i, j = pairs[number]
        gained = np.maximum(columns[i], columns[j]) - reference
        error = float(gained.std() / np.sqrt(len(gained)))
        wins, same = float((gained > 0).mean()), float((gained == 0).mean())
        ranked.append(Pair(i, j, float(expected[number]), 0.0 - float(gained.mean()), error, wins, same))
    return ranked
