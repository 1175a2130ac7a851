"""A comparison measured again with weights by which the labelled chips look like those to predict."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.metrics.bootstrap import bootstrap
from competition.metrics.judge import measure
from competition.spec.metric import Metric
from competition.workspace import Workspace
from folds.store.chip_weights import effective, read_weights
from submissions.choose.compare import Comparison, Further
from submissions.measure.evaluation import Difference, Evaluation, simplest_of

TO_TEST = "to test"


@dataclass(frozen=True, eq=False)
class Weighing:
    """Labelled chips with weights.

    Attributes:
        truth: bool array (num_chips, num_labels).
        weights: float array (num_chips,).
        metric: what is measured.
        model: whose features told how much chips weigh.
    """

    truth: NDArray[np.bool_]
    weights: NDArray[np.float64]
    metric: Metric
    model: str

    @classmethod
    def of(cls, comparison: Comparison, workspace: Workspace) -> Weighing:
        """Return the chips of a comparison with the weights that a workspace keeps.

        Raises:
            UserError: if it keeps none, they do not fit the workspace, or a chip has none.
        """
        kept, chips = read_weights(workspace), comparison.source.chips
        metric = comparison.source.cross_fit.metric
        return cls(chips.truth, kept.of(chips.names), metric, kept.made_of.model)

    @property
    def effective(self) -> float:
        """How many chips of the same weight would give as certain a mean."""
        return effective(self.weights)

    def value(self, evaluation: Evaluation) -> float:
        """Return the metric of cross-fitted answers, each chip counting for its weight."""
        return measure(self.truth, evaluation.answers, self.metric, self.weights)

    def resampled(self, evaluation: Evaluation) -> NDArray[np.float64]:
        """Return the same (num_resamples,) of bootstrapped sets of chips, those of `Evaluation.resampled`.

        The weights are taken as they are: that they were estimated adds to the error, and is not in it.
        """
        return bootstrap(self.truth, [evaluation.answers], self.metric, weights=self.weights)[:, 0]


@dataclass(frozen=True, eq=False)
class Weighed:
    """Every candidate of a comparison, weighed.

    Attributes:
        comparison: the candidates.
        weighing: the chips.
    """

    comparison: Comparison
    weighing: Weighing

    @cached_property
    def values(self) -> NDArray[np.float64]:
        """The metric of each candidate, (num_candidates,)."""
        return np.array([self.weighing.value(one.evaluation) for one in self.comparison.candidates])

    @cached_property
    def differences(self) -> list[Difference]:
        """The paired difference of each candidate to the reference of the comparison, weighed."""
        reference = self.comparison.reference
        value, resampled = self.weighing.value(reference), self.weighing.resampled(reference)
        errors = np.std(self._resampled - resampled[:, None], axis=0, ddof=1)
        return [Difference(float(own - value), float(error)) for own, error in zip(self.values, errors, strict=True)]

    @property
    def further(self) -> Further:
        """What a comparison's table shows of it besides."""
        errors = np.std(self._resampled, axis=0, ddof=1)
        cells = [f"{value:.4f} ± {error:.4f}" for value, error in zip(self.values, errors, strict=True)]
        paired = [f"{value:+.4f} ± {error:.4f}" if value or error else "-" for value, error in self.differences]
        return Further({TO_TEST: cells, "difference there": paired}, self.lines)

    @property
    def lines(self) -> list[str]:
        """What it rests on, and whether the order is another."""
        weighing, chips = self.weighing, len(self.weighing.weights)
        lines = [
            f"`{TO_TEST}`: each chip weighed by how much it looks like those to predict to '{weighing.model}': worth "
            f"{weighing.effective:,.0f} of {chips:,} chips. Errors take the weights as they are."
        ]
        sign, names = weighing.metric.sign, [one.evaluation.name for one in self.comparison.candidates]
        plain = np.array([one.evaluation.gain for one in self.comparison.candidates])
        ranks = [np.argsort(-of, kind="stable") for of in (plain, sign * self.values)]
        if (ranks[0] == ranks[1]).all():
            return lines
        place = int(np.argmax(ranks[0] != ranks[1]))
        before, after = (of[place] for of in ranks)
        error = float(np.std(self._resampled[:, after] - self._resampled[:, before], ddof=1))
        where = "the best is" if not place else f"the first {place} are the same, and number {place + 1} is"
        lines.append(
            f"Weighed, the order is another: {where} {names[after]}, instead of {names[before]}, by "
            f"{abs(self.values[after] - self.values[before]):.4f} ± {error:.4f}."
        )
        chosen = names[simplest_of(sign * self.values, sign * self._resampled)]
        if chosen != self.comparison.chosen.evaluation.name:
            lines.append(f"Weighed, the simplest within one standard error of the best is {chosen}.")
        return lines

    def text(self) -> str:
        """Return what is said below the table, which shows the figures."""
        return "\n".join(self.lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, for JSON."""
        errors = np.std(self._resampled, axis=0, ddof=1)
        rows = zip(self.comparison.candidates, self.values, errors, self.differences, strict=True)
        return {
            "model": self.weighing.model,
            "effective_chips": self.weighing.effective,
            "candidates": [
                {
                    "name": one.evaluation.name,
                    "value": float(value),
                    "standard_error": float(error),
                    "difference": paired.value,
                    "standard_error_of_difference": paired.error,
                }
                for one, value, error, paired in rows
            ],
            "notes": self.lines,
        }

    @cached_property
    def _resampled(self) -> NDArray[np.float64]:
        """Of bootstrapped sets of chips, (num_resamples, num_candidates)."""
        return np.stack([self.weighing.resampled(one.evaluation) for one in self.comparison.candidates], axis=1)
