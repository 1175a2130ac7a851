"""Each label's figures."""

from __future__ import annotations

import pytest
from sklearn.metrics import fbeta_score, precision_score, recall_score

from submissions.evidence.labels import labels_of


def test_figures_are_scikit_learns_and_the_worst_label_comes_first(evidence):
    labels = labels_of(evidence)
    assert {label.name for label in labels} == set(evidence.labels)
    for label in labels:
        truth, decided = evidence.truth[:, label.column], evidence.decisions[:, label.column]
        if truth.any() and decided.any():
            assert label.quality == pytest.approx(fbeta_score(truth, decided, beta=2))
            assert label.precision == pytest.approx(precision_score(truth, decided))
            assert label.recall == pytest.approx(recall_score(truth, decided))
        assert label.missed == (truth & ~decided).sum()
        assert label.false_alarms == (~truth & decided).sum()
    carried = [label.quality for label in labels if label.support]
    assert carried == sorted(carried)


def test_a_fault_is_what_the_loss_is_made_of(evidence):
    for label in labels_of(evidence):
        if label.fault.startswith("missing"):
            assert 4 * label.missed > label.false_alarms
        if label.fault.startswith("false alarms"):
            assert label.false_alarms > 4 * label.missed
        assert ("too few" in label.fault) == (0 < label.support < 10 and label.missed + label.false_alarms > 0)


def test_of_many_labels_those_of_few_chips_come_after_the_others(evidence, monkeypatch):
    monkeypatch.setattr("submissions.evidence.labels.MANY", 5)
    found = [label for label in labels_of(evidence) if label.support]
    enough = [label.support >= 10 for label in found]
    assert enough == sorted(enough, reverse=True)
    assert len(set(enough)) == 2
    for some in (True, False):
        values = [label.quality for label, is_enough in zip(found, enough, strict=True) if is_enough == some]
        assert values == sorted(values)
