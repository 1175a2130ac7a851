"""How likely each label of a chip is to be wrong, by scores of networks that did not see the chip.

Scores alone cannot tell a wrong label from a hard chip. What they can tell: how many of the chips said to carry a label
look just like the bulk of those that do not. The share of chips said to carry it rises with the score along a curve;
but however low the score, it does not fall below what wrong labels leave, and however high, it does not reach 1. So the
curve is a logistic one between two levels, the rates of guesses and lapses of a psychometric function. What it cannot
tell apart are slips of whoever labelled, and objects that are there and cannot be seen.

Source: Wichmann and Hill, "The psychometric function I", Perception & Psychophysics 2001, for the curve; Liu and Tao,
"Classification with Noisy Labels by Importance Reweighting", TPAMI 2016, for reading noise off the surest scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

TINY = 1e-6
MOST_WRONG = 0.1  # share of wrong labels, beyond which the scores are in doubt themselves


@dataclass(frozen=True, eq=False)
class Noise:
    """What one label's scores say of wrong labels.

    Attributes:
        added: share of the chips without the label that are said to carry it.
        dropped: share of the chips with it that are said not to.
        wrong: float array (num_chips,): how likely each chip's label is to be wrong.
    """

    added: float
    dropped: float
    wrong: NDArray[np.float64]


def noise_of(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> Noise:
    """Return how likely each chip's label is to be wrong.

    Args:
        scores: float array (num_chips,), out-of-fold.
        truth: bool array (num_chips,), as the labels say; some carry it and some do not.
    """
    odds = logit(np.clip(scores.astype(np.float64), TINY, 1 - TINY))
    added, dropped, slope, middle = _curve(odds, truth)
    there = expit(slope * odds + middle)
    said = np.clip(added + (1 - added - dropped) * there, TINY, 1 - TINY)
    wrong = np.where(truth, added * (1 - there) / said, dropped * there / (1 - said))
    return Noise(added, dropped, wrong)


def _curve(odds: NDArray[np.float64], truth: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """Return the likeliest curve of the share that carries a label: lower and upper level, slope and middle."""
    sign = np.where(truth, 1.0, -1.0)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        added, dropped, slope, middle = values
        there = expit(slope * odds + middle)
        said = np.clip(added + (1 - added - dropped) * there, TINY, 1 - TINY)
        by_said = -sign / np.where(truth, said, 1 - said) / len(truth)
        by_place = by_said * (1 - added - dropped) * there * (1 - there)
        gradient = [(by_said * (1 - there)).sum(), -(by_said * there).sum(), (by_place * odds).sum(), by_place.sum()]
        return -float(np.log(np.where(truth, said, 1 - said)).mean()), np.array(gradient)

    bounds = ((0, MOST_WRONG), (0, MOST_WRONG), (0.05, 20), (-20, 20))
    starts = (0.0, MOST_WRONG / 4)
    found = [minimize(loss, (start, start, 1.0, 0.0), jac=True, bounds=bounds) for start in starts]
    added, dropped, slope, middle = min(found, key=lambda one: one.fun).x
    return float(added), float(dropped), float(slope), float(middle)
