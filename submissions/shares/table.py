"""Each label's share: among the labelled chips, among those to predict by their scores, and as probes tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.members.coverage import lack_of_test_scores
from submissions.members.members import load_member, share
from submissions.shares.constant import explain, probes_in
from submissions.shares.label_shift import Shares, estimate_shares
from submissions.shares.probes import Explained
from submissions.submit.entry import Entry


@dataclass(frozen=True, eq=False)
class ShareTable:
    """Shares of labels.

    Attributes:
        name: of the model or blend whose scores say it.
        labels: the competition's.
        labelled: float array (num_labels,): among the labelled chips.
        predicted: among the chips to predict.
        probes: what scored probes of one label say of the public ones, by label.
        notes: which probes say nothing, and why.
    """

    name: str
    labels: tuple[str, ...]
    labelled: NDArray[np.float64]
    predicted: Shares
    probes: Mapping[str, Explained]
    notes: Sequence[str] = ()

    @property
    def moved(self) -> list[str]:
        """The labels whose share among the labelled chips is not in the interval of that among the others."""
        low, high = self.predicted.low, self.predicted.high
        is_out = (self.labelled < low) | (self.labelled > high)
        return [label for label, out in zip(self.labels, is_out, strict=True) if out]

    def text(self) -> str:
        """Return them for a terminal."""
        rows = []
        for i, label in enumerate(self.labels):
            value, low, high = self.predicted.value[i], self.predicted.low[i], self.predicted.high[i]
            known = not np.isnan(value)
            found = [f"{value:.4f}", f"{low:.4f} to {high:.4f}"] if known else ["", ""]
            rows.append([label, f"{self.labelled[i]:.4f}", *found, self._by_probe(label)])
        headers = ["label", "labelled", "to predict", "95 % interval", "public, by probe"]
        shown = len(headers) if self.probes else -1
        lines = [
            table(headers[:shown], [row[:shown] for row in rows]),
            f"`to predict`: by the scores of '{self.name}', if chips that carry a label, and chips that do not, look "
            "to it as the labelled ones do. The scores of chips to predict are means over the folds' networks, which "
            "makes them a little surer than those of the labelled chips. The interval is that of chance alone: on real "
            "chips it held the share in .86 to .93 of cases where nothing had shifted, and in .47 to .84 where labels "
            "had shifted together, the less the further.",
        ]
        if self.moved:
            lines.append(f"Shares that differ from those of the labelled chips: {', '.join(self.moved)}.")
        return "\n".join([*lines, *self.notes])

    def as_dict(self) -> dict[str, Any]:
        """Return them, for JSON."""
        columns = {"labelled": self.labelled, **self.predicted._asdict()}
        by_label = {
            label: {name: float(values[i]) for name, values in columns.items()} for i, label in enumerate(self.labels)
        }
        probes = {label: explained.as_dict() for label, explained in self.probes.items()}
        return {
            "scores": self.name,
            "shares": by_label,
            "moved": self.moved,
            "probes": probes,
            "notes": list(self.notes),
        }

    def _by_probe(self, label: str) -> str:
        if label not in self.probes:
            return ""
        (found,) = self.probes[label].shares
        return found.why if found.estimate is None else f"{found.estimate:.4f} ({found.low:.4f} to {found.high:.4f})"


def find_shares(name: str, entries: Sequence[Entry], workspace: Workspace, public: float) -> ShareTable:
    """Estimate the shares of labels among the chips to predict.

    Args:
        name: of a model or blend.
        entries: of the ledger, whose probes are shown beside.
        workspace: of the competition.
        public: share of the chips to predict behind a public score.

    Raises:
        UserError: if there is no such model or blend, or it has no scores of chips to predict.
    """
    store, competition = ScoreStore.of(workspace), workspace.competition
    member = load_member(name, workspace, store)
    if lacking := lack_of_test_scores([member], workspace):
        raise lacking
    if not len(member.test.names):
        raise UserError(f"'{name}' has no scores of chips to predict.")
    chips = share([member], workspace, store.table)
    predicted = estimate_shares(chips.scores[0], chips.truth, member.test.values)
    probes, notes = dict[str, Explained](), list[str]()
    for label, entry in probes_in(entries).items():
        try:
            probes[label] = explain(str(entry.ref), [entry], workspace, public)
        except UserError as error:
            notes.append(f"The probe of {label} is left out: {error}")
    return ShareTable(name, competition.labels, chips.truth.mean(axis=0), predicted, probes, tuple(notes))
