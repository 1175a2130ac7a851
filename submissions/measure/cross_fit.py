"""The one evaluation: what scores and decisions are worth on chips that nothing behind them was fitted on.

Whatever makes scores of members' scores (a blend, a stack) or decisions of scores (cuts, a decoder) has `fit` and
`predict` and is measured here, so that all figures can be laid side by side. The in-sample figure is given beside the
cross-fitted one; their difference, the optimism, is what tuning and scoring on the same chips would have pretended to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from competition.metrics.f_beta import by_label, f_beta
from competition.spec.metric import Metric
from submissions.measure.bootstrap import bootstrap
from submissions.measure.evaluation import Evaluation


class DecisionRule(Protocol):
    """Decides labels from scores."""

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Learn from scores (num_chips, num_labels) and truth (num_chips, num_labels)."""
        ...

    def predict(self, scores: NDArray[Any]) -> NDArray[np.bool_]:
        """Return decisions (num_chips, num_labels)."""
        ...


class Combiner(Protocol):
    """Makes one matrix of scores of several members' scores."""

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Learn from scores (num_members, num_chips, num_labels) and truth (num_chips, num_labels)."""
        ...

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return scores (num_chips, num_labels)."""
        ...


@dataclass(frozen=True, eq=False)
class Combined:
    """Scores of labelled chips that a combiner made, so that what is decided from them can be believed.

    Attributes:
        scores: float array (num_chips, num_labels): each chip by a combiner fitted on the other folds.
        nested: for each fold, float array (num_chips, num_labels): what a rule for that fold may be fitted on: the
            chips of every other fold, each by a combiner fitted on neither fold. Its own chips play no part.
        in_sample: float array (num_chips, num_labels), by `fitted`.
        fitted: the combiner fitted on all chips, the one to use on chips to predict; None for scores as they are.
        seconds: what fitting and combining took.
    """

    scores: NDArray[np.floating]
    nested: Mapping[int, NDArray[np.floating]]
    in_sample: NDArray[np.floating]
    fitted: Any = None
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Labelled chips in folds, on which combiners and rules are fitted and measured.

    Attributes:
        truth: bool array (num_chips, num_labels).
        folds: int array (num_chips,).
        metric: what is measured.

    Raises:
        ValueError: if the shapes do not fit, or there are fewer than two folds.

    Example:
        >>> from submissions.decide.cut_rules import UniformRule
        >>> truth = np.array([[True], [False], [True], [False]])
        >>> chips = CrossFit(truth, np.array([0, 0, 1, 1]), Metric(beta=2))
        >>> scores = chips.as_they_are(np.array([[0.9], [0.1], [0.6], [0.4]]))
        >>> evaluation = chips.evaluate("uniform", lambda: UniformRule(chips.metric), scores)
        >>> evaluation.in_sample, evaluation.cross_fitted  # the cut of the first two also takes the last
        (0.5, 0.5)
    """

    truth: NDArray[np.bool_]
    folds: NDArray[np.integer]
    metric: Metric

    def __post_init__(self) -> None:
        if self.folds.shape != self.truth.shape[:1]:
            raise ValueError(f"Shapes do not fit: truth {self.truth.shape}, folds {self.folds.shape}.")
        if len(self._numbers) < 2:
            raise ValueError(f"Cross-fitting needs at least two folds, received {len(self._numbers)}.")

    @cached_property
    def _numbers(self) -> list[int]:
        return np.unique(self.folds).tolist()

    def as_they_are(self, scores: NDArray[np.floating], fitted: Any = None) -> Combined:
        """Return scores (num_chips, num_labels) that no truth was used for, such as a model's own."""
        return Combined(scores, dict.fromkeys(self._numbers, scores), scores, fitted)

    def combine(self, make: Callable[[], Combiner], scores: NDArray[Any], *, final: Combiner | None = None) -> Combined:
        """Combine members' scores so that no chip's come from a combiner that learnt from its truth.

        One combiner is fitted without each fold, and one without each pair of folds: those make the scores that the
        rule for a fold is fitted on, which have to be like the ones it decides. With two folds nothing is left without
        both; the rule for one is then fitted on the in-sample scores of the other.

        Args:
            make: returns a new, unfitted combiner.
            scores: float array (num_members, num_chips, num_labels).
            final: the combiner to fit on all chips, where it should differ from what `make` returns (a study on disk).

        Raises:
            ValueError: if the shapes do not fit.
        """
        self._check(scores)
        start = time.perf_counter()
        truth, folds, numbers = self.truth, self.folds, self._numbers

        def without(*out: int) -> Combiner:
            """Return a combiner fitted on the folds that are not in `out`."""
            kept = ~np.isin(folds, out)
            return make().fit(scores[:, kept], truth[kept])

        def of_fold(combiner: Combiner, fold: int) -> NDArray[np.float32]:
            return combiner.predict(scores[:, folds == fold])

        combined = np.empty(truth.shape, dtype=np.float32)
        nested = {fold: np.empty(truth.shape, dtype=np.float32) for fold in numbers}
        for fold in numbers:
            combiner = without(fold)
            combined[folds == fold] = nested[fold][folds == fold] = of_fold(combiner, fold)
            if len(numbers) == 2:
                (other,) = set(numbers) - {fold}
                nested[fold][folds == other] = of_fold(combiner, other)
        for one, other in combinations(numbers, 2) if len(numbers) > 2 else ():
            combiner = without(one, other)
            nested[other][folds == one] = of_fold(combiner, one)
            nested[one][folds == other] = of_fold(combiner, other)
        fitted = (make() if final is None else final).fit(scores, truth)
        return Combined(combined, nested, fitted.predict(scores), fitted, time.perf_counter() - start)

    def evaluate(
        self, name: str, make: Callable[[], DecisionRule], combined: Combined, *, final: DecisionRule | None = None
    ) -> Evaluation:
        """Measure a decision rule on scores, cross-fitted and in-sample.

        Args:
            name: what to show.
            make: returns a new, unfitted rule.
            combined: the scores of the chips.
            final: the rule to fit on all chips, where it should differ from what `make` returns (a study on disk).

        Raises:
            ValueError: if the shapes do not fit.
        """
        self._check(combined.scores)
        start = time.perf_counter()
        truth, metric = self.truth, self.metric
        decisions = np.empty(truth.shape, dtype=bool)
        for fold in self._numbers:
            held = self.folds == fold
            rule = make().fit(combined.nested[fold][~held], truth[~held])
            decisions[held] = rule.predict(combined.scores[held])
        fitted = (make() if final is None else final).fit(combined.scores, truth)
        # Of scores that are nobody's learning, both are the same.
        flattered = fitted if combined.in_sample is combined.scores else make().fit(combined.in_sample, truth)
        return Evaluation(
            name=name,
            metric=metric.title,
            cross_fitted=f_beta(truth, decisions, metric),
            in_sample=f_beta(truth, flattered.predict(combined.in_sample), metric),
            resampled=bootstrap(truth, [decisions], metric)[:, 0],
            labels=by_label(truth, decisions, metric.beta),
            decisions=decisions,
            fitted=fitted,
            seconds=combined.seconds + time.perf_counter() - start,
        )

    def _check(self, scores: NDArray[Any]) -> None:
        if scores.shape[-2:] != self.truth.shape:
            raise ValueError(f"Shapes do not fit: scores {scores.shape}, truth {self.truth.shape}.")
