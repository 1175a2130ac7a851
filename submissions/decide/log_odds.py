"""Scores as log odds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TINY = 1e-6  # scores of 0 and 1 are taken for this far from them, where a logarithm is


def logit(scores: NDArray[Any]) -> NDArray[Any]:
    """Return the log odds of scores, of those nearer to 0 or 1 than `TINY` as if they were that near."""
    clipped = np.clip(scores, TINY, 1 - TINY)
    return np.asarray(np.log(clipped / (1 - clipped)))


def sigmoid(logits: NDArray[Any]) -> NDArray[Any]:
    """Return the scores of log odds."""
    return np.asarray(1 / (1 + np.exp(-logits)))
