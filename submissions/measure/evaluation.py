"""What cross-fitting found: figures, differences, and the choice among candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.metrics.f_beta import LabelMetrics
from competition.metrics.ranking import average_precision, macro, roc_auc
from submissions.measure.fast_metric import SAME


class Difference(NamedTuple):
    """How much better one evaluation is than another on the same chips, and the standard error of that."""

    value: float
    error: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What decisions are worth.

    Attributes:
        name: what is shown.
        metric: name of the metric, such as "F2".
        cross_fitted: the metric, each chip decided by what was fitted on the other folds.
        in_sample: the metric of what was fitted on all chips, on those same chips.
        resampled: float array (num_resamples,): `cross_fitted` of bootstrapped sets of chips, the same sets for every
            evaluation of these chips.
        labels: the cross-fitted decisions by label.
        decisions: bool array (num_chips, num_labels), cross-fitted.
        fitted: the rule fitted on all chips, the one to use on chips to predict.
        seconds: what fitting and deciding took, with the combiner.
    """

    name: str
    metric: str
    cross_fitted: float
    in_sample: float
    resampled: NDArray[np.float64]
    labels: LabelMetrics
    decisions: NDArray[np.bool_]
    fitted: Any
    seconds: float

    @property
    def optimism(self) -> float:
        """How much better it looks on the chips it was fitted on."""
        return self.in_sample - self.cross_fitted

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
        names = ("name", "metric", "cross_fitted", "in_sample", "optimism")
        figures = {**{name: getattr(self, name) for name in names}, "interval": list(self.interval)}
        if reference is None:
            return figures
        difference, error = self.over(reference)
        return {**figures, "reference": reference.name, "difference": difference, "standard_error": error}


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
    values = np.array([evaluation.cross_fitted for evaluation in evaluations])
    resampled = np.stack([evaluation.resampled for evaluation in evaluations], axis=1)
    return evaluations[simplest_of(values, resampled)]


def simplest_of(values: NDArray[np.floating], resampled: NDArray[np.floating]) -> int:
    """Return the first that is within one standard error of the paired difference to the best.

    Args:
        values: float array (num,), of the simplest first.
        resampled: float array (num_resamples, num), of the same bootstrapped sets of chips.

    Example:
        >>> values, noise = np.array([0.90, 0.92, 0.93]), np.array([[-0.005], [0.005]])
        >>> simplest_of(values, values + noise * [1, 3, 5])  # the last two are .010 ± .014 apart
        1
    """
    best = int(values.argmax())
    errors = np.std(resampled[:, [best]] - resampled, axis=0, ddof=1)
    return int(np.argmax(values[best] - values <= np.maximum(errors, SAME)))
