"""The names of methods, rules and the like, written once, so that `--help` need not import what they name."""

from __future__ import annotations

from typing import Literal

MEAN, VOTE = "mean", "vote"
STACKS = ("logistic", "ridge", "logistic-all", "lightgbm")
METHODS = (
    MEAN, "geometric", "logit", "rank", VOTE, "greedy", "log-loss", "optuna", "log-loss-by-label", *STACKS,
)  # fmt: skip
EXTRAS = ("groups", "entropy", "spread", "neighbours")  # further columns of stacks
SLOW = ("logistic-all", "lightgbm")  # minutes, with 20 members and 40,000 chips
QUICK = tuple(method for method in METHODS if method not in SLOW)

FIXED = "fixed"  # the prior cut, which others must beat
TUNED = "optuna"
CUT_RULES = (FIXED, "uniform", "shrunk", "per-label", TUNED)  # the simplest first
DECODERS = ("expected", "structured")
PLAIN = "plain"  # scores as they are, where scores are judged
CALIBRATED = "calibrated"
SCORE_RULES = (PLAIN, CALIBRATED)
DECISION_RULES = (*CUT_RULES, *DECODERS)
RULES = (*DECISION_RULES, *SCORE_RULES)

PLATT = "platt"
CALIBRATIONS = (PLATT, "beta", "isotonic")

# What is pushed and pulled; all but banks unless asked otherwise.
What = Literal["folds", "corrections", "shift", "pseudo", "runs", "blends", "submissions", "banks"]
SHARED: tuple[What, ...] = ("folds", "corrections", "shift", "pseudo", "runs", "blends", "submissions")
