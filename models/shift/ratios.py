"""From log odds of being to predict to what labelled chips weigh, so that together they look like those to predict.

How likely a chip's features are among the chips to predict, over how likely they are among the labelled ones, is
p / (1 - p) times the ratio of the sizes of both (Bickel, Brückner and Scheffer 2007), if p means what it says.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST = 20.0  # of a weight, in those of the mean chip: one chip shall not stand for more


def ratios(log_odds: NDArray[np.float64], is_test: NDArray[np.bool_], folds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the weights (num_labelled,) of labelled chips, of mean 1.

    Log odds are calibrated by a rising function (isotonic regression) fitted to the other folds', so that nothing is
    made of odds that say nothing, and clipped at `LARGEST`.

    Args:
        log_odds: float array (num_chips,), cross-fitted.
        is_test: bool array (num_chips,).
        folds: int array (num_chips,).
    """
    found = np.empty(len(log_odds))
    for fold in np.unique(folds):
        held = folds == fold
        found[held] = _calibrated(log_odds[~held], is_test[~held], log_odds[held])
    weights = np.minimum(found[~is_test] / found[~is_test].mean(), LARGEST)
    return np.asarray(weights / weights.mean())


def _calibrated(
    learnt: NDArray[np.float64], is_test: NDArray[np.bool_], held: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the ratios of densities of held-out chips."""
    from sklearn.isotonic import IsotonicRegression

    rising = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(learnt, is_test)
    share = rising.predict(held)
    size = len(is_test)
    # As if one more chip of each kind stood at every place, lest a few chips be taken for none or all.
    share = (share * size + 1) / (size + 2)
    return np.asarray(share / (1 - share) * ((~is_test).sum() / is_test.sum()))
