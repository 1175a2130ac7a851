"""AutoGluon: one `TabularPredictor` for each label, as its tutorial of multi-label prediction does.

Variants with the word "chained" let a label's predictor see the labels before, when it predicts as they were predicted:
the tutorial's `consider_labels_correlation`. A predictor has the tutorial's 5 seconds at least, and twice as many where
it could make no model: when time is short, fewer labels are reached instead of none.
"""

from __future__ import annotations

import shutil
import tempfile
import traceback

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor
from numpy.typing import NDArray

from tests.benchmarks.peers.assignment import CORES, Assignment

LEAST = 5.0  # seconds of a predictor


def fitted(training: pd.DataFrame, label: str, heldout: pd.DataFrame, seconds: float) -> NDArray[np.float32]:
    """Return the scores (num_heldout,) of a label by a predictor that is fitted within some seconds."""
    folder = tempfile.mkdtemp()
    try:
        predictor = TabularPredictor(label, problem_type="binary", eval_metric="log_loss", path=folder, verbosity=1)
        predictor.fit(training, time_limit=seconds, num_cpus=CORES, num_gpus=0)
        return predictor.predict_proba(heldout)[1].to_numpy(dtype=np.float32)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Fit one after another, until time is up."""
    assignment = Assignment.from_command_line()
    columns = [f"feature{number}" for number in range(assignment.features.shape[1])]
    frame = pd.DataFrame(assignment.features, columns=columns)
    truth = pd.DataFrame(assignment.truth.astype(int), columns=assignment.labels)
    least, is_chained, units = LEAST, "chained" in assignment.words, list(assignment.units())
    for done, (label, training, heldout) in enumerate(units):
        if assignment.left <= 0:
            return
        share, name = assignment.left / (len(units) - done), assignment.labels[label]
        is_made = ~np.isnan(assignment.scores[heldout]).any(axis=0) & is_chained
        before = np.flatnonzero(is_made)
        earlier = [assignment.labels[column] for column in before]
        learnt = pd.concat([frame.iloc[training], truth.iloc[training][[*earlier, name]]], axis=1)
        asked = frame.iloc[heldout].copy()
        if earlier:
            asked[earlier] = (assignment.scores[np.ix_(heldout, before)] >= 0.5).astype(int)
        while assignment.left > 0:
            try:
                assignment.scores[heldout, label] = fitted(learnt, name, asked, max(share, least))
                break
            except Exception as error:  # of a label that cannot be learnt, which then has its frequency, or of time
                traceback.print_exc()
                if "time" not in str(error).lower():
                    break
                least *= 2
        assignment.write()


if __name__ == "__main__":
    main()
