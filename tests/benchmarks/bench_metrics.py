"""Metrics of scores against scikit-learn's, in time and value: `python -m tests.benchmarks.bench_metrics`.

As many chips and labels as Planet's training set has, float32 scores that know something of the truth. Measured last,
on two shared cores, as shares of scikit-learn's time: ROC AUC .15, LRAP .01, log loss .03, macro AP .21, micro AP .22.
scikit-learn takes the logarithms of float32 scores in float32, hence its other log loss.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn import metrics as scikit

from competition.metrics.judge import addends, measure
from competition.spec.metric import Metric
from competition.terminal.tables import table

CHIPS, LABELS, TIMES = 40_479, 17, 3


def _matrices() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    rates = np.geomspace(0.9, 0.0025, LABELS)
    truth = random.random((CHIPS, LABELS)) < rates
    odds = 2 * truth + random.normal(size=truth.shape) + np.log(rates)
    return truth, (1 / (1 + np.exp(-odds))).astype(np.float32)


def _best_of(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and the shortest time it took, in seconds."""
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        value = function()
        seconds.append(time.perf_counter() - start)
    return value, min(seconds)


def main() -> None:
    """Print a table of values and times."""
    truth, scores = _matrices()
    theirs: dict[str, tuple[Metric, Callable[[], float]]] = {
        "ROC AUC": (Metric(name="roc_auc"), lambda: scikit.roc_auc_score(truth, scores)),
        "LRAP": (
            Metric(name="label_ranking"),
            lambda: scikit.label_ranking_average_precision_score(truth, scores),
        ),
        "log loss": (
            Metric(name="log_loss"),
            lambda: float(np.mean([scikit.log_loss(*pair) for pair in zip(truth.T, scores.T, strict=True)])),
        ),
    }
    for average in ("macro", "micro"):
        theirs[f"{average} AP"] = (
            Metric(name="average_precision", average=average),
            lambda average=average: scikit.average_precision_score(truth, scores, average=average),
        )
    rows = []
    for name, (metric, function) in theirs.items():
        value, ours = _best_of(lambda metric=metric: measure(truth, scores, metric))
        _, added = _best_of(lambda metric=metric: addends(truth, scores, metric))
        expected, scikits = _best_of(function)
        figures = [f"{value:.4f}", f"{abs(value - expected):.0e}", f"{ours:.3f}", f"{scikits:.3f}"]
        rows.append([name, *figures, f"{ours / scikits:.2f}", f"{added:.3f}"])
    headers = ["metric", "value", "apart", "ours, s", "scikit-learn, s", "ratio", "addends, s"]
    print(table(headers, rows))


if __name__ == "__main__":
    main()
