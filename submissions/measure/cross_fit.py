"""The one evaluation: what scores and decisions are worth on chips that nothing behind them was fitted on.

Whatever makes scores of members' scores (a blend, a stack) or answers of scores (cuts, a decoder) has `fit` and
`predict` and is measured here, so that all figures can be laid side by side. The in-sample figure is given beside the
cross-fitted one; their difference, the optimism, is what tuning and scoring on the same chips would have pretended to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from competition.metrics.bootstrap import bootstrap
from competition.metrics.f_beta import decisions_by_label
from competition.metrics.judge import measure
from competition.spec.metric import DECISIONS, Metric
from submissions.measure.evaluation import Answers, Evaluation

# Scores of a member that a combiner is fitted on: 130 MB; 40,000 chips of 17 labels are a fiftieth of it. It fits a few
# numbers by label at most.
MOST_LEARNT = 2**25
LARGE = 2**30  # bytes of nested scores that are not kept but made again


class Rule(Protocol):
    """Makes answers of scores: decides labels, or says how likely they are, as the metric judges."""

    @property
    def learns(self) -> bool:
        """Whether what it answers depends on what it was fitted on."""
        ...

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Learn from scores (num_chips, num_labels) and truth (num_chips, num_labels)."""
        ...

    def predict(self, scores: NDArray[Any]) -> NDArray[Any]:
        """Return answers (num_chips, num_labels): bool decisions, or float scores."""
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

    @property
    def measured(self) -> Combined:
        """The same without what measuring alone needs, which is most of it."""
        return replace(self, nested={}, in_sample=self.scores)


class Nested(Mapping[int, NDArray[np.float32]]):
    """What a rule for each fold may be fitted on: made when a rule asks for it, as not every rule learns.

    One combiner is fitted without each pair of folds. With two folds nothing is left without both; the rule for one is
    then fitted on the in-sample scores of the other.

    Args:
        without: returns a combiner fitted on all folds but some.
        scores: float array (num_members, num_chips, num_labels).
        folds: int array (num_chips,).
        numbers: of the folds.
    """

    def __init__(
        self,
        without: Callable[..., Combiner],
        scores: NDArray[Any],
        folds: NDArray[np.integer],
        numbers: list[int],
    ) -> None:
        self._without, self._scores, self._folds, self._numbers = without, scores, folds, numbers
        self._made: dict[int, NDArray[np.float32]] = {}
        self._combiners: dict[tuple[int, ...], Combiner] = {}

    def __getitem__(self, fold: int) -> NDArray[np.float32]:
        if self._is_large:  # the combiners are kept, and not what they make
            return self._of(fold)
        if not self._made:
            self._made = {number: self._of(number) for number in self._numbers}
            self._combiners.clear()
        return self._made[fold]

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def _is_large(self) -> bool:
        return len(self._numbers) * self._scores[0].size * 4 > LARGE

    def _of(self, fold: int) -> NDArray[np.float32]:
        nested = np.zeros(self._scores.shape[1:], dtype=np.float32)
        for other in (number for number in self._numbers if number != fold):
            held = self._folds == other
            nested[held] = self._combiner(fold, other).predict(self._scores[:, held])
        return nested

    def _combiner(self, fold: int, other: int) -> Combiner:
        out = (fold,) if len(self._numbers) == 2 else (min(fold, other), max(fold, other))
        if out not in self._combiners:
            self._combiners[out] = self._without(*out)
        return self._combiners[out]


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

        One combiner is fitted without each fold, and one without each pair of folds (see `Nested`): those make the
        scores that the rule for a fold is fitted on, which have to be like the ones it decides.

        Args:
            make: returns a new, unfitted combiner.
            scores: float array (num_members, num_chips, num_labels).
            final: the combiner to fit on all chips, where it should differ from what `make` returns (a study on disk).

        Raises:
            ValueError: if the shapes do not fit.
        """
        self._check(scores)
        start = time.perf_counter()

        def without(*out: int) -> Combiner:
            """Return a combiner fitted on the folds that are not in `out`."""
            return self._fit(make(), scores, ~np.isin(self.folds, out))

        combined = np.empty(self.truth.shape, dtype=np.float32)
        for fold in self._numbers:
            held = self.folds == fold
            combined[held] = without(fold).predict(scores[:, held])
        fitted = self.fit_on_all(make() if final is None else final, scores)
        nested = Nested(without, scores, self.folds, self._numbers)
        return Combined(combined, nested, fitted.predict(scores), fitted, time.perf_counter() - start)

    def fit_on_all(self, combiner: Combiner, scores: NDArray[Any]) -> Combiner:
        """Fit a combiner on all chips; of very many on some of them."""
        return self._fit(combiner, scores, np.ones(len(self.folds), dtype=bool))

    def evaluate(
        self, name: str, make: Callable[[], Rule], combined: Combined, *, final: Rule | None = None
    ) -> Evaluation:
        """Measure a rule on scores, cross-fitted and in-sample.

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
        answers = np.empty(truth.shape, dtype=bool if metric.judges == DECISIONS else np.float32)
        for fold in self._numbers:
            held = self.folds == fold
            rule = make()
            learnt_from = combined.nested[fold] if rule.learns else combined.scores
            rule.fit(learnt_from[~held], truth[~held])
            answers[held] = rule.predict(combined.scores[held])
        fitted = (make() if final is None else final).fit(combined.scores, truth)
        # Of scores that are nobody's learning, both are the same.
        flattered = fitted if combined.in_sample is combined.scores else make().fit(combined.in_sample, truth)
        return Evaluation(
            name=name,
            metric=metric,
            cross_fitted=measure(truth, answers, metric),
            in_sample=measure(truth, flattered.predict(combined.in_sample), metric),
            resampled=bootstrap(truth, [answers], metric)[:, 0],
            labels=decisions_by_label(truth, answers, metric.beta) if metric.judges == DECISIONS else None,
            kept=Answers(answers),
            fitted=fitted,
            seconds=combined.seconds + time.perf_counter() - start,
        )

    def _fit(self, combiner: Combiner, scores: NDArray[Any], kept: NDArray[np.bool_]) -> Combiner:
        """Fit a combiner on the chips `kept`; of very many on some of them, drawn at random."""
        rows, most = np.flatnonzero(kept), max(1, MOST_LEARNT // self.truth.shape[1])
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(0).permutation(rows)[:most])
        if len(rows) == len(self.folds):
            return combiner.fit(scores, self.truth)
        return combiner.fit(scores[:, rows], self.truth[rows])

    def _check(self, scores: NDArray[Any]) -> None:
        if scores.shape[-2:] != self.truth.shape:
            raise ValueError(f"Shapes do not fit: scores {scores.shape}, truth {self.truth.shape}.")
