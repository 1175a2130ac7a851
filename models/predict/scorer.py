"""Scores of chips: averaged over views, and over the networks of several folds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.files import replace_atomically
from competition.common.progress import reporter
from models.backend.interrupts import check
from models.backend.runners import Runner
from models.inputs.batches import Source, slices

BATCHES_PER_PART = 8


@dataclass(frozen=True)
class Scorer:
    """Networks of one model, such as those of its folds, whose scores are averaged.

    Attributes:
        networks: from chips, or from what the extractor makes of them, to scores (num_chips, num_labels).
        extractor: the part that all of them share; None if they share none.
    """

    networks: Sequence[Runner]
    extractor: Runner | None = None

    def __call__(self, under_views: Iterable[NDArray[Any]]) -> NDArray[np.float32]:
        """Return scores averaged over networks and views.

        Args:
            under_views: the same chips under one view after another, in the values of the files.

        Returns:
            Float32 array (num_chips, num_labels) in [0, 1].
        """
        scores = []
        for chips in under_views:
            check()
            inputs = self.extractor(chips) if self.extractor else chips
            scores += [network(inputs) for network in self.networks]
        # The mean of numbers in [0, 1] may leave it by rounding.
        return np.mean(scores, axis=0, dtype=np.float64).clip(0, 1).astype(np.float32)


def predict_in_parts(
    scorer: Scorer, source: Source, positions: NDArray[np.int64], views: Sequence[str], folder: Path, title: str
) -> NDArray[np.float32]:
    """Return scores averaged over views, keeping each finished part on disk, so that an interruption costs one part.

    Args:
        scorer: the networks.
        source: the chips.
        positions: positions of the chips in the source; at least one.
        views: test-time views.
        folder: receives the parts; its name must change with anything that the scores depend on.
        title: what the progress bar calls it.

    Returns:
        Float32 array (num_positions, num_labels) in [0, 1].
    """
    parts = []
    folder.mkdir(parents=True, exist_ok=True)
    with reporter.bar(len(positions), title) as bar:
        for start, part in slices(positions, BATCHES_PER_PART * source.batch_size):
            path = folder / f"{start}.npy"
            if path.is_file():
                bar.update(len(part))
            else:
                scores = []
                for _, batch in slices(part, source.batch_size):
                    scores.append(scorer(source.views(batch, views)))
                    bar.update(len(batch))
                with replace_atomically(path) as temporary:
                    np.save(temporary, np.concatenate(scores), allow_pickle=False)
            parts.append(np.load(path, allow_pickle=False))
    return np.concatenate(parts)
