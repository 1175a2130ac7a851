"""Made-up members for the tests of combiners."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from competition.spec.metric import Metric

F2 = Metric(average="samples", beta=2.0)
NAMES = ("good", "fair", "noise")
SHARES = np.array([0.8, 0.4, 0.2, 0.05])  # of the chips that carry each label


def draw_members(num_chips: int = 1200, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return scores of a good member, a fair one and one that says nothing, and the truth."""
    random = np.random.default_rng(seed)
    truth = random.random((num_chips, 4)) < SHARES
    known = np.where(truth, 1.0, -1.0)
    log_odds = [logit(SHARES) + strength * known + random.normal(size=truth.shape) for strength in (2.0, 1.0, 0.0)]
    return expit(np.stack(log_odds)).astype(np.float32), truth
