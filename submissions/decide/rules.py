"""The decision rules by name: cuts, and the decoders of the highest expected F-beta."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError, unknown_name
from competition.spec import Competition, Metric
from competition.task import Task
from submissions.decide.calibration import PLATT
from submissions.decide.expected_f_beta import ExpectedFBeta, Structure
from submissions.decide.thresholds import TRIALS, CutRule, FixedCut, PerLabelCuts, ShrunkCuts, TunedCuts, UniformCut
from submissions.measure.cross_fit import DecisionRule

FIXED = "fixed"  # the prior cut, which others must beat
TUNED = "optuna"
CUTS = (FIXED, "uniform", "shrunk", "per-label", TUNED)  # the simplest first
DECODERS = ("expected", "structured")
RULES = (*CUTS, *DECODERS)

# Makes a new rule for the labels that a bool array (num_labels,) marks; it takes the columns of these.
MakeCuts = Callable[[NDArray[np.bool_]], CutRule]


def cut_rules(
    competition: Competition, *, trials: int = TRIALS, studies: Path | None = None, title: str = "cuts"
) -> dict[str, MakeCuts]:
    """Return what makes the rules for cuts, by the name that `--cuts` gives them, the prior cut first.

    Args:
        competition: gives labels and metric.
        trials: size of every Optuna study.
        studies: the SQLite file that keeps the study; None keeps it in memory.
        title: how the study's name begins.
    """

    def tuned(scored: NDArray[np.bool_]) -> CutRule:
        task = Task.of(competition, scored)
        return TunedCuts(task.metric, task.labels, trials=trials, studies=studies, title=title)

    return {
        FIXED: lambda _: FixedCut(competition.metric.prior_cut),
        "uniform": lambda scored: UniformCut(Task.of(competition, scored).metric),
        "shrunk": lambda scored: ShrunkCuts(Task.of(competition, scored).metric),
        "per-label": lambda scored: PerLabelCuts(Task.of(competition, scored).metric),
        TUNED: tuned,
    }


def make_rule(
    name: str,
    competition: Competition,
    *,
    calibration: str = PLATT,
    trials: int = TRIALS,
    studies: Path | None = None,
    title: str = "cuts",
) -> DecisionRule:
    """Return a new rule for scores of all labels.

    Args:
        name: one of `RULES`.
        competition: gives labels, metric and structure.
        calibration: of the scores that a decoder takes, see `Calibration`.
        trials: as `cut_rules`.
        studies: as `cut_rules`.
        title: as `cut_rules`.

    Raises:
        UserError: if there is no such rule or calibration, or the rule does not serve the competition's metric.
    """
    if name not in RULES:
        raise unknown_name("decision rule", name, list(RULES))
    if name in CUTS:
        every = np.ones(len(competition.labels), dtype=bool)
        return cut_rules(competition, trials=trials, studies=studies, title=title)[name](every)
    metric = competition.metric
    if metric.average != "samples":
        raise UserError(
            f"--cuts {name} maximises a mean over chips, and {competition.name}'s metric is a {metric.average} mean. "
            f"Give one of {', '.join(CUTS)}."
        )
    alone = tuple(competition.label_index[label] for label in competition.alone)
    structure = Structure(competition.exclusive_columns, alone) if name == "structured" else Structure()
    return ExpectedFBeta(metric.beta, structure, calibration)


def default_rules(competition: Competition) -> tuple[str, ...]:
    """Return the rules that are worth comparing, the simplest first: Optuna finds what the exact search finds."""
    decoders = DECODERS if competition.metric.average == "samples" else ()
    return (*(name for name in CUTS if name != TUNED), *decoders)


def numbers_fitted(name: str, num_labels: int) -> int:
    """Return how many numbers a rule fits: what makes it simple or not."""
    if name in DECODERS:
        return 2 * num_labels
    return {FIXED: 0, "uniform": 1}.get(name, num_labels)


def display_name(name: str, metric: Metric) -> str:
    """Return what is shown for a rule."""
    return f"fixed {metric.prior_cut:.3g}" if name == FIXED else name
