"""LightAutoML: `TabularAutoML` of the task "multilabel", one for each fold, each with its share of the seconds.

Variants with the word "demo" use the algorithms of its own example of multi-label prediction, those with "auto" what
the preset takes by itself. It is told that all columns are numbers: to guess that takes most of a short time.
"""

from __future__ import annotations

import traceback

import numpy as np
import pandas as pd
from lightautoml.automl.presets.tabular_presets import TabularAutoML
from lightautoml.dataset.roles import NumericRole
from lightautoml.tasks import Task

from tests.benchmarks.peers.assignment import CORES, Assignment

DEMO = {"use_algos": [["linear_l2", "cb"]]}


def main() -> None:
    """Fit one fold after another, until time is up."""
    assignment = Assignment.from_command_line()
    columns = [f"feature{number}" for number in range(assignment.features.shape[1])]
    frame = pd.DataFrame(assignment.features, columns=columns)
    truth = pd.DataFrame(assignment.truth.astype(int)).add_prefix("label")
    folds = list(assignment.folds())
    for done, (training, heldout) in enumerate(folds):
        if assignment.left <= 0:
            return
        automl = TabularAutoML(
            task=Task("multilabel"),
            timeout=assignment.left / (len(folds) - done),
            cpu_limit=CORES,
            general_params=DEMO if "demo" in assignment.words else None,
            reader_params={"n_jobs": 1, "cv": 5, "random_state": 42, "advanced_roles": False},
        )
        # It refuses labels that are the same for all chips to learn from.
        learnable = np.flatnonzero(truth.iloc[training].nunique() == 2)
        targets = truth.columns[learnable].tolist()
        learnt = pd.concat([frame.iloc[training], truth.iloc[training][targets]], axis=1)
        try:
            automl.fit_predict(learnt, roles={"target": targets, NumericRole(np.float32): columns}, verbose=1)
            assignment.scores[np.ix_(heldout, learnable)] = automl.predict(frame.iloc[heldout]).data
        except Exception:  # such as of a share too small for a single algorithm: the fold then has frequencies
            traceback.print_exc()
        assignment.write()


if __name__ == "__main__":
    main()
