"""Calibration: curves that make a score say how often its label is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import unknown_name
from submissions.decide.log_odds import TINY, from_log_odds, log_odds
from submissions.names import PLATT

WEAK = 10.0  # inverse penalty of the regressions: next to none, but where a label is told without a mistake


class Calibration:
    """Calibrates the scores of each label by itself; a label that none or all chips carry keeps its own.

    Args:
        kind: one of `KINDS`.

    Raises:
        UserError: if there is no such kind.

    Example:
        >>> scores, truth = np.array([[0.9], [0.9], [0.8], [0.8]]), np.array([[True], [False], [False], [False]])
        >>> Calibration("isotonic").fit(scores, truth).predict(np.array([[0.8], [0.85], [0.95]]))
        array([[0.  ],
               [0.25],
               [0.5 ]], dtype=float32)
    """

    curves: dict[int, Logistic | Steps]

    def __init__(self, kind: str) -> None:
        if kind not in KINDS:
            raise unknown_name("calibration", kind, list(KINDS))
        self.kind = kind

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Fit to scores (num_chips, num_labels) and truth (num_chips, num_labels)."""
        fit, learnt = KINDS[self.kind], truth.any(axis=0) & ~truth.all(axis=0)
        # In float32 sure scores have no curvature left.
        self.curves = {
            int(label): fit(scores[:, label].astype(np.float64), truth[:, label]) for label in np.flatnonzero(learnt)
        }
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the calibrated scores (num_chips, num_labels)."""
        calibrated = np.clip(scores, 0, 1).astype(np.float32)
        for label, curve in self.curves.items():
            calibrated[:, label] = np.clip(curve(scores[:, label].astype(np.float64)), 0, 1)
        return calibrated


@dataclass(frozen=True)
class Logistic:
    """A logistic curve of columns made of scores.

    Attributes:
        kind: which columns: one of `COLUMNS`.
        weights: of each column.
        bias: what is added.
    """

    kind: str
    weights: tuple[float, ...]
    bias: float

    @classmethod
    def fit(cls, kind: str, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Logistic:
        """Return the curve by which scores (num_chips,) are most likely."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=WEAK, max_iter=1000).fit(COLUMNS[kind](scores), truth)
        return cls(kind, tuple(model.coef_[0].tolist()), float(model.intercept_[0]))

    def __call__(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the calibrated scores (num_chips,)."""
        return from_log_odds(COLUMNS[self.kind](scores) @ np.array(self.weights) + self.bias)


@dataclass(frozen=True)
class Steps:
    """Any rising curve, by the scores where it bends and its values there.

    Attributes:
        at: scores, rising.
        values: of the curve.
    """

    at: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def fit(cls, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Steps:
        """Return the rising curve that is nearest to the truth (num_chips,)."""
        from sklearn.isotonic import IsotonicRegression

        model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, truth)
        return cls(tuple(model.X_thresholds_.tolist()), tuple(model.y_thresholds_.tolist()))

    def __call__(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return the calibrated scores (num_chips,)."""
        return np.interp(scores, self.at, self.values)


def _logarithms(scores: NDArray[Any]) -> NDArray[Any]:
    return np.stack([np.log(np.maximum(scores, TINY)), -np.log(np.maximum(1 - scores, TINY))], axis=1)


COLUMNS: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
    PLATT: lambda scores: log_odds(scores)[:, None],  # Platt 1999
    # A score and what it leaves to 1, by which the curve may bend: Kull, Silva Filho and Flach, "Beta calibration",
    # AISTATS 2017.
    "beta": _logarithms,
}
KINDS: dict[str, Callable[[NDArray[Any], NDArray[np.bool_]], Logistic | Steps]] = {
    **{kind: partial(Logistic.fit, kind) for kind in COLUMNS},
    "isotonic": Steps.fit,
}
