"""The two kinds of linear head: least squares on 0 and 1, calibrated, and logistic regression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from models.linear.gram import each, solved
from models.linear.logistic import metric_of, minimised
from models.linear.plan import Training
from models.linear.rows import Head, Rows

ROUGH, FINE = 1e-3, 1e-4  # largest gradients: to choose among penalties ten times apart, and of what is kept


class Judged(NamedTuple):
    """What the heads of an inner fold say of chips that they have not learnt from.

    Attributes:
        training: the parts that they learnt from.
        heads: one column a penalty and label, the labels of a penalty side by side.
        said: float32 array (num_chips, num_penalties, num_labels).
        truth: bool array (num_chips, num_labels).
    """

    training: Training
    heads: Head
    said: NDArray[np.float32]
    truth: NDArray[np.bool_]


@dataclass(frozen=True)
class Ridge:
    """Least squares on 0 and 1, whose answers are turned into log odds by Platt's scaling (1999).

    Its answers are deviations from the labels' frequencies: where an inner fold has more of a label than the others
    have, they have less of it, and answers that held the frequency would run against the truth.
    """

    rows: Rows
    penalties: ClassVar[NDArray[np.float64]] = np.geomspace(1e-3, 10, 9)  # on the mean square over rows
    reach: ClassVar[int] = 2  # with five folds on all others: rare labels need many chips to be calibrated on

    def inner(self, training: Training) -> Head:
        """Return one head a penalty and label, the labels of a penalty side by side."""
        onto = self.rows.standardized(training)
        kernels = each(lambda penalty: solved(onto.products, penalty, onto.answers), self.penalties.tolist())
        kernel = np.concatenate(kernels, axis=1)
        return onto.head(kernel, np.zeros(kernel.shape[1]))

    def losses(self, judged: Judged) -> NDArray[np.float64]:
        """Return the summed losses (num_penalties, num_labels) of an inner fold."""
        misses = judged.said + self._frequency(judged.training).astype(np.float32) - judged.truth[:, None]
        return np.einsum("cpl,cpl->pl", misses, misses, dtype=np.float64)

    def final(self, training: Training, best: NDArray[np.int64], judged: Sequence[Judged]) -> Head:
        """Return the head of a training set, one column a label, by the best penalties."""
        onto = self.rows.standardized(training)
        kernel, chosen = np.empty_like(onto.answers), np.unique(best)
        answers = [onto.answers[:, best == number] for number in chosen]
        work = zip(self.penalties[chosen], answers, strict=True)
        solutions = each(lambda item: solved(onto.products, *item), work)
        for number, solution in zip(chosen, solutions, strict=True):
            kernel[:, best == number] = solution
        head, labels = onto.head(kernel, np.zeros(len(best))), np.arange(len(best))
        nothing = np.empty((0, len(best)))
        said = np.concatenate([nothing, *(part.said[:, best, labels] for part in judged)])
        truth = np.concatenate([nothing.astype(bool), *(part.truth for part in judged)])
        odds = _log_odds(self._truth(training))
        slopes, bias = np.array(each(lambda k: _platt(said[:, k], truth[:, k], odds[k]), labels.tolist())).T
        return Head(head.kernel * slopes.astype(np.float32), head.bias * slopes + bias)

    def _frequency(self, training: Training) -> NDArray[np.float64]:
        return self._truth(training).mean(axis=0)

    def _truth(self, training: Training) -> NDArray[np.bool_]:
        return self.rows.truth[self.rows.plan.positions(training)]


@dataclass(frozen=True)
class Logistic:
    """Logistic regressions, each chip under one random view."""

    rows: Rows
    penalties: ClassVar[NDArray[np.float64]] = np.array([1e-1, 1e-2, 1e-3])  # on the mean log loss over chips
    reach: ClassVar[int] = 1

    def inner(self, training: Training) -> Head:
        """Return one head a penalty and label, the labels of a penalty side by side."""
        labels = np.arange(self.rows.truth.shape[1])
        penalties = np.repeat(self.penalties, len(labels))
        return self._fit(training, np.tile(labels, len(self.penalties)), penalties, None, ROUGH)

    def losses(self, judged: Judged) -> NDArray[np.float64]:
        """Return the summed losses (num_penalties, num_labels) of an inner fold."""
        losses = np.logaddexp(0, judged.said) - judged.truth[:, None] * judged.said
        return losses.sum(axis=0, dtype=np.float64)

    def final(self, training: Training, best: NDArray[np.int64], judged: Sequence[Judged]) -> Head:
        """Return the head of a training set, one column a label, by the best penalties."""
        labels, start = np.arange(len(best)), None
        if judged:  # the inner heads are not far from it
            columns = best * len(best) + labels
            kernel = np.mean([part.heads.kernel[:, columns] for part in judged], axis=0)
            start = Head(kernel, np.mean([part.heads.bias[columns] for part in judged], axis=0))
        return self._fit(training, labels, self.penalties[best], start, FINE)

    def _fit(
        self,
        training: Training,
        labels: NDArray[np.int64],
        penalties: NDArray[np.float64],
        start: Head | None,
        tolerance: float,
    ) -> Head:
        onto, truth = self.rows.standardized(training), self.rows.labels(training)
        weights = np.zeros((len(onto.products) + 1, len(labels)), dtype=np.float32)
        weights[-1] = _log_odds(truth)[labels]
        constant = np.logical_or(truth.all(axis=0), ~truth.any(axis=0))  # whose odds would grow without end
        varied = ~constant[labels]
        if start is not None:
            kernel, bias = onto.weights(start)
            weights[:-1, varied], weights[-1, varied] = kernel[:, varied], bias[varied]
        features, targets = self.rows.features(training, onto), truth[:, labels[varied]].astype(np.float32)
        metric = metric_of(onto.products, penalties[varied])
        begun = np.ascontiguousarray(weights[:, varied])
        weights[:, varied] = minimised(features, targets, penalties[varied], metric, begun, tolerance)
        return onto.head(weights[:-1], weights[-1].astype(np.float64))


Solver = Ridge | Logistic


def judged_on(parts: Mapping[int, Training], heads: Mapping[Training, Head], solver: Solver) -> list[Judged]:
    """Return what inner heads say of some parts.

    Args:
        parts: those to be judged on, each with what is learnt from for that.
        heads: the inner heads by what they learnt from.
        solver: of the heads.
    """
    rows = solver.rows
    shape = len(solver.penalties), rows.truth.shape[1]
    found = []
    for part, training in parts.items():
        said = rows.said(heads[training], part).reshape(-1, *shape)
        found.append(Judged(training, heads[training], said, rows.truth[rows.plan.parts[part]]))
    return found


def best_of(judged: Sequence[Judged], solver: Solver) -> NDArray[np.int64]:
    """Return which penalty is best for each label, (num_labels,); the strongest where nothing could be judged on."""
    if not judged:
        return np.full(solver.rows.truth.shape[1], solver.penalties.argmax())
    losses: NDArray[np.float64] = np.sum([solver.losses(part) for part in judged], axis=0)
    return losses.argmin(axis=0)


def _log_odds(truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the labels' log odds, as if one more chip carried each and one more did not: never infinite."""
    odds: NDArray[np.float64] = logit((truth.sum(axis=0) + 1) / (len(truth) + 2))
    return odds


def _platt(answers: NDArray[np.float64], truth: NDArray[np.bool_], odds: float) -> tuple[float, float]:
    """Return the slope and intercept that turn a label's least-squares answers into log odds.

    Args:
        answers: float array (num_chips,) of chips that were not learnt from.
        truth: bool array (num_chips,), whether the chips carry the label.
        odds: the intercept where the answers say nothing: all or no chips carry it, or those with lower answers do.
    """
    from sklearn.linear_model import LogisticRegression

    if truth.all() or not truth.any():
        return 0.0, odds
    spread = float(answers.std()) + 1e-12
    regression = LogisticRegression(C=1e3).fit(answers[:, None] / spread, truth)
    slope, intercept = float(regression.coef_[0, 0] / spread), float(regression.intercept_[0])
    return (slope, intercept) if slope > 0 else (0.0, odds)
