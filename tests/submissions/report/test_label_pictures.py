"""The labels in pictures."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import fbeta_score, log_loss

from competition.spec.metric import Metric
from submissions.evidence.labels import labels_of
from submissions.report.label_pictures import (
    MOST_DRAWN,
    _by_cut,
    drawn_labels,
    loss_picture,
    mixed_up,
    support_rows,
)
from submissions.report.member_pictures import members_by_label


def test_of_many_labels_the_worst_the_rarest_and_the_most_frequent_are_drawn(evidence):
    (label, *_) = labels_of(evidence)
    random = np.random.default_rng(0)
    many = [
        label._replace(name=str(column), column=column, support=int(support), quality=float(column))
        for column, support in enumerate(random.permutation(np.arange(1, 501)))
    ]
    drawn = drawn_labels(many)
    assert len(drawn) <= MOST_DRAWN
    assert {many[0], min(many, key=lambda it: it.support), max(many, key=lambda it: it.support)} <= set(drawn)


def test_f_beta_by_the_cut_is_that_of_deciding_from_the_cut_on(evidence):
    random = np.random.default_rng(1)
    scores, truth = random.random(200).round(2), random.random(200) < 0.3
    cuts = np.array([0.0, 0.13, 0.5, 0.99])
    expected = [fbeta_score(truth, scores >= cut, beta=2) for cut in cuts]
    np.testing.assert_allclose(_by_cut(truth, scores, cuts, evidence.workspace.competition), expected)


def test_recall_lies_on_the_diagonal_and_support_adds_up(evidence):
    labels = labels_of(evidence)
    by_name = {label.name: label for label in labels}
    picture = mixed_up(evidence, labels)
    for place, row in enumerate(picture.rows):
        assert float(row[place + 1]) == pytest.approx(by_name[row[0]].recall, abs=0.006)
    headers, rows = support_rows(evidence, labels)
    assert headers[:3] == ("label", "chips", "share")
    assert all(sum(map(int, row[3:])) == int(row[1]) == by_name[row[0]].support for row in rows)


def test_losses_stand_beside_those_of_knowing_nothing(make_scored, evidence):
    of_loss = make_scored(Metric(name="log_loss"))
    labels = labels_of(of_loss)
    picture = loss_picture(of_loss, labels)
    for label, row in zip(labels, picture.rows, strict=True):
        truth = of_loss.truth[:, label.column]
        assert row[0] == label.name
        assert float(row[3]) == pytest.approx(label.quality, abs=1e-4)
        assert float(row[4]) == pytest.approx(log_loss(truth, np.full(len(truth), truth.mean())), abs=1e-4)
    assert [float(row[3]) for row in picture.rows] == sorted((float(row[3]) for row in picture.rows), reverse=True)
    assert loss_picture(evidence, labels_of(evidence)) is None


def test_of_many_labels_pictures_show_the_worst_and_say_so(evidence, monkeypatch):
    for module in ("label_pictures", "member_pictures"):
        monkeypatch.setattr(f"submissions.report.{module}.MOST_IN_GRID", 5)
    labels = labels_of(evidence)
    carried = [label.name for label in labels if label.support]
    for picture in (mixed_up(evidence, labels), members_by_label(evidence, labels)):
        assert {row[0] for row in picture.rows} == set(carried[:5])
        assert f"The worst 5 of {len(carried)} labels." in picture.description
