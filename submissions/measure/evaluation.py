"""What cross-fitting found: figures, differences, and the choice among candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.metrics.f_beta import LabelMetrics
from competition.metrics.judge import metric_by_label
from competition.metrics.ranking import average_precision, macro, roc_auc
from competition.spec.metric import Metric
from submissions.measure.fast_metric import SAME


class Difference(NamedTuple):
    """How much better one evaluation is than another on the same chips, and the standard error of that."""

    value: float
    error: float


class Answers:
    """Answers as they are kept: of decisions, eight take a byte.

    Args:
        values: array (num_chips, num_labels): bool decisions, or float32 scores.
    """

    def __init__(self, values: NDArray[Any]) -> None:
        self._is_packed, self._num_labels = values.dtype == bool, values.shape[1]
        self._kept = np.packbits(values, axis=1) if self._is_packed else values

    @property
    def values(self) -> NDArray[Any]:
        """The answers (num_chips, num_labels)."""
        if not self._is_packed:
            return self._kept
        return np.unpackbits(self._kept, axis=1, count=self._num_labels).view(bool)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What answers are worth.

    Attributes:
        name: what is shown.
        metric: what judges them.
        cross_fitted: the metric, each chip answered by what was fitted on the other folds.
        in_sample: the metric of what was fitted on all chips, on those same chips.
        resampled: float array (num_resamples,): `cross_fitted` of bootstrapped sets of chips, the same sets for every
            evaluation of these chips.
        labels: the cross-fitted decisions by label; None where scores are judged.
        kept: the cross-fitted answers.
        fitted: the rule fitted on all chips, the one to use on chips to predict.
        seconds: what fitting and deciding took, with the combiner.
    """

    name: str
    metric: Metric
    cross_fitted: float
    in_sample: float
    resampled: NDArray[np.float64]
    labels: LabelMetrics | None
    kept: Answers
    fitted: Any
    seconds: float

    @property
    def answers(self) -> NDArray[Any]:
        """The cross-fitted answers (num_chips, num_labels): bool decisions, or float32 scores."""
        return self.kept.values

    @property
    def optimism(self) -> float:
        """How much better it looks on the chips it was fitted on."""
        return self.metric.sign * (self.in_sample - self.cross_fitted)

    @property
    def gain(self) -> float:
        """The metric, turned so that more is better."""
        return self.metric.sign * self.cross_fitted

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % bootstrap interval of `cross_fitted` over chips."""
        low, high = np.quantile(self.resampled, [0.025, 0.975])
        return float(low), float(high)

    def over(self, other: Evaluation) -> Difference:
        """Return the difference to an evaluation of the same chips; what is hard for both plays no part."""
        error = float(np.std(self.resampled - other.resampled, ddof=1))
        return Difference(self.cross_fitted - other.cross_fitted, error)

    def as_dict(self, reference: Evaluation | None = None) -> dict[str, Any]:
        """Return the figures, for JSON, with the difference to a reference."""
        names = ("cross_fitted", "in_sample", "optimism")
        figures = {"name": self.name, "metric": self.metric.title, **{name: getattr(self, name) for name in names}}
        figures |= {"interval": list(self.interval)}
        if reference is None:
            return figures
        difference, error = self.over(reference)
        return {**figures, "reference": reference.name, "difference": difference, "standard_error": error}


@dataclass(frozen=True, eq=False)
class Ranking:
    """How well scores tell the chips apart, label by label, whatever the cuts.

    Attributes:
        support: int array (num_labels,): chips that carry each label.
        average_precision: float array (num_labels,), NaN for a label that no chip carries.
        roc_auc: float array (num_labels,), NaN for a label that all or none of the chips carry.
        log_loss: float array (num_labels,); None where the competition is not judged by it.
    """

    support: NDArray[np.int64]
    average_precision: NDArray[np.float64]
    roc_auc: NDArray[np.float64]
    log_loss: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, scores: NDArray[Any], truth: NDArray[np.bool_], metric: Metric) -> Ranking:
        """Return the ranking of scores (num_chips, num_labels) against truth of the same shape."""
        losses = metric_by_label(truth, scores, metric) if metric.name == "log_loss" else None
        return cls(truth.sum(axis=0), average_precision(truth, scores), roc_auc(truth, scores), losses)

    def as_dict(self) -> dict[str, float | None]:
        """Return the means over labels, for JSON; None where there is no label to take it of."""
        means = {"macro_average_precision": macro(self.average_precision), "macro_roc_auc": macro(self.roc_auc)}
        return {name: None if np.isnan(mean) else mean for name, mean in means.items()}


def simplest_within_error(evaluations: Sequence[Evaluation]) -> Evaluation:
    """Return the simplest evaluation that is within one standard error of the best: the one-standard-error rule.

    Source: Breiman, Friedman, Olshen and Stone, "Classification and Regression Trees", 1984. Differs from it in the
    error, which is that of the paired difference to the best: how hard the chips are is the same for all.

    Args:
        evaluations: of the same chips, the simplest first.
    """
    sign = evaluations[0].metric.sign
    values = np.array([evaluation.gain for evaluation in evaluations])
    resampled = np.stack([evaluation.resampled for evaluation in evaluations], axis=1)
    return evaluations[simplest_of(values, sign * resampled)]


def simplest_of(values: NDArray[np.floating], resampled: NDArray[np.floating]) -> int:
    """Return the first that is within one standard error of the paired difference to the best.

    Args:
        values: float array (num,), of the simplest first; more is better.
        resampled: float array (num_resamples, num), of the same bootstrapped sets of chips.

    Example:
        >>> values, noise = np.array([0.90, 0.92, 0.93]), np.array([[-0.005], [0.005]])
        >>> simplest_of(values, values + noise * [1, 3, 5])  # the last two are .010 ± .014 apart
        1
    """
    best = int(values.argmax())
    errors = np.std(resampled[:, [best]] - resampled, axis=0, ddof=1)
    return int(np.argmax(values[best] - values <= np.maximum(errors, SAME)))
