"""The audit of a fold table: how well its folds hold the labels' shares."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.common.records import write_record
from competition.common.text import cut, first
from competition.terminal import tables
from folds.dealing.table import FoldTable

FORMAT = 1  # of `folds.json`
MAX_FOLDS_SHOWN = 10  # one by one in `Audit.text`; of more, the extremes
MAX_LABELS_SHOWN = 40  # of more, those whose shares are farthest off
EXAMPLES = 3


@dataclass(frozen=True, eq=False)
class Audit:
    """How well the folds hold the labels' shares.

    Attributes:
        labels: names of the labels.
        k: number of folds of a repeat.
        fold_sizes: int64 array (num_folds,): chips that each fold holds out.
        positives: int64 array (num_folds, num_labels): chips with the label that each fold holds out.
        support: int64 array (num_labels,): chips with the label in all.
    """

    labels: tuple[str, ...]
    k: int
    fold_sizes: NDArray[np.int64]
    positives: NDArray[np.int64]
    support: NDArray[np.int64]

    @cached_property
    def relative_share(self) -> NDArray[np.float64]:
        """Float array (num_folds, num_labels): a label's share in the fold over its share in all; 1 is ideal.

        NaN for a label that no chip carries.
        """
        num_chips = self.fold_sizes[: self.k].sum()
        share = self.support / num_chips
        return self.positives / self.fold_sizes[:, None] / np.where(share > 0, share, np.nan)

    @property
    def absent(self) -> tuple[str, ...]:
        """Labels that no chip carries."""
        return tuple(label for label, support in zip(self.labels, self.support, strict=True) if support == 0)

    @property
    def too_rare(self) -> tuple[str, ...]:
        """Labels with chips, but fewer than folds: some folds must go without."""
        return tuple(label for label, support in zip(self.labels, self.support, strict=True) if 0 < support < self.k)

    @property
    def worst(self) -> tuple[str, int, float] | None:
        """Label, fold and relative deviation farthest from 0; None where every label is absent or too rare.

        Those are left out because no other folds could help.
        """
        judged = np.flatnonzero(self.support >= self.k)
        if not len(judged):
            return None
        deviation = self.relative_share[:, judged] - 1
        fold, column = divmod(int(np.abs(deviation).argmax()), len(judged))
        return self.labels[judged[column]], fold, float(deviation[fold, column])

    def as_dict(self) -> dict[str, Any]:
        """Return the audit for JSON; the relative shares of a label that no chip carries are None."""
        worst = self.worst
        shares = self.relative_share.T.round(6).tolist()
        return {
            "fold_sizes": self.fold_sizes.tolist(),
            "labels": {
                label: {
                    "support": int(self.support[column]),
                    "positives": self.positives[:, column].tolist(),
                    "relative_share": shares[column] if self.support[column] else None,
                }
                for column, label in enumerate(self.labels)
            },
            "worst": None if worst is None else dict(zip(("label", "fold", "deviation"), worst, strict=True)),
            "too_rare": list(self.too_rare),
            "absent": list(self.absent),
        }

    def text(self) -> str:
        """Return the audit for a terminal, labels from the rarest to the most frequent."""
        every_fold = len(self.fold_sizes) <= MAX_FOLDS_SHOWN and tables.fits(*self._grid(every_fold=True))
        lines = [line for text in self._remarks(every_fold) for line in _wrap(text)]
        return "\n".join([tables.table(*self._grid(every_fold)), "", *lines])

    def _grid(self, every_fold: bool) -> tuple[list[str], list[list[object]]]:
        headers = [f"f{fold}" for fold in range(len(self.fold_sizes))] if every_fold else ["min", "max"]
        shown = self.positives if every_fold else np.stack([self.positives.min(axis=0), self.positives.max(axis=0)])
        rows = [
            [self.labels[column], self.support[column], *shown[:, column], self._worst_of(column)]
            for column in self._labels_shown
        ]
        return ["label", "chips", *headers, "worst"], rows

    @property
    def _labels_shown(self) -> list[int]:
        """Columns of the labels to show, the rarest first."""
        by_support = np.argsort(self.support, kind="stable")
        if len(by_support) <= MAX_LABELS_SHOWN:
            return by_support.tolist()
        off = np.where(self.support >= self.k, np.abs(self._worst_shares), -1.0)
        shown = np.argsort(-off, kind="stable")[:MAX_LABELS_SHOWN]
        return by_support[np.isin(by_support, shown)].tolist()

    @cached_property
    def _worst_shares(self) -> NDArray[np.float64]:
        """Float array (num_labels,): the deviation of each label's share that is farthest from 0."""
        deviation = self.relative_share - 1
        return np.take_along_axis(deviation, np.abs(deviation).argmax(axis=0)[None], axis=0)[0]

    def _worst_of(self, column: int) -> str:
        return f"{self._worst_shares[column]:+.1%}" if self.support[column] else "-"

    def _remarks(self, every_fold: bool) -> list[str]:
        sizes = self.fold_sizes
        if every_fold:
            columns = f"f0 to f{len(sizes) - 1}: chips with the label that each fold holds out"
        else:
            columns = "min, max: fewest and most chips with the label that a fold holds out"
        shown = ", ".join(map(str, sizes)) if every_fold else f"{sizes.min()} to {sizes.max()}"
        remarks = [
            f"{columns}; worst: farthest that the label's share in a fold is off its share in all.",
            f"Fold sizes: {shown} chips.",
        ]
        if len(self.labels) > MAX_LABELS_SHOWN:
            remarks.append(f"Shown are the {MAX_LABELS_SHOWN} of {len(self.labels):,} labels that are farthest off.")
        if self.worst is not None:
            label, fold, deviation = self.worst
            among = " among labels that every fold can hold" if self.too_rare else ""
            remarks.append(
                f"Worst deviation from a label's share{among}: {deviation:+.1%} ({cut(label)}, fold {fold})."
            )
        if self.too_rare:
            too_rare = first(map(cut, self.too_rare), EXAMPLES)
            remarks.append(f"Too rare for {self.k} folds, so that some hold out no chip with them: {too_rare}.")
        if self.absent:
            absent = first(map(cut, self.absent), EXAMPLES)
            remarks.append(f"On no chip at all, so that nothing can be learned of them: {absent}.")
        return remarks


def audit(table: FoldTable, truth: ArrayLike, labels: Sequence[str]) -> Audit:
    """Count the labels of every fold.

    Args:
        table: the folds.
        truth: bool array (num_chips, num_labels), rows in the order of `table.image_names` (see `ordered_as`).
        labels: names of the labels, in the order of the columns.

    Raises:
        ValueError: if `truth` has another shape.
    """
    truth = np.asarray(truth, dtype=bool)
    if truth.shape != (len(table.image_names), len(labels)):
        raise ValueError(f"truth must have shape {(len(table.image_names), len(labels))}; received {truth.shape}.")
    masks = [table.heldout(fold) for fold in range(table.num_folds)]
    return Audit(
        labels=tuple(labels),
        k=table.k,
        fold_sizes=np.array([mask.sum() for mask in masks]),
        positives=np.stack([truth[mask].sum(axis=0) for mask in masks]),
        support=truth.sum(axis=0),
    )


def write_table(table: FoldTable, audit: Audit, path: Path, *, settings: dict[str, Any]) -> None:
    """Write the table to `path`, and beside it, as JSON, its digest, settings and audit.

    Args:
        table: the folds.
        audit: their audit.
        path: the CSV; the JSON goes to the same name with the suffix `.json`.
        settings: how the table was made, such as the seed and where groups came from.
    """
    content = {
        "fold_digest": table.digest,
        "k": table.k,
        "repeats": table.num_repeats,
        "settings": settings,
        "audit": audit.as_dict(),
    }
    # The CSV is what everything reads, so it goes last: killed in between, a first run leaves no table and is simply
    # run again, and a later run leaves the old table, with which the scores on disk still agree. The JSON is then of
    # a table that is not there, which its digest shows. The other way round, a new table would pass for the old.
    write_record(path.with_suffix(".json"), content, version=FORMAT)
    table.write(path)


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, tables.page(), subsequent_indent="  ", break_on_hyphens=False)
