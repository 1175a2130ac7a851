"""Calibration: curves that make a score say how often its label is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import unknown_name
from submissions.decide.log_odds import TINY, log_odds
from submissions.names import PLATT

WEAK = 10.0  # inverse penalty of the regressions: next to none, but where a label is told without a mistake
Curve = Callable[[NDArray[Any]], NDArray[Any]]


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


def platt(scores: NDArray[Any], truth: NDArray[np.bool_]) -> Curve:
    """Return a logistic curve of the log odds of scores (num_chips,) (Platt 1999)."""
    return _regression(scores, truth, lambda asked: log_odds(asked)[:, None])


def beta(scores: NDArray[Any], truth: NDArray[np.bool_]) -> Curve:
    """Return a logistic curve of the logarithms of a score and of what it leaves to 1, by which it may bend.

    Source: Kull, Silva Filho and Flach, "Beta calibration", AISTATS 2017.
    """

    def logarithms(asked: NDArray[Any]) -> NDArray[Any]:
        return np.stack([np.log(np.maximum(asked, TINY)), -np.log(np.maximum(1 - asked, TINY))], axis=1)

    return _regression(scores, truth, logarithms)


def isotonic(scores: NDArray[Any], truth: NDArray[np.bool_]) -> Curve:
    """Return any rising steps."""
    from sklearn.isotonic import IsotonicRegression

    steps: Curve = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, truth).predict
    return steps


KINDS: dict[str, Callable[[NDArray[Any], NDArray[np.bool_]], Curve]] = {
    PLATT: platt,
    "beta": beta,
    "isotonic": isotonic,
}


def _regression(scores: NDArray[Any], truth: NDArray[np.bool_], columns: Curve) -> Curve:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=WEAK, max_iter=1000).fit(columns(scores), truth)
    return lambda asked: model.predict_proba(columns(asked))[:, 1]
