"""Each label's figures: how well it is found, and whether it fails by missing or by false alarm."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from submissions.evidence.evidence import Evidence

EVEN = 0.6  # share of a label's loss from which one kind of error is named as its fault
FEW = 10  # chips that carry a label, below which its figures are little more than chance


class Label(NamedTuple):
    """A label's figures, cross-fitted.

    Attributes:
        name: of the label.
        column: its place.
        support: chips that carry it.
        cut: from which it is decided; NaN where the rule has none.
        quality: F-beta where labels are decided, or else the average precision.
        precision: share of what was decided that is right.
        recall: share of what is there that was decided.
        average_precision: of its scores.
        area: under its ROC curve.
        missed: chips that carry it and were not given it.
        false_alarms: chips that were given it without carrying it.
        fault: what its loss is made of, in words.
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
    fault: str


def labels_of(evidence: Evidence) -> list[Label]:
    """Return every label, the worst first; those that no chip carries last."""
    truth, decided = evidence.truth, evidence.decisions
    hits = (truth & decided).sum(axis=0)
    missed, false_alarms = evidence.support - hits, decided.sum(axis=0) - hits
    weight = evidence.workspace.competition.metric.beta**2
    with np.errstate(invalid="ignore", divide="ignore"):
        f_beta = (1 + weight) * hits / ((1 + weight) * hits + weight * missed + false_alarms)
        precision, recall = hits / (hits + false_alarms), hits / evidence.support
        of_missing = weight * missed / (weight * missed + false_alarms)
    quality = f_beta if evidence.decides else evidence.precision_of_scores
    found = [
        Label(
            name=name,
            column=column,
            support=int(evidence.support[column]),
            cut=float(evidence.cuts[column]),
            quality=float(quality[column]),
            precision=float(precision[column]),
            recall=float(recall[column]),
            average_precision=float(evidence.precision_of_scores[column]),
            area=float(evidence.area[column]),
            missed=int(missed[column]),
            false_alarms=int(false_alarms[column]),
            fault=_fault(float(of_missing[column]), int(evidence.support[column])),
        )
        for column, name in enumerate(evidence.labels)
    ]
    return sorted(found, key=lambda label: (label.support == 0, np.nan_to_num(label.quality), label.support))


def _fault(of_missing: float, support: int) -> str:
    if not support:
        return "no chip carries it"
    if np.isnan(of_missing):
        return "no error"
    what = "missing" if of_missing >= EVEN else "false alarms" if of_missing <= 1 - EVEN else "both"
    return f"{what} (too few chips to tell)" if support < FEW else what
