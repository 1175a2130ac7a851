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

    Attributes:
        cuts: None, as it decides nothing.
        exclusive: False, as what is not decided cannot be one of a group.

    Example:
        >>> ScoreRule().fit(np.zeros((1, 1)), np.zeros((1, 1), dtype=bool)).predict(np.array([[0.25, 2.0]]))
        array([[0.25, 1.  ]], dtype=float32)
    """

    cuts: None = None
    exclusive: bool = False

    def __init__(self, margin: float = 0.0) -> None:
        self.margin = margin

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Return itself."""
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the scores (num_chips, num_labels), none outside of [0, 1]."""
        return np.clip(scores, self.margin, 1 - self.margin).astype(np.float32)


class CalibratedRule(ScoreRule):
    """Submits calibrated scores, which a log loss asks for; a ranking metric hardly minds.

    Args:
        calibration: see `Calibration`.
        margin: as `ScoreRule`.
    """

    def __init__(self, calibration: str = PLATT, margin: float = 0.0) -> None:
        super().__init__(margin)
        self.calibration = Calibration(calibration)

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Calibrate scores (num_chips, num_labels)."""
        self.calibration.fit(scores, truth)
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the calibrated scores (num_chips, num_labels)."""
        return super().predict(self.calibration.predict(scores))
