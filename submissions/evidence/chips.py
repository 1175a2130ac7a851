"""The chips that what is looked at closely gets most wrong, and why each is among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from competition.copies.copies import kept_copies
from submissions.evidence.evidence import Evidence
from submissions.evidence.labels import Label

PER_LABEL = 4  # of each kind
MOST_CHIPS = 240
MISS, ALARM, UNSURE, SUSPECT = "missed", "false alarm", "uncertain", "suspect"
COPY, IMPOSSIBLE = "copy with other labels", "impossible"
KINDS = {
    MISS: "carries the label, and its score is lowest",
    ALARM: "does not carry the label, and its score is highest",
    UNSURE: "its score lies nearest to the cut",
    SUSPECT: "its label looks wrong by the scores",
    COPY: "another chip shows the same and has other labels",
    IMPOSSIBLE: "its decided labels exclude each other",
}


@dataclass
class Shown:
    """A chip of the gallery.

    Attributes:
        name: its id.
        row: among the labelled chips.
        why: pairs of a kind and the label it is about, "" where it is about none.
        pictures: of it, by what they show, as data URLs.
    """

    name: str
    row: int
    why: list[tuple[str, str]] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)


def worst_chips(evidence: Evidence, labels: list[Label], suspects: Mapping[str, Iterable[int]] = {}) -> list[Shown]:
    """Return the chips to show: of the worst labels the worst misses, false alarms and the most uncertain.

    Args:
        evidence: of the report.
        labels: the worst first.
        suspects: by label, rows of chips whose labels look wrong, the likeliest first.
    """
    chips: dict[int, Shown] = {}

    def add(rows: Iterable[int], kind: str, label: str) -> None:
        for row in rows:
            if row in chips or len(chips) < MOST_CHIPS:
                chips.setdefault(int(row), Shown(evidence.names[row], int(row))).why.append((kind, label))

    truth, scores, decided = evidence.truth, evidence.scores, evidence.decisions
    for label in labels:
        column = label.column
        add(list(suspects.get(label.name, ()))[:PER_LABEL], SUSPECT, label.name)
        missed = np.flatnonzero(truth[:, column] & ~decided[:, column])
        add(missed[np.argsort(scores[missed, column], kind="stable")][:PER_LABEL], MISS, label.name)
        alarms = np.flatnonzero(~truth[:, column] & decided[:, column])
        add(alarms[np.argsort(-scores[alarms, column], kind="stable")][:PER_LABEL], ALARM, label.name)
        cut = label.cut if not np.isnan(label.cut) else 0.5
        add(np.argsort(np.abs(scores[:, column] - cut), kind="stable")[: PER_LABEL // 2], UNSURE, label.name)
    for pair in _torn(evidence)[:PER_LABEL]:
        add(pair, COPY, "")
    add(_impossible(evidence)[:PER_LABEL], IMPOSSIBLE, "")
    return sorted(chips.values(), key=lambda chip: chip.row)


def _torn(evidence: Evidence) -> list[tuple[int, int]]:
    """Return rows of pairs of chips that show the same and have other labels, as far as copies were looked for."""
    copies, row = kept_copies(evidence.workspace), {name: number for number, name in enumerate(evidence.names)}
    pairs = () if copies is None else (*copies.equal, *copies.near)
    rows = [(row[one], row[other]) for one, other in pairs if one in row and other in row]
    return [(one, other) for one, other in rows if (evidence.truth[one] != evidence.truth[other]).any()]


def _impossible(evidence: Evidence) -> NDArray[np.int64]:
    """Return the rows of chips whose decided labels exclude each other, or share with one that stands alone."""
    competition, decided = evidence.workspace.competition, evidence.decisions
    wrong = np.zeros(len(decided), dtype=bool)
    for group in competition.exclusive_columns:
        wrong |= decided[:, list(group)].sum(axis=1) > 1
    for label in competition.alone:
        wrong |= decided[:, competition.label_index[label]] & (decided.sum(axis=1) > 1)
    return np.flatnonzero(wrong)


def scores_of(evidence: Evidence, chip: Shown, most: int = 6) -> list[tuple[str, float, bool, bool]]:
    """Return label, score, whether true and whether decided, of the labels that matter to a chip, the highest first."""
    scores, truth, decided = evidence.scores[chip.row], evidence.truth[chip.row], evidence.decisions[chip.row]
    about = {label for _, label in chip.why}
    matters = truth | decided | np.isin(evidence.labels, list(about))
    order = [column for column in np.argsort(-scores, kind="stable") if matters[column]]
    order += [column for column in np.argsort(-scores, kind="stable") if not matters[column]]
    several = max(most, int(matters.sum()))
    return [
        (evidence.labels[column], float(scores[column]), bool(truth[column]), bool(decided[column]))
        for column in order[:several]
        if matters[column] or len(order) <= most or scores[column] > 0.02
    ]
