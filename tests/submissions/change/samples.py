"""Two dates whose scores a test says."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

CUT, HOVER, LOW = 0.5, 0.4, 0.1  # there; not there, but by less than the usual margin; not there


def with_noise(scores: NDArray[Any], spread: float, seed: int) -> NDArray[np.float32]:
    """Return scores whose log odds are moved by as much, cell by cell."""
    clipped = np.clip(scores, 0.02, 0.98)
    odds = np.log(clipped / (1 - clipped)) + np.random.default_rng(seed).normal(0, spread, clipped.shape)
    return (1 / (1 + np.exp(-odds))).astype(np.float32)
