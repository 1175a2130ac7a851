"""Weights that favour the chips of one label."""

from __future__ import annotations

import numpy as np

from competition.workspace import Workspace
from folds.store.chip_weights import ChipWeights, MadeOf, digest_of_test, write_weights
from folds.store.score_store import ScoreStore


def weigh(workspace: Workspace, label: str | None = None, times: float = 5.0) -> ChipWeights:
    """Keep weights by which chips with a label count for more, or all the same."""
    labelled = workspace.labelled
    values = np.ones(len(labelled.image_names))
    if label:
        values += (times - 1) * labelled.truth[:, workspace.competition.label_index[label]]
    made_of = MadeOf("m", "r", ScoreStore.of(workspace).table.digest, digest_of_test(workspace), {})
    weights = ChipWeights(labelled.image_names, values / values.mean(), made_of)
    write_weights(weights, workspace)
    return weights
