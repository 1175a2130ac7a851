"""The chips whose labels look wrong, label by label, and the share of these that will be false alarms."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from competition.common.files import write_text
from submissions.evidence.evidence import Evidence
from submissions.evidence.noise import noise_of

FEWEST = 10  # chips that carry a label, and that do not, from which anything can be said of it
MOST_OF = 0.4  # of the chips said to carry a label, or of those said not to, that may be wrong
LIKELY = 0.5  # how likely wrong a label must be to be listed
MOST_LISTED = 50  # listed of each label
HEADER = ("id", "label", "says", "score", "wrong")


@dataclass(frozen=True, eq=False)
class Suspects:
    """The suspects of one label, the likeliest first.

    Attributes:
        label: its name.
        column: its place.
        rows: int array (num,): the chips.
        wrong: float array (num,): how likely each is to be wrong.
    """

    label: str
    column: int
    rows: NDArray[np.int64]
    wrong: NDArray[np.float64]

    @property
    def false_share(self) -> float:
        """The share of them that is expected to be right, if what contradicts scores is a slip; NaN of none."""
        return float(1 - self.wrong.mean()) if len(self.rows) else float("nan")


def suspects_of(evidence: Evidence) -> list[Suspects]:
    """Return the suspects of every label by the scores that are looked at closely."""
    columns = enumerate(zip(evidence.labels, evidence.scores.T, evidence.truth.T, strict=True))
    pool = Parallel(n_jobs=-1, prefer="threads")
    jobs = (delayed(suspects_of_label)(label, column, *pair) for column, (label, *pair) in columns)
    return list(pool(jobs))


def suspects_of_label(
    label: str, column: int, scores: NDArray[np.floating], truth: NDArray[np.bool_], most: int = MOST_LISTED
) -> Suspects:
    """Return the suspects of one label.

    Args:
        label: its name.
        column: its place.
        scores: float array (num_chips,), out-of-fold.
        truth: bool array (num_chips,).
        most: to list.
    """
    wrong = wrong_by_label(scores, truth)
    rows = np.flatnonzero(wrong >= LIKELY)
    order = rows[np.argsort(-wrong[rows], kind="stable")][:most]
    return Suspects(label, column, order, wrong[order])


def wrong_by_label(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how likely each chip is to be wrong about one label, (num_chips,); all 0 where nothing can be said of it.

    Args:
        scores: float array (num_chips,), out-of-fold.
        truth: bool array (num_chips,).
    """
    nothing = np.zeros(len(truth))
    if min(truth.sum(), (~truth).sum()) < FEWEST:
        return nothing
    wrong = noise_of(scores, truth).wrong
    suspected = truth[wrong >= LIKELY]
    if any((suspected == said).sum() > MOST_OF * (truth == said).sum() for said in (True, False)):
        return nothing  # it is rather the scores that are wrong, as of a label that they hardly tell
    return wrong


def write_suspects(path: Path, found: Sequence[Suspects], evidence: Evidence) -> int:
    """Write suspects as CSV: id, label, what the table says of it, the score, and how likely that is wrong.

    Of exclusive labels both halves are written, the one that goes and the one that comes.

    Returns:
        How many.
    """
    rows = dict[tuple[int, int], float]()
    for one in found:
        for row, wrong in zip(one.rows.tolist(), one.wrong.tolist(), strict=True):
            for column in (one.column, *_other_half(row, one.column, evidence)):
                rows[row, column] = max(wrong, rows.get((row, column), 0.0))
    kept = io.StringIO()
    writer = csv.writer(kept, lineterminator="\n")
    writer.writerow(HEADER)
    for (row, column), wrong in rows.items():
        says, score = int(evidence.truth[row, column]), float(evidence.scores[row, column])
        writer.writerow((evidence.names[row], evidence.labels[column], says, f"{score:.4f}", f"{wrong:.3f}"))
    write_text(path, kept.getvalue())
    return len(rows)


def _other_half(row: int, column: int, evidence: Evidence) -> list[int]:
    """Return the label that changes too where one of exclusive labels does: the one that is there, or the likeliest."""
    truth, scores = evidence.truth[row], evidence.scores[row]
    for group in evidence.workspace.competition.exclusive_columns:
        others = [other for other in group if other != column]
        if column in group:
            there = [other for other in others if truth[other]]
            return there if not truth[column] else [max(others, key=lambda other: float(scores[other]))]
    return []
