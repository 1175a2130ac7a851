"""The decision rules by name: by cuts, or by the highest expected F-beta."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError, unknown_name
from competition.spec.competition import Competition
from competition.spec.metric import Metric
from competition.task import Task
from submissions.decide.cut_rules import CutRule, FixedRule, PerLabelRule, ShrunkRule, TunedRule, UniformRule
from submissions.decide.expected_f_beta import ExpectedFBeta, Structure
from submissions.decide.studies import IN_MEMORY, Tuning
from submissions.measure.cross_fit import DecisionRule
from submissions.names import CUT_RULES, DECODERS, FIXED, PLATT, RULES, TUNED

# Makes a new rule for the labels that a bool array (num_labels,) marks; it takes the columns of these.
MakeCutRule = Callable[[NDArray[np.bool_]], CutRule]


def cut_rules(competition: Competition, tuning: Tuning = IN_MEMORY) -> dict[str, MakeCutRule]:
    """Return what makes the rules that decide by cuts, by name, the prior cut first.

    Args:
        competition: gives labels and metric.
        tuning: how Optuna tunes.
    """

    def task(scored: NDArray[np.bool_]) -> Task:
        return Task.of(competition, scored)

    return {
        FIXED: lambda _: FixedRule(competition.metric.prior_cut),
        "uniform": lambda scored: UniformRule(task(scored).metric),
        "shrunk": lambda scored: ShrunkRule(task(scored).metric),
        "per-label": lambda scored: PerLabelRule(task(scored).metric),
        TUNED: lambda scored: TunedRule(task(scored).metric, task(scored).labels, tuning),
    }


def make_rule(
    name: str, competition: Competition, tuning: Tuning = IN_MEMORY, calibration: str = PLATT
) -> DecisionRule:
    """Return a new rule for scores of all labels.

    Args:
        name: one of `RULES`.
        competition: gives labels, metric and structure.
        tuning: how Optuna tunes.
        calibration: of the scores that a decoder takes, see `Calibration`.

    Raises:
        UserError: if there is no such rule or calibration, or the rule does not serve the competition's metric.
    """
    if name not in RULES:
        raise unknown_name("decision rule", name, list(RULES))
    if name in CUT_RULES:
        every = np.ones(len(competition.labels), dtype=bool)
        return cut_rules(competition, tuning)[name](every)
    metric = competition.metric
    if metric.average != "samples":
        raise UserError(
            f"--rule {name} maximises a mean over chips, and {competition.name}'s metric is a {metric.average} mean. "
            f"Give one of {', '.join(CUT_RULES)}."
        )
    alone = tuple(competition.label_index[label] for label in competition.alone)
    structure = Structure(competition.exclusive_columns, alone) if name == "structured" else Structure()
    return ExpectedFBeta(metric.beta, structure, calibration)


def default_rules(competition: Competition) -> tuple[str, ...]:
    """Return the rules that are worth comparing, the simplest first: Optuna finds what the exact search finds."""
    decoders = DECODERS if competition.metric.average == "samples" else ()
    return (*(name for name in CUT_RULES if name != TUNED), *decoders)


def numbers_fitted(name: str, num_labels: int) -> int:
    """Return how many numbers a rule fits: what makes it simple or not.

    Example:
        >>> [numbers_fitted(name, 17) for name in ("fixed", "uniform", "per-label", "expected")]
        [0, 1, 17, 34]
    """
    if name in DECODERS:
        return 2 * num_labels
    return {FIXED: 0, "uniform": 1}.get(name, num_labels)


def display_name(name: str, metric: Metric) -> str:
    """Return what is shown for a rule.

    Example:
        >>> display_name("fixed", Metric(beta=2)), display_name("uniform", Metric(beta=2))
        ('fixed 0.2', 'uniform')
    """
    return f"fixed {metric.prior_cut:.3g}" if name == FIXED else name
