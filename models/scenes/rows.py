"""Rows of windows scored by a network, and hidden where clouds are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.interrupts import check
from competition.scenes.hidden import hide
from competition.scenes.score_raster import Scored
from models.inputs.views import apply_view
from models.predict.predictor import Predictor
from models.predict.scorer import Scorer
from models.scenes.windows import Windows


@dataclass(frozen=True)
class Group:
    """The scores of a group of rows of windows.

    Attributes:
        rows: their numbers.
        scores: float32 array (num_rows, num_windows, num_labels), NaN where a window was not scored, or is hidden.
        num_scored: windows that have data enough.
        num_hidden: of these, windows in which clouds hide the ground.
    """

    rows: range
    scores: NDArray[np.float32]
    num_scored: int
    num_hidden: int


class RowScorer:
    """Scores groups of rows.

    Args:
        windows: of the scene.
        predictor: that the scores are by.
        scored: what hides the ground, and from which score on.
    """

    def __init__(self, windows: Windows, predictor: Predictor, scored: Scored) -> None:
        self._windows, self._views, self._scored = windows, predictor.views, scored
        self._scorer: Scorer | None = None
        sample = windows.sample()
        self._make = lambda chips: predictor.scorer(chips[:4] if sample is None else sample)

    def __call__(self, groups: Iterable[range]) -> Iterator[Group]:
        """Yield the scores of groups of rows, in order.

        Raises:
            UserError: if the scene is damaged or gone, or a file of weights is.
        """
        shape = self._windows.cutting.grid.window_columns, len(self._scored.labels)
        made = np.empty((0, *shape), np.float32)
        for tile, shows, chips in self._windows.read(groups):
            check()
            if tile.columns.start == 0:
                made = np.full((len(tile.rows), *shape), np.nan, dtype=np.float32)
            if chips is not None:
                made[:, tile.columns.start : tile.columns.stop][shows] = self._score(chips)
            if tile.columns.stop == shape[0]:
                yield self._group(tile.rows, made)

    def _score(self, chips: NDArray[Any]) -> NDArray[np.float32]:
        if self._scorer is None:
            self._scorer = self._make(chips)
        return self._scorer(apply_view(chips, view) for view in self._views)

    def _group(self, rows: range, scores: NDArray[np.float32]) -> Group:
        scored, flat = self._scored, scores.reshape(-1, scores.shape[-1])
        cuts = [scored.cuts[label] for label in scored.labels]
        seen = hide(flat, scored.labels, scored.hides, scored.exclusive, cuts)
        known, hidden = ~np.isnan(flat).all(axis=1), np.isnan(seen).any(axis=1)
        return Group(rows, seen.reshape(scores.shape), int(known.sum()), int((known & hidden).sum()))
