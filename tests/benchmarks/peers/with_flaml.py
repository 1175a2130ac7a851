"""FLAML: one `AutoML` for each label and fold, by log loss, each with its share of the seconds as `time_budget`.

Where that was too short for a single trial, it has its first trial without a budget.
"""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np
from flaml import AutoML
from numpy.typing import NDArray

from tests.benchmarks.peers.assignment import CORES, Assignment

SETTINGS: dict[str, Any] = {
    "task": "classification", "metric": "log_loss", "n_jobs": CORES, "verbose": 0, "seed": 0,
}  # fmt: skip


def fitted(features: NDArray[np.float32], truth: NDArray[np.int64], seconds: float) -> AutoML:
    """Return an `AutoML` fitted to one label within some seconds."""
    automl = AutoML()
    automl.fit(features, truth, time_budget=seconds, **SETTINGS)
    if automl.model is None:
        automl = AutoML()
        automl.fit(features, truth, time_budget=-1, max_iter=1, estimator_list=["lgbm"], **SETTINGS)
    return automl


def main() -> None:
    """Fit one after another, until time is up."""
    assignment = Assignment.from_command_line()
    features, truth, units = assignment.features, assignment.truth.astype(np.int64), list(assignment.units())
    for done, (label, training, heldout) in enumerate(units):
        if assignment.left <= 0:
            return
        try:
            automl = fitted(features[training], truth[training, label], assignment.left / (len(units) - done))
            assignment.scores[heldout, label] = automl.predict_proba(features[heldout])[:, 1]
        except Exception:  # such as of a label too rare for its inner folds: it then has its frequency
            traceback.print_exc()
        assignment.write()


if __name__ == "__main__":
    main()
