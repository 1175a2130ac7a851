"""The rules where scores are judged: nothing is decided, scores are submitted."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from submissions.decide.calibration import PLATT, Calibration


class ScoreRule:
    """Submits scores as they are.

    Args:
        margin: how far from 0 and 1 scores stay: by a log loss one sure score that is wrong costs more than a
            thousand that are right.
        as_shares: bring a chip's scores to a sum of 1, as a log loss of classes has them.

    Attributes:
        learns: whether what it submits depends on what it is fitted to.
        cuts: None, as it decides nothing.
        exclusive: False, as what is not decided cannot be one of a group.

    Example:
        >>> ScoreRule().fit(np.zeros((1, 1)), np.zeros((1, 1), dtype=bool)).predict(np.array([[0.25, 2.0]]))
        array([[0.25, 1.  ]], dtype=float32)
    """

    learns = False
    cuts: None = None
    exclusive: bool = False

    def __init__(self, margin: float = 0.0, *, as_shares: bool = False) -> None:
        self.margin, self.as_shares = margin, as_shares

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Return itself."""
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the scores (num_chips, num_labels), none outside of [0, 1]."""
        scores = np.clip(scores, self.margin, 1 - self.margin)
        if self.as_shares:
            scores = scores / np.maximum(scores.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return np.asarray(scores, dtype=np.float32)


class CalibratedRule(ScoreRule):
    """Submits calibrated scores, which a log loss asks for; a ranking metric hardly minds.

    Args:
        calibration: see `Calibration`.
        margin, as_shares: as `ScoreRule`.
    """

    learns = True

    def __init__(self, calibration: str = PLATT, margin: float = 0.0, *, as_shares: bool = False) -> None:
        super().__init__(margin, as_shares=as_shares)
        self.calibration = Calibration(calibration)

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Calibrate scores (num_chips, num_labels)."""
        self.calibration.fit(scores, truth)
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the calibrated scores (num_chips, num_labels)."""
        return super().predict(self.calibration.predict(scores))
