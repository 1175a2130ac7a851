"""The chips that what is looked at closely gets most wrong, and why each is among them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from competition.copies.copies import kept_copies
from submissions.decide.log_odds import log_odds
from submissions.evidence.evidence import HALF, Evidence
from submissions.evidence.labels import Label

PER_LABEL = 4  # of each kind
MOST_CHIPS = 240
MISS, ALARM, UNSURE, SUSPECT = "missed", "false alarm", "uncertain", "suspect"
COPY, IMPOSSIBLE = "copy with other labels", "impossible"
KINDS = {
    MISS: "carries the label, and its score is lowest",
    ALARM: "does not carry the label, and its score is highest",
    UNSURE: "its score lies nearest to the cut, or where there is none to the usual one",
    SUSPECT: "its label looks wrong by the scores",
    COPY: "another chip shows the same and has other labels",
    IMPOSSIBLE: "its decided labels exclude each other",
}


@dataclass(frozen=True, eq=False)
class Look:
    """Where a network looked for a label of a chip.

    Attributes:
        label: its name.
        falls: float array (cells, cells): by how much the label's log odds fall when what is there is hidden.
        place: the one that matters most: top, left, bottom and right, as shares of the chip's side.
        score: of the chip as it is.
        without: its score with that place hidden.
        matters: whether hiding it changes more than turning the chip does.
    """

    label: str
    falls: NDArray[np.float64]
    place: tuple[float, float, float, float]
    score: float
    without: float
    matters: bool

    def text(self) -> str:
        """Return what hiding the place does to the score."""
        if not self.matters:
            return "no single place matters"
        return f"{self.score:.3f}, with the square hidden {self.without:.3f} (odds {self._change()})"

    def _change(self) -> str:
        fall = float(log_odds(np.array(self.score)) - log_odds(np.array(self.without)))
        return f"{'÷' if fall > 0 else '×'} {math.exp(abs(fall)):.1f}"


@dataclass
class Shown:
    """A chip of the gallery.

    Attributes:
        name: its id.
        row: among the labelled chips.
        why: pairs of a kind and what it is about: a label, or of a copy the other chip; "" where it is about none.
        looks: where the network looked for labels that it is about; none where nobody asked for them.
        pictures: of it, by what they show, as data URLs.
        overlays: looks, each with its picture as a data URL.
    """

    name: str
    row: int
    why: list[tuple[str, str]] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)
    overlays: list[tuple[Look, str]] = field(default_factory=list)


def worst_chips(
    evidence: Evidence, labels: Sequence[Label], suspects: Mapping[str, Sequence[int]] | None = None
) -> list[Shown]:
    """Return the chips to show, the most telling first.

    Copies with other labels and impossible decisions come first, then of every label in turn its worst suspect, miss,
    false alarm and the most uncertain chip, then its second worst, as far as there is room.

    Args:
        evidence: of the report.
        labels: whose chips are shown, the worst first.
        suspects: by label, rows of chips whose labels look wrong, the likeliest first; of any label.
    """
    chips: dict[int, Shown] = {}

    def add(row: int, kind: str, about: str) -> None:
        if row in chips or len(chips) < MOST_CHIPS:
            chips.setdefault(row, Shown(evidence.names[row], row)).why.append((kind, about))

    for one, other in _torn(evidence):
        add(one, COPY, evidence.names[other])
        add(other, COPY, evidence.names[one])
    impossible = _impossible(evidence).tolist()
    for row in impossible[:PER_LABEL]:
        add(row, IMPOSSIBLE, "")
    suspects = suspects or {}
    lists = [(SUSPECT, label, list(rows)) for label, rows in suspects.items()]
    lists += [(kind, label.name, rows) for label in labels for kind, rows in _worst_of(evidence, label)]
    for rank in range(PER_LABEL):
        for kind, label, rows in lists:
            if rank < len(rows):
                add(int(rows[rank]), kind, label)
    also = [(IMPOSSIBLE, "", impossible), *((SUSPECT, label, rows) for label, rows in suspects.items())]
    for kind, about, rows in also:  # of chips that are shown for something else
        for row in chips.keys() & set(rows):
            if (kind, about) not in chips[row].why:
                chips[row].why.append((kind, about))
    return list(chips.values())


def _worst_of(evidence: Evidence, label: Label) -> list[tuple[str, list[int]]]:
    """Return rows of a label's worst misses and false alarms, and of the chips whose scores are nearest to the cut."""
    scores = evidence.scores[:, label.column]
    truth, decided = evidence.truth[:, label.column], evidence.decisions[:, label.column]
    if not evidence.decides:  # of one without the label that scores more, or of one with it that scores less
        decided = np.where(truth, scores > scores[~truth].max(initial=-1), scores >= scores[truth].min(initial=2))
    missed, alarms = np.flatnonzero(truth & ~decided), np.flatnonzero(~truth & decided)
    prior = evidence.workspace.competition.metric.prior_cut if evidence.decides else HALF
    cut = prior if np.isnan(label.cut) else label.cut
    return [
        (MISS, missed[np.argsort(scores[missed], kind="stable")][:PER_LABEL].tolist()),
        (ALARM, alarms[np.argsort(-scores[alarms], kind="stable")][:PER_LABEL].tolist()),
        (UNSURE, np.argsort(np.abs(scores - cut), kind="stable")[: PER_LABEL // 2].tolist()),
    ]


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
