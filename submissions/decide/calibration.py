"""Calibration: scores that say how often a label is there, and the table that shows how far they do."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import unknown_name
from submissions.decide.log_odds import TINY, logit

PLATT = "platt"
WEAK = 10.0  # inverse penalty of the regressions: next to none, but where a label is told without a mistake


class Calibration:
    """Calibrates the scores of each label by itself; a label that none or all chips carry keeps its own.

    Args:
        kind: "platt" (a logistic curve of the log odds; Platt 1999), "beta" (of the logarithms of the score and of
            what it leaves, by which the curve may bend; Kull et al., AISTATS 2017) or "isotonic" (any rising steps).

    Raises:
        UserError: if there is no such kind.
    """

    def __init__(self, kind: str) -> None:
        if kind not in KINDS:
            raise unknown_name("calibration", kind, list(KINDS))
        self.kind = kind

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Fit to scores (num_chips, num_labels) and truth (num_chips, num_labels)."""
        make, scores = KINDS[self.kind], scores.astype(np.float64)  # in float32 sure scores have no curvature left
        learnt = truth.any(axis=0) & ~truth.all(axis=0)
        self.curves = {int(label): make(scores[:, label], truth[:, label]) for label in np.flatnonzero(learnt)}
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the calibrated scores (num_chips, num_labels)."""
        made = scores.astype(np.float64)
        for label, curve in self.curves.items():
            made[:, label] = curve(made[:, label])
        return np.clip(made, 0, 1).astype(np.float32)


def _regression(columns: Any) -> Any:
    def make(scores: NDArray[Any], truth: NDArray[np.bool_]) -> Any:
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=WEAK, max_iter=1000).fit(columns(scores), truth)
        return lambda asked: model.predict_proba(columns(asked))[:, 1]

    return make


def _isotonic(scores: NDArray[Any], truth: NDArray[np.bool_]) -> Any:
    from sklearn.isotonic import IsotonicRegression

    return IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(scores, truth).predict


def _bent(scores: NDArray[Any]) -> NDArray[Any]:
    return np.stack([np.log(np.maximum(scores, TINY)), -np.log(np.maximum(1 - scores, TINY))], axis=1)


KINDS = {PLATT: _regression(lambda scores: logit(scores)[:, None]), "beta": _regression(_bent), "isotonic": _isotonic}
