"""Each label's figures: how well it is found, and whether it fails by missing or by false alarm."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from submissions.evidence import quality
from submissions.evidence.evidence import Evidence
from submissions.measure.reliability import reliability

EVEN = 0.6  # share of a label's loss from which one kind of error is named as its fault
FAULTS = ("missing", "false alarms", "both")
FEW = 10  # chips that carry a label, below which its figures are little more than chance
MANY = 36  # labels, of which those of few chips would fill the first places by chance


class Label(NamedTuple):
    """A label's figures, cross-fitted.

    Attributes:
        name: of the label.
        column: its place.
        support: chips that carry it.
        cut: from which it is decided; NaN where the rule has none.
        quality: what the metric judges of it on its own, such as F-beta or the area under its ROC curve; NaN for none.
        precision: share of what was decided that is right.
        recall: share of what is there that was decided.
        average_precision: of its scores.
        area: under its ROC curve.
        missed: chips that carry it and were not given it.
        false_alarms: chips that were given it without carrying it.
        calibration: expected calibration error of its scores.
        fault: what its loss is made of, in words; "" where the metric has no two kinds of error.
    """

    name: str
    column: int
    support: int
    cut: float
    quality: float
    precision: float
    recall: float
    average_precision: float
    area: float
    missed: int
    false_alarms: int
    calibration: float
    fault: str


def labels_of(evidence: Evidence) -> list[Label]:
    """Return every label, the worst first; those of which nothing can be said, as no chip carries them, last.

    Of many labels, those that few chips carry come after the others.
    """
    truth, decided, competition = evidence.truth, evidence.decisions, evidence.workspace.competition
    hits = (truth & decided).sum(axis=0)
    missed, false_alarms = evidence.support - hits, decided.sum(axis=0) - hits
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = hits / (hits + false_alarms), hits / evidence.support
    if evidence.decides:
        worth = quality.of_counts(hits, hits + false_alarms, evidence.support, len(truth), competition)
    else:
        worth = quality.of_scores(truth, evidence.scores, competition)
    of_missing = _of_missing(missed, false_alarms, evidence)
    found = [
        Label(
            name=name,
            column=column,
            support=int(evidence.support[column]),
            cut=float(evidence.cuts[column]),
            quality=float(worth[column]),
            precision=float(precision[column]),
            recall=float(recall[column]),
            average_precision=float(evidence.precision_of_scores[column]),
            area=float(evidence.area[column]),
            missed=int(missed[column]),
            false_alarms=int(false_alarms[column]),
            calibration=reliability(evidence.scores[:, [column]], truth[:, [column]]).error,
            fault=_fault(None if of_missing is None else float(of_missing[column]), int(evidence.support[column])),
        )
        for column, name in enumerate(evidence.labels)
    ]
    sign = competition.metric.sign

    def place(label: Label) -> tuple[bool, bool, float, int]:
        unknown, few = not label.support or np.isnan(label.quality), len(found) > MANY and label.support < FEW
        return unknown, few, 0.0 if unknown else sign * label.quality, label.support

    return sorted(found, key=place)


def _of_missing(
    missed: NDArray[np.int64], false_alarms: NDArray[np.int64], evidence: Evidence
) -> NDArray[np.float64] | None:
    """Return the part of each label's loss that is made by missing; None where the metric has no two kinds of error."""
    if not evidence.decides:
        return None
    weighed = evidence.workspace.competition.metric.beta**2 * missed
    with np.errstate(invalid="ignore"):
        return np.asarray(weighed / (weighed + false_alarms))


def _fault(of_missing: float | None, support: int) -> str:
    if not support:
        return "no chip carries it"
    if of_missing is None:
        return "too few chips to tell" if support < FEW else ""
    if np.isnan(of_missing):
        return "no error"
    what = FAULTS[0] if of_missing >= EVEN else FAULTS[1] if of_missing <= 1 - EVEN else FAULTS[2]
    return f"{what} (too few chips to tell)" if support < FEW else what
