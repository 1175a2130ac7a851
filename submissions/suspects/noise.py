"""How likely each label of a chip is to be wrong, by scores of networks that did not see the chip.

Scores alone cannot tell a wrong label from a hard chip. What they can tell: of the chips said to carry a label, how many
look just like the bulk of those that do not. With scores in bins, the share of chips that carry the label is observed in
each; where it is least and does not fall any further however low the scores get, it is what wrong labels leave. That is
the assumption of anchor points: somewhere among the scores there is no doubt, and what contradicts them there is noise.
It is counted once for labels that are there wrongly and once for those that are missing.

Source: Liu and Tao, "Classification with Noisy Labels by Importance Reweighting", TPAMI 2016, for the anchors; Northcutt,
Jiang and Chuang, "Confident Learning", JAIR 2021, for wrong labels by out-of-fold scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from submissions.decide.calibration import Calibration

ANCHOR = 0.25
SUREST = 0.02
MOST = 0.1


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
        truth: bool array (num_chips,), as the labels say.
    """
    said = Calibration("platt").fit(scores[:, None], truth[:, None]).predict(scores[:, None])[:, 0]
    added, dropped = _floor(said, truth), _floor(1 - said, ~truth)
    said = np.clip(said, max(added, 1e-9), 1 - max(dropped, 1e-9))
    there = (said - added) / (1 - added - dropped)
    wrong = np.where(truth, added * (1 - there) / said, dropped * there / (1 - said))
    return Noise(added, dropped, wrong)


def _floor(said: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return how likely a label is said to be, and how often it is there, where it is the least likely."""
    low = said <= np.quantile(said, ANCHOR)
    floor = min(float(np.quantile(said, SUREST)), float(truth[low].mean()))
    return floor if floor <= MOST else 0.0
