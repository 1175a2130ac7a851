"""The noise of scoring a place again: how far scores move from one date to another where nothing has changed.

Measured in log odds on the scene itself: on cells that are far below the cut, of which nearly all are as they were. The
light, the season and the sensor shift all scores (`shift`) and scatter them (`spread`). Cells are chosen by the mean of
both dates' log odds, as those chosen by one date's are drawn back towards the mean by the other's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtr

STEPS = 254  # of a score, by which the cells of two dates are counted
LEAST = 4 / STEPS  # score below which steps are too coarse for log odds
BELOW = 1.0  # log odds that a cell's mean must be below the cut
FEWEST = 200  # cells to measure noise on
UNMEASURED = 0.5  # spread that is taken where there are fewer
MARGIN = 2.0  # spreads between the cut and what a cell must fall below to count as not there


@dataclass(frozen=True)
class Noise:
    """How a label's scores move where nothing has changed.

    Attributes:
        shift: median of the later log odds less the earlier ones.
        spread: standard deviation of that, robust.
        cells: on which both were measured; 0: they could not be, and are taken.
    """

    shift: float
    spread: float
    cells: int

    @classmethod
    def of(cls, counts: NDArray[np.int64], cut: float) -> Noise:
        """Measure it.

        Args:
            counts: cells by their steps on the first and the second date, int64 array (STEPS + 1, STEPS + 1).
            cut: of the label.
        """
        odds = _odds()
        mean, moved = (odds[:, None] + odds) / 2, odds - odds[:, None]
        quiet = (mean >= logit(LEAST)) & (mean < logit(cut) - BELOW) & (counts > 0)
        if (cells := int(counts[quiet].sum())) < FEWEST:
            return cls(0.0, UNMEASURED, 0)
        # Not the median of distances: steps are coarse, so that it may be that of no step at all.
        low, middle, high = _quantiles(moved[quiet], counts[quiet], (0.1587, 0.5, 0.8413))
        return cls(middle, (high - low) / 2, cells)

    def low(self, cut: float) -> float:
        """Return the score below which a cell counts as not there: between that and the cut, nothing has changed."""
        return float(expit(logit(cut) - MARGIN * self.spread))

    def made(self, counts: NDArray[np.int64], cut: float) -> tuple[float, float]:
        """Return how many cells would appear, and how many would go, by noise alone.

        Args:
            counts: as of `of`.
            cut: of the label.
        """
        odds, spread = _odds(), max(self.spread, 1e-6)
        mean, high, low = (odds[:, None] + odds) / 2, logit(cut), logit(self.low(cut))
        # By the mean of both dates, which noise leaves as it is: of one date, the highest are those that noise raised.
        appear = ndtr((self.shift - np.maximum(2 * (high - mean), 2 * (mean - low))) / spread)
        go = ndtr((np.minimum(2 * (mean - high), 2 * (low - mean)) - self.shift) / spread)
        return float((counts * appear).sum()), float((counts * go).sum())


def _odds() -> NDArray[np.float64]:
    """Return the log odds of each step, in the middle of it, so that none is infinite."""
    middle = (np.arange(STEPS + 1) + 0.5) / (STEPS + 1)
    return np.asarray(logit(middle), dtype=np.float64)


def _quantiles(values: NDArray[np.float64], counts: NDArray[np.int64], shares: tuple[float, ...]) -> list[float]:
    """Return quantiles of values that occur so often, between values by their shares."""
    single, place = np.unique(values, return_inverse=True)
    many = np.bincount(place, weights=counts)
    return [float(each) for each in np.interp(shares, (np.cumsum(many) - many / 2) / many.sum(), single)]
