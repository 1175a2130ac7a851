"""What each member of a report brings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from competition.spec.metric import Metric
from submissions.evidence.labels import labels_of
from submissions.evidence.members import worths
from submissions.report.member_pictures import (
    alike_picture,
    members_by_label,
    optimism_picture,
    weights_rows,
    worth_picture,
)


def of_scores(evidence, *scores):
    """Return the evidence with other scores of its members."""
    chips = dataclasses.replace(evidence.source.chips, scores=np.stack(scores).astype(np.float32))
    members = [dataclasses.replace(evidence.source.members[0], name=f"m{number}") for number in range(len(scores))]
    source = dataclasses.replace(evidence.source, members=tuple(members), chips=chips)
    return dataclasses.replace(evidence, comparison=dataclasses.replace(evidence.comparison, source=source))


def test_a_copy_and_noise_can_go_and_what_alone_knows_can_not(evidence):
    random = np.random.default_rng(0)
    good = np.where(evidence.truth, 0.9, 0.1)
    noise = random.random(good.shape)
    found = {worth.name: worth for worth in worths(of_scores(evidence, good, noise, noise))}
    assert not found["m0"].can_go
    assert found["m0"].lost > 0.05
    assert found["m1"].can_go
    assert found["m2"].can_go
    assert found["m1"] == found["m2"]._replace(name="m1")
    picture = worth_picture(evidence, list(found.values()))
    assert {row[0]: row[-1] for row in picture.rows} == {"m0": "no", "m1": "yes", "m2": "yes"}


def test_one_member_is_compared_with_none(evidence):
    alone = of_scores(evidence, evidence.scores)
    assert worths(alone) == []
    assert alike_picture(alone) is None


def test_equal_members_fail_alike(evidence):
    random = np.random.default_rng(0)
    noise = random.random(evidence.truth.shape)
    rows = alike_picture(of_scores(evidence, noise, noise, random.random(noise.shape))).rows
    assert float(rows[0][2]) == 1.0
    assert abs(float(rows[0][3])) < 0.6


def test_weights_and_optimism_are_those_of_the_comparison(evidence):
    headers, rows = weights_rows(evidence)
    assert len(rows) == 2
    assert headers[1] in ("weight", "mean weight")
    assert sum(float(row[1]) for row in rows) == pytest.approx(1, abs=0.002)
    named = {candidate.evaluation.name: candidate.evaluation for candidate in evidence.comparison.candidates}
    for name, in_sample, crossed, optimism in optimism_picture(evidence).rows:
        assert float(optimism) == pytest.approx(named[name].optimism, abs=1e-4)
        assert float(in_sample) - float(crossed) == pytest.approx(float(optimism), abs=2e-4)


def test_a_member_that_lacks_a_label_has_no_figure_for_it(evidence):
    chips = evidence.source.chips
    scores = chips.scores.copy()
    scores[1, :, 0] = np.nan
    lacking = dataclasses.replace(evidence.source, chips=dataclasses.replace(chips, scores=scores))
    comparison = dataclasses.replace(evidence.comparison, source=lacking)
    shown = members_by_label(dataclasses.replace(evidence, comparison=comparison), labels_of(evidence))
    rows = {row[0]: row for row in shown.rows}
    row = rows[evidence.labels[0]]
    assert row[-1] == "–"
    assert row[-2] != "–"


def test_members_are_compared_by_the_metric_where_scores_are_judged(make_scored):
    of_area = make_scored(Metric(name="roc_auc"))
    rows = members_by_label(of_area, labels_of(of_area)).rows
    for name, _, *areas in rows:
        column = of_area.labels.index(name)
        expected = [
            roc_auc_score(of_area.truth[:, column], scores[:, column]) for scores in of_area.source.chips.scores
        ]
        assert areas == [f"{area:.3f}" for area in expected]


def test_what_has_no_place_in_a_picture_is_in_its_table(evidence):
    random = np.random.default_rng(0)
    many = of_scores(evidence, *random.random((20, *evidence.truth.shape)))
    for picture in (worth_picture(many, worths(many)), alike_picture(many)):
        assert len(picture.rows) == 20
        assert "Drawn are 16 of 20 members; the others are in the table." in picture.description
    picture = members_by_label(many, labels_of(evidence))
    assert picture.headers[2:] == tuple(f"m{number}" for number in range(20))
    assert "Drawn are 8 of 20 members" in picture.description
