"""What the metric judges of a label on its own."""

from __future__ import annotations

import numpy as np
import pytest

from competition.metrics.judge import measure
from competition.metrics.over_labels import mean_over_labels
from competition.spec.competition import Competition
from competition.spec.metric import SCORES, Metric
from submissions.evidence.labels import FAULTS, labels_of
from submissions.evidence.quality import ignorance, of_counts, of_scores, sentence_of, title_of
from tests.submissions.samples import draw_scores, draw_truth, planet

LABELS = ("a", "b", "c", "d")


def judged_by(metric: Metric, *, one_label: bool = False) -> Competition:
    kind = {"submission": {"kind": "scores"}} if metric.judges == SCORES else {}
    groups = {"exclusive": (LABELS,), "unlabelled": False} if one_label else {"exclusive": (), "unlabelled": True}
    values = {**planet().model_dump(), "labels": LABELS, "alone": (), "submission": {}, "metric": metric}
    return Competition.model_validate(values | kind | groups)


def drawn(competition: Competition):
    truth = draw_truth(competition, 200)
    return truth, draw_scores(truth, signal=1.5)


@pytest.mark.parametrize(
    "metric",
    [
        Metric(name="roc_auc"),
        Metric(name="average_precision"),
        Metric(name="log_loss"),
        Metric(name="log_loss", weights={"a": 2, "c": 0.5}),
    ],
    ids=lambda metric: metric.title,
)
def test_the_mean_over_labels_is_the_metric_that_is_one(metric):
    competition = judged_by(metric)
    truth, scores = drawn(competition)
    values = of_scores(truth, scores, competition)
    expected = measure(truth, scores, competition.metric)
    assert float(mean_over_labels(values, competition.metric)) == pytest.approx(expected)
    assert sentence_of(competition).startswith(f"The metric is the mean over labels of their {title_of(competition)}")


@pytest.mark.parametrize(
    ("metric", "one_label"),
    [(Metric(name="label_ranking", average="micro"), False), (Metric(name="log_loss", average="samples"), True)],
    ids=lambda value: getattr(value, "title", ""),
)
def test_the_mean_weighed_by_chips_is_the_metric_of_what_chips_carry(metric, one_label):
    competition = judged_by(metric, one_label=one_label)
    truth, scores = drawn(competition)
    values = of_scores(truth, scores, competition)
    assert np.average(values, weights=truth.sum(axis=0)) == pytest.approx(measure(truth, scores, metric))
    assert "weighed by their number" in sentence_of(competition)


@pytest.mark.parametrize(
    ("metric", "one_label", "title"),
    [
        (Metric(name="accuracy"), False, "accuracy"),
        (Metric(name="accuracy", average="samples"), True, "recall"),
        (Metric(average="macro", beta=2), False, "F2"),
    ],
)
def test_decisions_add_up_to_the_metric(metric, one_label, title):
    competition = judged_by(metric, one_label=one_label)
    truth, scores = drawn(competition)
    decided = scores >= 0.5
    if one_label:
        decided = scores.argmax(axis=1)[:, None] == np.arange(len(LABELS))
    hits, carried = (truth & decided).sum(axis=0), truth.sum(axis=0)
    values = of_counts(hits, decided.sum(axis=0), carried, len(truth), competition)
    weights = carried if one_label else None
    assert np.average(values, weights=weights) == pytest.approx(measure(truth, decided, metric))
    assert title_of(competition) == title
    assert ("weighed by their number" in sentence_of(competition)) == one_label


def test_a_label_without_chips_has_no_recall_and_no_f_beta():
    for competition in (judged_by(Metric(average="macro")), judged_by(Metric(average="samples"), one_label=True)):
        assert np.isnan(of_counts(0, 0, 0, 10, competition))


@pytest.mark.parametrize("one_label", [False, True])
def test_knowing_nothing_is_what_a_constant_loses(one_label):
    competition = judged_by(Metric(name="log_loss", average="samples" if one_label else "macro"), one_label=one_label)
    truth, _ = drawn(competition)
    share = np.broadcast_to(truth.mean(axis=0), truth.shape)
    np.testing.assert_allclose(ignorance(truth, competition), of_scores(truth, share, competition))
    truth[:, 0] = False
    assert ignorance(truth, competition)[0] == (np.inf if one_label else 0)


def test_the_worst_label_by_the_metric_comes_first(make_scored):
    for metric, turn in ((Metric(name="roc_auc"), 1), (Metric(name="log_loss"), -1)):
        labels = [label for label in labels_of(make_scored(metric)) if label.support]
        values = [turn * label.quality for label in labels]
        assert values == sorted(values)
        assert not any(label.fault.startswith(FAULTS) for label in labels), "scores are not decided"
