"""From log odds of being to predict to what labelled chips weigh, so that together they look like those to predict.

How likely a chip's features are among the chips to predict, over how likely they are among the labelled ones, is
p / (1 - p) times the ratio of the sizes of both (Bickel, Brückner and Scheffer 2007), if p means what it says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST = 20.0  # of a weight, in those of the mean chip: one chip shall not stand for more
BINS, OF_BIN = 50, 100  # at most so many, of at least so many chips


def ratios(log_odds: NDArray[np.float64], is_test: NDArray[np.bool_], folds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weights (num_labelled,) of labelled chips, of mean 1 or, where many are clipped, near it.

    Log odds are calibrated by a rising function that is fitted to those of the other folds, so that nothing is made of
    odds that say nothing: cross-fitted ones as they are would take as many chips away where nothing has shifted (a
    tenth of planet32's) as where something has. Then they are clipped at `LARGEST`.

    Args:
        log_odds: float array (num_chips,), cross-fitted.
        is_test: bool array (num_chips,).
        folds: int array (num_chips,).
    """
    found = np.empty(len(log_odds))
    for fold in np.unique(folds):
        held = folds == fold
        found[held] = _calibrated(log_odds[~held], is_test[~held], log_odds[held])
    weights = found[~is_test]
    return np.asarray(np.minimum(weights / weights.mean(), LARGEST))


def _calibrated(
    learnt: NDArray[np.float64], is_test: NDArray[np.bool_], held: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the ratios of densities of held-out chips: isotonic regression on the means of bins.

    On single chips, the outermost would decide what the largest and the smallest weights are.
    """
    from sklearn.isotonic import IsotonicRegression

    count = max(2, min(BINS, len(learnt) // OF_BIN))
    bins = np.searchsorted(np.quantile(learnt, np.linspace(0, 1, count + 1)[1:-1]), learnt)
    sizes = np.bincount(bins, minlength=count)
    used = sizes > 0  # equal odds lie in one bin
    middles, tests = (np.bincount(bins, of, minlength=count)[used] for of in (learnt, is_test))
    # As if one more chip stood in each, a part of it to predict: no share is 0 or 1.
    shares = (tests + is_test.mean()) / (sizes[used] + 1)
    rising = IsotonicRegression(out_of_bounds="clip").fit(middles / sizes[used], shares, sample_weight=sizes[used])
    share = rising.predict(held)
    return np.asarray(share / (1 - share) * ((~is_test).sum() / is_test.sum()))
