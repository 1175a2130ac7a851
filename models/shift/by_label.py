"""Label by label, how far chips to predict that look as if they carried it differ from labelled ones that do."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from folds.store.score_store import ScoreStore
from models.shift.area import NOTHING, Area, area
from models.shift.both import Both


class LabelShift(NamedTuple):
    """How a label's chips differ; every figure is of scores by networks that did not see the chip.

    Attributes:
        label: its name.
        labelled: mean score of the labelled chips, by the networks that held them out.
        to_predict: mean score of the chips to predict, each by the network of the fold that it was dealt to, so that
            both are of single networks: means over all folds' would be surer.
        features: area of the features' log odds of being to predict, among the chips with the label: every chip counts
            for its score, which is how likely it is to carry it. So a label that only became more frequent has .5.
        scores: area of the label's own scores among all chips: above .5, those to predict score higher.
    """

    label: str
    labelled: float
    to_predict: float
    features: Area
    scores: Area


def by_label(both: Both, log_odds: NDArray[np.float64], store: ScoreStore, model: str) -> list[LabelShift]:
    """Return how the chips of each label differ, those that differ most first; labels without scores are left out.

    Args:
        both: the chips.
        log_odds: float array (num_chips,) of being to predict, cross-fitted.
        store: has the scores of the model's folds.
        model: its name.

    Raises:
        UserError: if a fold of the first repeat has no scores, or these do not fit the workspace.
    """
    scores = _scores(both, store, model)
    has_all = ~np.isnan(scores).all(axis=1)
    is_test, folds, odds = both.is_test[has_all], both.folds[has_all], log_odds[has_all]
    found = []
    for label, column in zip(store.labels, scores[has_all].T, strict=True):
        if is_test.all() or not is_test.any() or np.isnan(column).any():
            continue
        features = area(odds, is_test, folds, column, learnt=True)
        own = area(column, is_test, folds) if np.ptp(column) > 0 else NOTHING
        found.append(LabelShift(label, float(column[~is_test].mean()), float(column[is_test].mean()), features, own))
    return sorted(found, key=lambda one: -max(abs(one.features.sigmas), abs(one.scores.sigmas)))


def _scores(both: Both, store: ScoreStore, model: str) -> NDArray[np.float32]:
    """Return the scores (num_chips, num_labels) of each chip by the network of its fold, NaN where there are none."""
    scores = np.full((len(both.names), len(store.labels)), np.nan, dtype=np.float32)
    names = np.array(both.names, dtype=object)
    for fold in range(store.table.k):
        made = store.read(model, fold)
        for side, of_side in ((made.heldout, ~both.is_test), (made.test, both.is_test)):
            rows = np.flatnonzero((both.folds == fold) & of_side)
            scores[rows] = side.aligned(names[rows].tolist())
    return scores
