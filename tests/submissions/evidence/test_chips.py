"""The chips that fail."""

from __future__ import annotations

import numpy as np

from competition.copies.copies import Copies
from competition.spec.metric import Metric
from submissions.evidence.chips import ALARM, COPY, IMPOSSIBLE, MISS, scores_of, worst_chips
from submissions.evidence.labels import labels_of


def test_chips_are_the_worst_of_their_kind(evidence):
    labels = labels_of(evidence)
    chips = worst_chips(evidence, labels)
    for label in labels:
        truth, decided = evidence.truth[:, label.column], evidence.decisions[:, label.column]
        scores = evidence.scores[:, label.column]
        for kind, wrong, turn in ((MISS, truth & ~decided, 1), (ALARM, ~truth & decided, -1)):
            rows = [chip.row for chip in chips if (kind, label.name) in chip.why]
            assert len(rows) == min(4, wrong.sum())
            assert wrong[rows].all()
            others = np.setdiff1d(np.flatnonzero(wrong), rows)
            if rows and others.size:
                assert (turn * scores[rows]).max() <= (turn * scores[others]).min()
    impossible = [chip.row for chip in chips if (IMPOSSIBLE, "") in chip.why]
    weather = list(evidence.workspace.competition.exclusive_columns[0])
    alone = evidence.labels.index("cloudy")
    for row in impossible:
        decided = evidence.decisions[row]
        assert decided[weather].sum() > 1 or (decided[alone] and decided.sum() > 1)


def test_scores_shown_hold_every_true_and_decided_label(evidence):
    for chip in worst_chips(evidence, labels_of(evidence)):
        shown = {label: (true, decided) for label, _, true, decided in scores_of(evidence, chip)}
        for column, label in enumerate(evidence.labels):
            true, decided = evidence.truth[chip.row, column], evidence.decisions[chip.row, column]
            assert shown.get(label, (False, False)) == (true, decided)
        assert {label for kind, label in chip.why if label and kind != COPY} <= set(shown)


def test_copies_with_other_labels_are_shown_together(evidence, monkeypatch):
    differ = next(row for row in range(1, 60) if (evidence.truth[row] != evidence.truth[0]).any())
    alike = next(row for row in range(1, 60) if row != differ)
    pairs = Copies(((evidence.names[0], evidence.names[differ]),), ((evidence.names[alike], "nobody"),))
    monkeypatch.setattr("submissions.evidence.chips.kept_copies", lambda workspace: pairs)
    chips = worst_chips(evidence, labels_of(evidence))
    assert [chip.row for chip in chips[:2]] == [0, differ]
    assert (COPY, evidence.names[differ]) in chips[0].why
    assert (COPY, evidence.names[0]) in chips[1].why


def test_where_scores_are_judged_chips_out_of_order_are_shown(make_scored):
    of_area = make_scored(Metric(name="roc_auc"))
    labels = labels_of(of_area)
    chips = worst_chips(of_area, labels)
    for label in labels:
        truth, scores = of_area.truth[:, label.column], of_area.scores[:, label.column]
        missed = [chip.row for chip in chips if (MISS, label.name) in chip.why]
        alarms = [chip.row for chip in chips if (ALARM, label.name) in chip.why]
        assert bool(missed) == bool(alarms) == (label.area < 1)
        assert truth[missed].all()
        assert not truth[alarms].any()
        if missed:
            assert scores[missed].min() == scores[truth].min()
            assert scores[alarms].max() == scores[~truth].max()
