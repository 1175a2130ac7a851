"""The chips whose labels look wrong, label by label, and the share of these that will be false alarms."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray

from competition.common.files import write_text
from submissions.suspects.noise import noise_of

FEWEST = 10  # chips that carry a label, and that do not, from which anything can be said of it
LIKELY = 0.5  # how likely wrong a label must be to be listed
HEADER = ("id", "label", "says", "score", "wrong")


@dataclass(frozen=True, eq=False)
class Suspects:
    """The suspects of one label, the likeliest first.

    Attributes:
        label: its name.
        rows: int array (num,): the chips.
        wrong: float array (num,): how likely each is to be wrong.
    """

    label: str
    rows: NDArray[np.int64]
    wrong: NDArray[np.float64]

    @property
    def false_share(self) -> float:
        """The share of them that is expected to be right after all."""
        return float(1 - self.wrong.mean()) if len(self.rows) else 0.0


def suspects_of(
    scores: NDArray[np.floating], truth: NDArray[np.bool_], labels: Sequence[str], most: int = 50
) -> list[Suspects]:
    """Return the suspects of every label.

    Args:
        scores: float array (num_chips, num_labels), out-of-fold.
        truth: bool array (num_chips, num_labels).
        labels: names.
        most: to list of each label.
    """
    return [
        _of_label(scores[:, column].astype(np.float64), truth[:, column], label, most)
        for column, label in enumerate(labels)
    ]


def _of_label(scores: NDArray[np.float64], truth: NDArray[np.bool_], label: str, most: int) -> Suspects:
    none = Suspects(label, np.zeros(0, np.int64), np.zeros(0))
    if min(truth.sum(), (~truth).sum()) < FEWEST:
        return none
    likely = np.clip(scores, 0, 1)
    flagged = find_label_issues(
        truth.astype(int), np.stack([1 - likely, likely], axis=1), filter_by="prune_by_noise_rate", n_jobs=1
    )
    wrong = noise_of(scores, truth).wrong
    rows = np.flatnonzero(flagged & (wrong >= LIKELY))
    order = rows[np.lexsort((np.where(truth, likely, 1 - likely)[rows], -wrong[rows]))][:most]
    return Suspects(label, order, wrong[order])


def write_suspects(
    path: Path, found: Sequence[Suspects], names: Sequence[str], scores: NDArray[np.floating], truth: NDArray[np.bool_]
) -> None:
    """Write suspects as CSV: id, label, what the table says of it, the score, and how likely that is wrong."""
    kept = io.StringIO()
    writer = csv.writer(kept, lineterminator="\n")
    writer.writerow(HEADER)
    for column, of_label in enumerate(found):
        for row, wrong in zip(of_label.rows.tolist(), of_label.wrong.tolist(), strict=True):
            says = int(truth[row, column])
            writer.writerow((names[row], of_label.label, says, f"{scores[row, column]:.4f}", f"{wrong:.3f}"))
    write_text(path, kept.getvalue())
