"""The rules by name: decisions by cuts or by the highest expected F-beta, or scores where these are judged."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError, unknown_name
from competition.spec.competition import Competition
from competition.spec.metric import DECISIONS, SCORES, Metric
from competition.task import Task
from submissions.decide.cut_rules import CutRule, FixedRule, PerLabelRule, ShrunkRule, TunedRule, UniformRule
from submissions.decide.expected_f_beta import ExpectedFBeta, Structure
from submissions.decide.log_odds import TINY
from submissions.decide.score_rules import CalibratedRule, ScoreRule
from submissions.decide.studies import IN_MEMORY, Tuning
from submissions.measure.cross_fit import Rule
from submissions.names import CALIBRATED, CUT_RULES, DECODERS, FIXED, PLAIN, PLATT, RULES, SCORE_RULES, TUNED

# Chips times labels up to which a rule is compared unasked; a comparison makes six fits for each member and method.
# Measured with 20,000 chips of 1,103 labels (2.2e7), one fit, on a core: a calibration 150 s, with the decoder.
# With 109,000 (1.2e8): uniform 2 s, per-label 7 s, shrunk 20 s, which take turns where methods are compared at once.
MOST_CELLS = {"shrunk": 2**25, "per-label": 2**26, **dict.fromkeys(DECODERS, 2**22), CALIBRATED: 2**24}

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


def make_rule(name: str, competition: Competition, tuning: Tuning = IN_MEMORY, calibration: str = PLATT) -> Rule:
    """Return a new rule for scores of all labels.

    Args:
        name: one of `RULES`.
        competition: gives labels, metric and structure.
        tuning: how Optuna tunes.
        calibration: of the scores that a decoder takes, or that are submitted calibrated, see `Calibration`.

    Raises:
        UserError: if there is no such rule or calibration, or the rule does not serve the competition's metric.
    """
    if name not in RULES:
        raise unknown_name("decision rule", name, list(RULES))
    metric = competition.metric
    if (name in SCORE_RULES) != (metric.judges == SCORES):
        why = f"makes {SCORES if name in SCORE_RULES else DECISIONS}, and {metric.title} judges {metric.judges}"
    elif name not in rules_for(competition) and competition.is_multi_class:
        why = "cannot matter where every chip is given the one label of the highest score"
    elif name not in rules_for(competition):
        why = f"maximises an F-beta's mean over chips, and the metric of {competition.name} is {metric.title}"
    else:
        why = ""
    if why:
        raise UserError(f"--rule {name} {why}. Give one of {', '.join(rules_for(competition))}.")
    if name in SCORE_RULES:
        # What is written is what was measured: no score is rounded to 0 or 1.
        margin = max(TINY, 10.0 ** -(competition.submission.decimals or 7)) if metric.name == "log_loss" else 0.0
        shares = competition.is_multi_class and metric.name == "log_loss"
        if name == CALIBRATED:
            return CalibratedRule(calibration, margin, as_shares=shares)
        return ScoreRule(margin, as_shares=shares)
    if name in CUT_RULES:
        every = np.ones(len(competition.labels), dtype=bool)
        return cut_rules(competition, tuning)[name](every)
    alone = tuple(competition.label_index[label] for label in competition.alone)
    structure = Structure(competition.exclusive_columns, alone) if name == "structured" else Structure()
    return ExpectedFBeta(metric.beta, structure, calibration, metric.empty)


def rules_for(competition: Competition) -> tuple[str, ...]:
    """Return the rules that serve a competition's metric, the simplest first: what the others must beat.

    A chip of a multi-class competition gets its label of the highest score, whatever the cuts.
    """
    if competition.metric.judges == SCORES:
        return SCORE_RULES
    if competition.is_multi_class:
        return (FIXED,)
    decoders = DECODERS if competition.metric.name == "f_beta" and competition.metric.average == "samples" else ()
    return (*CUT_RULES, *decoders)


def default_rules(competition: Competition, num_chips: int = 0) -> tuple[str, ...]:
    """Return the rules that are worth comparing, the simplest first: Optuna finds what the exact search finds.

    Args:
        competition: gives labels and metric.
        num_chips: chips that rules are fitted to; rules that take minutes for each fit to so many are left out.
    """
    cells = num_chips * len(competition.labels)
    metric = competition.metric
    if metric.judges == SCORES and metric.average == "macro" and metric.name != "log_loss":
        return (PLAIN,)  # the order of the chips, label by label, does not mind how scores are calibrated
    return tuple(name for name in rules_for(competition) if name != TUNED and cells <= MOST_CELLS.get(name, cells))


def numbers_fitted(name: str, num_labels: int) -> int:
    """Return how many numbers a rule fits: what makes it simple or not.

    Example:
        >>> [numbers_fitted(name, 17) for name in ("fixed", "uniform", "per-label", "expected")]
        [0, 1, 17, 34]
    """
    if name in (*DECODERS, CALIBRATED):
        return 2 * num_labels
    return {FIXED: 0, PLAIN: 0, "uniform": 1}.get(name, num_labels)


def display_name(name: str, metric: Metric, *, one_label: bool = False) -> str:
    """Return what is shown for a rule.

    Args:
        name: of the rule.
        metric: gives the prior cut.
        one_label: whether every chip is given the one label of the highest score, whatever the cut.

    Example:
        >>> display_name("fixed", Metric(beta=2)), display_name("uniform", Metric(beta=2))
        ('fixed 0.2', 'uniform')
    """
    if name == FIXED and one_label:
        return "highest score"
    return f"fixed {metric.prior_cut:.3g}" if name == FIXED else name
