"""The one evaluation: what a decision rule is worth on chips that it was not fitted on.

Everything that turns scores into decisions or into other scores (cuts, blends, stacks) has `fit` and `predict` and is
measured here, so that all figures can be laid side by side. The in-sample figure is given beside the cross-fitted one;
their difference, the optimism, is what tuning and scoring on the same chips would have pretended to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from competition.metrics import (
    LabelMetrics,
    average_precision,
    by_label,
    f_beta,
    f_beta_of_counts,
    f_beta_per_chip,
    macro,
    roc_auc,
)
from competition.spec import Metric

RESAMPLES = 1000
SEED = 0
NUMBERS_AT_ONCE = 2**21  # of a block of resamples: 16 MB


class DecisionRule(Protocol):
    """Decides labels from scores."""

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Learn from scores (..., num_chips, num_labels) and truth (num_chips, num_labels)."""
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
class Evaluation:
    """What a decision rule is worth.

    Attributes:
        name: what is shown for the rule.
        metric: name of the metric, such as "F2".
        cross_fitted: the metric, each chip decided by a rule fitted on the other folds.
        in_sample: the metric of the rule fitted on all chips, on those same chips.
        interval: 95 % bootstrap interval of `cross_fitted` over chips.
        difference: `cross_fitted` less that of the reference on the same chips; None without a reference.
        standard_error: of the difference, paired by chip.
        labels: the cross-fitted decisions by label.
        decisions: bool array (num_chips, num_labels), cross-fitted.
        fitted: the rule fitted on all chips, the one to use on test chips.
        seconds: what fitting and deciding took.
    """

    name: str
    metric: str
    cross_fitted: float
    in_sample: float
    interval: tuple[float, float]
    difference: float | None
    standard_error: float | None
    labels: LabelMetrics
    decisions: NDArray[np.bool_]
    fitted: Any
    seconds: float

    @property
    def optimism(self) -> float:
        """How much better the rule looks on the chips it was fitted on."""
        return self.in_sample - self.cross_fitted

    def figures(self) -> dict[str, Any]:
        """Return the figures for a JSON file."""
        names = ("name", "metric", "cross_fitted", "in_sample", "optimism", "difference", "standard_error")
        return {**{name: getattr(self, name) for name in names}, "interval": list(self.interval)}


@dataclass(frozen=True, eq=False)
class Ranking:
    """How well scores rank the chips, whatever the cuts.

    Attributes:
        average_precision: float array (num_labels,), NaN for a label that no chip carries.
        roc_auc: float array (num_labels,), NaN for a label that all or none of the chips carry.
    """

    average_precision: NDArray[np.float64]
    roc_auc: NDArray[np.float64]

    @classmethod
    def of(cls, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Ranking:
        """Return the ranking of scores (num_chips, num_labels) against truth of the same shape."""
        return cls(average_precision(truth, scores), roc_auc(truth, scores))

    def figures(self) -> dict[str, float | None]:
        """Return the means over labels for a JSON file, None where there is no label to take it of."""
        means = {"macro_average_precision": macro(self.average_precision), "macro_roc_auc": macro(self.roc_auc)}
        return {name: None if np.isnan(mean) else mean for name, mean in means.items()}


def cross_fit(
    make: Callable[[], Any], scores: NDArray[Any], truth: NDArray[np.bool_], folds: NDArray[np.integer]
) -> NDArray[Any]:
    """Return what rules make of chips that they were not fitted on.

    Args:
        make: returns a new, unfitted rule or combiner.
        scores: float array (..., num_chips, num_labels).
        truth: bool array (num_chips, num_labels).
        folds: int array (num_chips,): for each fold number, one rule is fitted on the chips of the others.

    Returns:
        Array (num_chips, num_labels): bool decisions of rules, float scores of combiners.

    Raises:
        ValueError: if the shapes do not fit, or there are fewer than two folds.
    """
    if scores.shape[-2:] != truth.shape or folds.shape != truth.shape[:1]:
        raise ValueError(f"Shapes do not fit: scores {scores.shape}, truth {truth.shape}, folds {folds.shape}.")
    numbers = np.unique(folds)
    if len(numbers) < 2:
        raise ValueError(f"Cross-fitting needs at least two folds, received {len(numbers)}.")
    heldout = [folds == number for number in numbers]
    parts = [make().fit(scores[..., ~held, :], truth[~held]).predict(scores[..., held, :]) for held in heldout]
    made = np.empty(truth.shape, dtype=parts[0].dtype)
    for held, part in zip(heldout, parts, strict=True):
        made[held] = part
    return made


def evaluate(
    name: str,
    make: Callable[[], DecisionRule],
    scores: NDArray[Any],
    truth: NDArray[np.bool_],
    folds: NDArray[np.integer],
    metric: Metric,
    *,
    reference: NDArray[np.bool_] | None = None,
    final: DecisionRule | None = None,
) -> Evaluation:
    """Measure a decision rule, cross-fitted and in-sample.

    Args:
        name: what to show for the rule.
        make: returns a new, unfitted rule.
        scores: float array (..., num_chips, num_labels).
        truth: bool array (num_chips, num_labels).
        folds: int array (num_chips,).
        metric: what to measure.
        reference: bool array (num_chips, num_labels): decisions to compare with.
        final: the rule to fit on all chips, where it should differ from what `make` returns (a study on disk).

    Raises:
        ValueError: if the shapes do not fit.
    """
    start = time.perf_counter()
    decisions = cross_fit(make, scores, truth, folds)
    fitted = (make() if final is None else final).fit(scores, truth)
    in_sample = f_beta(truth, fitted.predict(scores), metric)
    seconds = time.perf_counter() - start
    compared = [] if reference is None else [reference]
    resampled = bootstrap(truth, [decisions, *compared], metric)
    low, high = np.quantile(resampled[:, 0], [0.025, 0.975])
    cross_fitted = f_beta(truth, decisions, metric)
    return Evaluation(
        name=name,
        metric=metric.name,
        cross_fitted=cross_fitted,
        in_sample=in_sample,
        interval=(float(low), float(high)),
        difference=None if reference is None else cross_fitted - f_beta(truth, reference, metric),
        standard_error=None if reference is None else _paired_error(resampled),
        labels=by_label(truth, decisions, metric.beta),
        decisions=decisions,
        fitted=fitted,
        seconds=seconds,
    )


def paired_difference(
    truth: NDArray[np.bool_], decisions: NDArray[np.bool_], reference: NDArray[np.bool_], metric: Metric
) -> tuple[float, float]:
    """Return how much better `decisions` are than `reference`, and the standard error of that.

    Both are measured on the same resampled chips, so that what is hard for both plays no part.

    Args:
        truth: bool array (num_chips, num_labels).
        decisions: bool array (num_chips, num_labels).
        reference: bool array (num_chips, num_labels).
        metric: what to measure.
    """
    difference = f_beta(truth, decisions, metric) - f_beta(truth, reference, metric)
    return difference, _paired_error(bootstrap(truth, [decisions, reference], metric))


def _paired_error(resampled: NDArray[np.float64]) -> float:
    return float(np.std(resampled[:, 0] - resampled[:, 1], ddof=1))


def bootstrap(
    truth: NDArray[np.bool_],
    decisions: Sequence[NDArray[np.bool_]],
    metric: Metric,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> NDArray[np.float64]:
    """Return the metric of several decisions on the same resampled sets of chips.

    Args:
        truth: bool array (num_chips, num_labels).
        decisions: bool arrays (num_chips, num_labels).
        metric: what to measure.
        resamples: how many sets of chips to draw.
        seed: of the draws.

    Returns:
        Float array (resamples, len(decisions)).
    """
    num_chips = len(truth)
    times = _times_drawn(num_chips, resamples, seed)
    addends = np.stack([_addends(truth, decided, metric) for decided in decisions])
    per_block = max(1, NUMBERS_AT_ONCE // num_chips)
    starts = range(0, resamples, per_block)
    blocks = [times[start : start + per_block].astype(addends.dtype) @ addends for start in starts]
    return _metric_of_sums(np.concatenate(blocks, axis=1), num_chips, metric).T


@lru_cache(maxsize=1)  # 40 MB for 40,000 chips; every evaluation of the same chips draws the same
def _times_drawn(num_chips: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """Return how often each chip was drawn: (resamples, num_chips)."""
    random = np.random.default_rng(seed)
    times = np.empty((resamples, num_chips), dtype=np.uint8)
    for row in times:
        row[:] = np.bincount(random.integers(num_chips, size=num_chips), minlength=num_chips)
    return times


def _addends(truth: NDArray[np.bool_], decisions: NDArray[np.bool_], metric: Metric) -> NDArray[np.floating]:
    """Return what each chip adds to the sums that the metric is made of: (num_chips, num_sums)."""
    if metric.average == "samples":
        return f_beta_per_chip(truth, decisions, metric.beta)[:, None]
    counts = [truth & decisions, decisions, truth]
    if metric.average == "micro":
        counts = [count.sum(axis=1, keepdims=True) for count in counts]
    return np.concatenate(counts, axis=1).astype(np.float32)  # twice as fast as float64, and exact for counts


def _metric_of_sums(sums: NDArray[np.floating], num_chips: int, metric: Metric) -> NDArray[np.float64]:
    """Return the metric (..., resamples) of sums (..., resamples, num_sums) over the chips drawn."""
    if metric.average == "samples":
        return sums[..., 0] / num_chips
    hits, decided, carried = np.split(sums, 3, axis=-1)
    return f_beta_of_counts(hits, decided, carried, metric.beta).mean(axis=-1)
