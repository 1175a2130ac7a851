"""Weights of the members in a mean: by their log loss, which is convex, or by Optuna, for the metric itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from competition.spec.metric import Metric
from submissions.combine.mean_trials import make_trial
from submissions.combine.means import WeightedMean
from submissions.decide.log_odds import TINY
from submissions.decide.studies import Tuning, tune

LEAST = 1e-3  # weight that Optuna gives a member, before the weights are made to sum to 1


class LogLossWeights(WeightedMean):
    """The weights with which the mean has the least log loss: a convex problem, so there is one best answer.

    Args:
        per_label: weights of its own for each label.
    """

    def __init__(self, *, per_label: bool = False) -> None:
        self.per_label = per_label

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Fit to scores (num_members, num_chips, num_labels) and truth (num_chips, num_labels)."""
        # What each member gives to what came true; a label that it does not score counts as the others' mean.
        likely = np.where(truth, scores, 1 - scores).astype(np.float32)
        mean = np.nanmean(likely, axis=0)
        likely = np.where(np.isnan(likely), mean, likely)
        if not self.per_label:
            self.weights = _least_log_loss(likely.reshape(len(scores), -1))
            return self
        self.weights = np.stack([_least_log_loss(likely[:, :, label]) for label in range(truth.shape[1])], axis=1)
        return self


def _least_log_loss(likely: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the weights (num_members,) of the largest mean log of the weighted mean of `likely` (num_members, num)."""
    from scipy.optimize import minimize

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        mixed = np.maximum(weights.astype(np.float32) @ likely, np.float32(TINY))
        return -float(np.log(mixed).mean(dtype=np.float64)), -(likely @ (1 / mixed)).astype(np.float64) / len(mixed)

    num_members = len(likely)
    optimum = minimize(
        loss,
        np.full(num_members, 1 / num_members),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * num_members,
        constraints={
            "type": "eq",
            "fun": lambda weights: weights.sum() - 1,
            "jac": lambda weights: np.ones(num_members),
        },
        options={"ftol": 1e-6, "maxiter": 100},
    )
    weights = np.clip(optimum.x, 0, 1)
    return np.asarray(weights / weights.sum())


class TunedWeights(WeightedMean):
    """Weights tuned by Optuna for the metric at its prior cut, from equal ones and those of the least log loss.

    Args:
        metric: what to raise.
        members: their names, under which a study keeps the weights.
        tuning: how Optuna tunes.
    """

    def __init__(self, metric: Metric, members: Sequence[str], tuning: Tuning) -> None:
        self.metric, self.members, self.tuning = metric, tuple(members), tuning

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Fit to scores (num_members, num_chips, num_labels) and truth (num_chips, num_labels)."""
        trial = make_trial(scores, truth, self.metric)
        likely = np.maximum(LogLossWeights().fit(scores, truth).weights, LEAST)
        tuned = tune(
            lambda weights: trial.weighted(weights / weights.sum()),
            self.members,
            [np.ones(len(scores)), likely / likely.max()],
            self.tuning,
            low=LEAST,
            high=1.0,
            study_name=self.tuning.name_study(self.metric, self.members, scores, truth),
        )
        self.weights = tuned / tuned.sum()
        return self
