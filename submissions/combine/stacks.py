"""Stacks: models that learn from members' scores what a label's score should be.

What a stack learns from must be out-of-fold scores, and what it makes of the chips it learnt from is flattering: it is
always judged, and given cuts, on chips that it did not learn from (see `CrossFit`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from submissions.combine.means import weighted_mean
from submissions.combine.stack_columns import Columns, Table
from submissions.decide.log_odds import from_log_odds

PENALTIES = np.logspace(-1, 5, 13)  # of the ridge, on standardised columns
INVERSE_PENALTY = 0.1  # of the logistic regressions, on standardised columns
WATCHED = 5  # one chip in so many tells boosting when to stop
CALM = 15  # rounds of boosting without a lower log loss before it stops
ROUNDS = 500
TREES = {
    "objective": "binary",
    "learning_rate": 0.1,
    "num_leaves": 15,
    "min_data_in_leaf": 50,
    "lambda_l2": 5.0,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
    "max_bin": 63,
    "num_threads": 1,
    "verbosity": -1,
    "deterministic": True,
    "force_row_wise": True,
    "seed": 0,
}


class Stack:
    """Models on columns made of the members' scores.

    A label that none or all of the chips fitted to carry keeps the mean of its members.

    Args:
        columns: makes them.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Fit to scores (num_members, num_chips, num_labels) and truth (num_chips, num_labels)."""
        self.learnt = np.flatnonzero(truth.any(axis=0) & ~truth.all(axis=0))
        self._fit(self.columns.fit(scores, truth), truth)
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return scores (num_chips, num_labels) of scores (num_members, num_chips, num_labels)."""
        stacked = weighted_mean(scores, np.ones(len(scores)))
        stacked[:, self.learnt] = self._predict(self.columns.of(scores))
        return np.clip(stacked, 0, 1).astype(np.float32)

    def _fit(self, table: Table, truth: NDArray[np.bool_]) -> None:
        raise NotImplementedError

    def _predict(self, table: Table) -> NDArray[np.floating]:
        """Return the scores (num_chips, num_learnt) of the labels learnt."""
        raise NotImplementedError


class Ridge(Stack):
    """Ridge regression of the labels on all columns, with the penalty of the least leave-one-out error.

    In closed form, for all penalties at once, by the eigenvectors of the columns' covariance: a chip's error without
    it is its residual over what its leverage leaves (Allen's PRESS).
    """

    # Not by scikit-learn's RidgeCV, which gives the same scores to a millionth but factors the columns anew in float64:
    # cross-fitted with 20 models and 40,479 chips, it takes 95 s, and this 34 s.

    def _fit(self, table: Table, truth: NDArray[np.bool_]) -> None:
        columns, carried = table.of_all(), truth[:, self.learnt].astype(np.float32)
        self.center, self.scale = columns.mean(axis=0), np.maximum(columns.std(axis=0), 1e-6)
        self.prior = carried.mean(axis=0)
        columns = (columns - self.center) / self.scale
        variances, axes = np.linalg.eigh((columns.T @ columns).astype(np.float64))
        turned = columns @ axes.astype(np.float32)
        projected = (turned.T @ (carried - self.prior)).astype(np.float64)
        best = np.inf
        for penalty in PENALTIES:
            shrunk = 1 / (np.maximum(variances, 0) + penalty)
            left = 1 - 1 / len(columns) - np.square(turned) @ shrunk.astype(np.float32)
            weights = (shrunk[:, None] * projected).astype(np.float32)
            error = float(np.square((carried - self.prior - turned @ weights) / left[:, None]).mean())
            if error < best:
                best, self.weights = error, axes.astype(np.float32) @ weights

    def _predict(self, table: Table) -> NDArray[np.floating]:
        return np.asarray((table.of_all() - self.center) / self.scale @ self.weights + self.prior)


class Logistic(Stack):
    """Logistic regression of each label, on its own log odds or on those of all labels.

    Args:
        columns: makes the columns.
        own: of each label, take its own log odds only.

    Attributes:
        weights: float array (num_learnt, num_columns), of columns as they are, once fitted.
        biases: float array (num_learnt,).
    """

    weights: NDArray[np.float64]
    biases: NDArray[np.float64]

    def __init__(self, columns: Columns, *, own: bool) -> None:
        super().__init__(columns)
        self.own = own

    def _fit(self, table: Table, truth: NDArray[np.bool_]) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        def fit(label: int) -> tuple[NDArray[np.float64], float]:
            model = make_pipeline(StandardScaler(), LogisticRegression(C=INVERSE_PENALTY, max_iter=1000))
            scaler, regression = (step for _, step in model.fit(self._columns(table, label), truth[:, label]).steps)
            weights = regression.coef_[0].astype(np.float64) / scaler.scale_
            return weights, float(regression.intercept_[0] - scaler.mean_ @ weights)

        made = _side_by_side(fit, self.learnt)
        self.weights = np.array([weights for weights, _ in made])
        self.biases = np.array([bias for _, bias in made])

    def _predict(self, table: Table) -> NDArray[np.floating]:
        logits = np.empty((len(table.members), len(self.learnt)))
        for place, label in enumerate(self.learnt.tolist()):
            logits[:, place] = self._columns(table, label) @ self.weights[place] + self.biases[place]
        return from_log_odds(logits)

    def _columns(self, table: Table, label: int) -> NDArray[np.float32]:
        return table.of_label(label) if self.own else table.of_all()


class Boosting(Stack):
    """Gradient boosting of trees for each label on all columns, by LightGBM.

    A fifth of the chips fitted to, never others, tell when to stop. Columns are binned once for all labels.
    """

    def _fit(self, table: Table, truth: NDArray[np.bool_]) -> None:
        import lightgbm

        columns = table.of_all()
        watched = np.random.default_rng(0).permutation(len(truth)) % WATCHED == 0
        binned = lightgbm.Dataset(columns[~watched], free_raw_data=False, params=TREES).construct()
        every = list(range(int((~watched).sum())))

        def fit(label: int) -> Any:
            learning = binned.subset(every).construct().set_label(truth[~watched, label])
            judge = lightgbm.Dataset(columns[watched], truth[watched, label], reference=binned, params=TREES)
            stop = lightgbm.early_stopping(CALM, verbose=False)
            return lightgbm.train(TREES, learning, ROUNDS, valid_sets=[judge], callbacks=[stop])

        self.models = _side_by_side(fit, self.learnt)

    def _predict(self, table: Table) -> NDArray[np.floating]:
        columns = table.of_all()
        scores = [model.predict(columns) for model in self.models]
        return np.stack(scores, axis=1) if scores else np.zeros((len(columns), 0))


def _side_by_side(fit: Callable[[int], Any], labels: NDArray[np.intp]) -> list[Any]:
    """Return the models that `fit` makes of labels, several at once."""
    from joblib import Parallel, delayed
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return list(Parallel(n_jobs=-1, prefer="threads")(delayed(fit)(label) for label in labels))
