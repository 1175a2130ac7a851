"""scikit-learn: a logistic regression for each label, or chains of them.

Chains are those of its own example of multi-label chains: orders are random, and the scores of several are averaged.
Penalties are chosen for each label and fold by the log loss of the chips of the other folds.
"""

from __future__ import annotations

from itertools import count

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from tests.benchmarks.peers.assignment import CORES, Assignment

STRENGTHS = (1e-3, 1e-2, 1e-4, 1e-1)  # the inverse of penalties, tried in this order
Made = dict[float, list[NDArray[np.float32]]]  # scores of all passes with a strength


def regression(strength: float, *, scaled: bool) -> LogisticRegression:
    """Return a logistic regression; principal components are not scaled, or their penalty would be another one."""
    model = LogisticRegression(C=strength, max_iter=200)
    return make_pipeline(StandardScaler(), model) if scaled else model


def losses(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return log losses of the shape of `scores`, infinite where there is no score."""
    likely = np.where(truth, scores, 1 - scores)
    return np.where(np.isnan(likely), np.inf, -np.log(np.clip(likely, 1e-7, 1)))


def best_of(made: Made, assignment: Assignment) -> NDArray[np.float32]:
    """Return the scores of the best strength for each label and fold, means over passes."""
    with np.errstate(invalid="ignore"):
        means = np.stack([np.mean(passes, axis=0) for passes in made.values()])
    cells, best = losses(assignment.truth, means), means[0].copy()
    cells[:, np.isnan(means[0])] = 0  # of labels that a fold cannot learn no strength has scores
    for training, heldout in assignment.folds():
        chosen = cells[:, training].mean(axis=1).argmin(axis=0)
        best[heldout] = means[chosen, heldout[:, None], np.arange(means.shape[2])]
    return best


def fit_labels(assignment: Assignment, made: Made, strength: float) -> None:
    """Fit a logistic regression for each label and fold, as many at once as there are cores."""
    features, truth, scaled = assignment.features, assignment.truth, "pca" not in assignment.words

    def fit(label: int, training: NDArray[np.int64], heldout: NDArray[np.int64]) -> None:
        model = regression(strength, scaled=scaled).fit(features[training], truth[training, label])
        made[strength][-1][heldout, label] = model.predict_proba(features[heldout])[:, 1]

    parallel = Parallel(CORES, prefer="threads", return_as="generator_unordered")
    for _ in parallel(delayed(fit)(*unit) for unit in assignment.units()):
        assignment.write(best_of(made, assignment))


def fit_chains(assignment: Assignment, made: Made, strength: float, number: int) -> None:
    """Fit a chain of all labels for each fold, as many at once as there are cores."""
    features, truth, scaled = assignment.features, assignment.truth, "pca" not in assignment.words

    def fit(training: NDArray[np.int64], heldout: NDArray[np.int64]) -> None:
        both = np.flatnonzero(truth[training].any(axis=0) & ~truth[training].all(axis=0))
        chain = ClassifierChain(regression(strength, scaled=scaled), order="random", random_state=number)
        chain.fit(features[training], truth[np.ix_(training, both)])
        made[strength][-1][np.ix_(heldout, both)] = chain.predict_proba(features[heldout])

    parallel = Parallel(CORES, prefer="threads", return_as="generator_unordered")
    for _ in parallel(delayed(fit)(*fold) for fold in assignment.folds()):
        assignment.write(best_of(made, assignment))


def main() -> None:
    """Fit with one strength after another, and further chains with the best, until time is up."""
    assignment = Assignment.from_command_line()
    made: Made = {}
    for number in count():
        if is_first := number < len(STRENGTHS):
            strength = STRENGTHS[number]
        elif "logistic" in assignment.words:
            return
        else:
            strength = min(
                made, key=lambda each: np.nan_to_num(losses(assignment.truth, made[each][0]), posinf=0).mean()
            )
        made.setdefault(strength, []).append(np.full(assignment.truth.shape, np.nan, dtype=np.float32))
        with threadpool_limits(1):
            if "logistic" in assignment.words:
                fit_labels(assignment, made, strength)
            else:
                fit_chains(assignment, made, strength, 0 if is_first else number)


if __name__ == "__main__":
    main()
