"""The area under the ROC curve of labelled chips against those to predict, within folds, with weights and its error."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from folds.store.chip_weights import effective

FEWEST = 20  # effective chips on either side, below which there is no figure
SURE = 3.0  # standard errors from a half, of what is said to differ: of 20 labels, chance moves one in 5 % of runs


# Where there is nothing to learn, what one fold happens to share with the others each of these shares with it: areas of
# two folds have a correlation of 1 / (k - 1), and their mean twice the variance. Of 100 sets of 300 chips each, areas
# lay 1.35 (k = 3) and 1.46 (k = 5) times as far apart as DeLong's error says. Where there is a shift, it is less.
SHARED = float(np.sqrt(2))


class Area(NamedTuple):
    """How well a number tells chips to predict from labelled ones.

    Attributes:
        value: how often a chip to predict has more of it than a labelled one, equal ones counting half: .5 where it
            tells nothing; NaN where there are too few chips.
        error: standard error of that over chips; NaN where these come in groups, so that it is not known.
    """

    value: float
    error: float

    @property
    def sigmas(self) -> float:
        """How many standard errors it is away from a half; 0 where there is no figure."""
        return (self.value - 0.5) / self.error if self.error > 0 else 0.0

    @property
    def differs(self) -> bool:
        """Whether that is more than chance does."""
        return abs(self.sigmas) > SURE

    def text(self) -> str:
        """Return both, for a table."""
        if np.isnan(self.value):
            return ""
        return f"{self.value:.4f}" if np.isnan(self.error) else f"{self.value:.4f} ± {self.error:.4f}"

    @property
    def without_error(self) -> Area:
        """The same of chips that come in groups: nothing differs by it."""
        return Area(self.value, float("nan"))


NOTHING = Area(float("nan"), float("nan"))


def area(
    values: NDArray[np.floating],
    is_test: NDArray[np.bool_],
    folds: NDArray[np.int64],
    weights: NDArray[np.floating] | None = None,
    *,
    learnt: bool = False,
) -> Area:
    """Return the area of numbers, compared within folds: across them they are those of different classifiers.

    Where each pair counts for the product of its weights, the error is that of the two self-normalised means (as of
    DeLong, DeLong and Clarke-Pearson 1988, with weights of 1). Folds count by their chips.

    Args:
        values: float array (num_chips,).
        is_test: bool array (num_chips,), whether a chip is to be predicted.
        folds: int array (num_chips,), which chips are compared with each other.
        weights: float array (num_chips,), at least 0; None: all count the same.
        learnt: the numbers come from classifiers of the other folds, which have most chips in common.
    """
    counts = (np.ones(len(values)) if weights is None else weights).astype(np.float64)
    if min(effective(counts[is_test]), effective(counts[~is_test])) < FEWEST:
        return NOTHING
    parts = []
    for fold in np.unique(folds):
        ours, theirs = (np.flatnonzero((folds == fold) & (is_test == side) & (counts > 0)) for side in (False, True))
        if len(ours) and len(theirs):
            value, variance = _of_fold(values[ours], counts[ours], values[theirs], counts[theirs])
            parts.append((value, variance, len(ours) + len(theirs)))
    if not parts:
        return NOTHING
    found, variances, sizes = np.array(parts).T
    shares = sizes / sizes.sum()
    error = float(np.sqrt(shares**2 @ variances)) * (SHARED if learnt else 1)
    return Area(float(shares @ found), error)


def _of_fold(
    ours: NDArray[np.floating], our_weights: NDArray[np.float64],
    theirs: NDArray[np.floating], their_weights: NDArray[np.float64],
) -> tuple[float, float]:  # fmt: skip
    """Return the area of some chips and the variance of that."""
    below = _share_below(ours, our_weights, theirs)
    above = 1 - _share_below(theirs, their_weights, ours)
    our_weights, their_weights = our_weights / our_weights.sum(), their_weights / their_weights.sum()
    value = float(their_weights @ below)
    variance = (their_weights**2) @ (below - value) ** 2 + (our_weights**2) @ (above - value) ** 2
    return value, float(variance)


def _share_below(
    values: NDArray[np.floating], weights: NDArray[np.float64], of: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return for each number the weighed share of `values` below it, those that equal it counting half."""
    order = np.argsort(values, kind="stable")
    ranked, sums = values[order], np.concatenate([[0.0], np.cumsum(weights[order])])
    left, right = (sums[np.searchsorted(ranked, of, side=side)] for side in ("left", "right"))
    return np.asarray((left + right) / (2 * sums[-1]))
