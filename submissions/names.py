"""The names of methods and rules, written once, so that `--help` need not import what they name."""

from __future__ import annotations

METHODS = (
    "mean", "geometric", "logit", "rank", "vote", "greedy", "log-loss", "optuna", "log-loss-by-label",
    "logistic", "ridge", "logistic-all", "lightgbm",
)  # fmt: skip
RULES = ("fixed", "uniform", "shrunk", "per-label", "optuna", "expected", "structured")
