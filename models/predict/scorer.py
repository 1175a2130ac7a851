"""Scores of chips: averaged over views, and over the networks of several folds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from competition.common.files import replace_atomically
from competition.common.interrupts import check
from competition.common.progress import reporter
from competition.common.text import counted
from models.backend.runners import Runner
from models.inputs.views import side_by_side

if TYPE_CHECKING:
    from models.inputs.batches import Source

BATCHES_PER_PART = 8
BYTES_AT_ONCE = 2**26  # of chips or features: the views of some hundred chips, so that nothing waits between views


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
        scores: list[NDArray[np.float32]] = []
        for num_views, chips in side_by_side(under_views, BYTES_AT_ONCE):
            check()
            inputs = self.extractor(chips) if self.extractor else chips
            by_network = [np.split(network(inputs), num_views) for network in self.networks]
            scores += [of_view for view in zip(*by_network, strict=True) for of_view in view]
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
    from models.inputs.batches import slices

    parts = []
    folder.mkdir(parents=True, exist_ok=True)
    with reporter.bar(len(positions), title) as bar:
        for start, part in slices(positions, BATCHES_PER_PART * source.batch_size):
            path = folder / f"{start}.npz"
            scores = _read_part(path, len(part))
            if scores is not None:
                bar.update(len(part))
            else:
                made = []
                for _, batch in slices(part, source.batch_size):
                    made.append(scorer(source.views(batch, views)))
                    bar.update(len(batch))
                scores = np.concatenate(made)
                with replace_atomically(path) as temporary, temporary.open("wb") as file:
                    np.savez(file, scores=scores)
            parts.append(scores)
    return np.concatenate(parts)


def _read_part(path: Path, count: int) -> NDArray[np.float32] | None:
    """Return the scores of `count` chips in a file, whose checksum zip files bring; None if they are to be made."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
            scores: NDArray[np.float32] = part["scores"]
    except FileNotFoundError:
        return None
    except Exception:  # NumPy and zipfile raise whatever they like on a damaged file
        scores = np.empty(0, dtype=np.float32)
    if scores.ndim == 2 and len(scores) == count and scores.dtype == np.float32:
        return scores
    reporter.say(f"{path} is damaged: its {counted(count, 'chip')} are scored again.")
    return None
