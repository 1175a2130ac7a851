"""Tasks: all labels, or a specialist's, in the competition's order."""

from __future__ import annotations

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.spec.metric import Metric
from competition.task import Task
from tests.models.samples import NUM_LABELS, PLANET, tiny_recipe


def test_without_labels_named_all_are_scored_by_the_competitions_metric():
    task = tiny_recipe().task(PLANET)
    assert task.is_whole
    assert (task.labels, task.metric) == (PLANET.labels, PLANET.metric)
    np.testing.assert_array_equal(task.columns, np.arange(NUM_LABELS))
    scores = np.zeros((2, NUM_LABELS), dtype=np.float32)
    assert task.spread(scores) is scores


def test_a_specialists_labels_come_in_the_competitions_order_and_are_judged_label_by_label():
    task = tiny_recipe(only_labels=("water", "blow_down", "water")).task(PLANET)
    assert task.labels == ("blow_down", "water")
    assert [PLANET.labels[column] for column in task.columns] == ["blow_down", "water"]
    assert (task.metric.average, task.metric.beta) == ("macro", PLANET.metric.beta)
    assert not task.is_whole


def test_a_specialists_scores_are_spread_over_the_labels_with_none_for_the_others():
    task = tiny_recipe(only_labels=("blow_down", "water")).task(PLANET)
    spread = task.spread(np.array([[0.25, 0.5], [0.75, 1.0]], dtype=np.float32))
    assert (spread.shape, spread.dtype) == ((2, NUM_LABELS), np.float32)
    np.testing.assert_array_equal(spread[:, task.columns], [[0.25, 0.5], [0.75, 1.0]])
    assert np.isnan(np.delete(spread, task.columns, axis=1)).all()


def test_an_unknown_label_lists_the_known_ones():
    with pytest.raises(UserError, match=r"Unknown label of --only-labels 'gold'\. Known: .*water"):
        tiny_recipe(only_labels=("water", "gold")).task(PLANET)


def test_a_softmax_over_no_whole_group_is_refused():
    weather = ("clear", "partly_cloudy", "haze", "cloudy")
    assert tiny_recipe(groups="softmax", only_labels=("water", *weather)).task(PLANET).exclusive_columns
    for labels in (("water", "road"), ("water", *weather[1:])):
        with pytest.raises(UserError, match=r"every label of a group: expected .*haze.*; received .*Give --groups"):
            tiny_recipe(groups="softmax", only_labels=labels).task(PLANET)
    plain = PLANET.model_copy(update={"exclusive": ()})
    with pytest.raises(UserError, match="expected a competition with exclusive groups; received agriculture, "):
        tiny_recipe(groups="softmax").task(plain)


def judged_by(labels=PLANET.labels, exclusive=(), **metric) -> Task:
    update = {"metric": Metric.model_validate(metric), "exclusive": exclusive}
    return Task(PLANET.model_copy(update=update), tuple(labels))


FEW = ("blow_down", "water")


@pytest.mark.parametrize(
    ("name", "average", "of_few"),
    [
        ("f_beta", "micro", "macro"),
        ("average_precision", "samples", "macro"),
        ("roc_auc", "macro", "macro"),
        ("label_ranking", "micro", "micro"),
        ("accuracy", "samples", "samples"),
        ("log_loss", "macro", "macro"),
    ],
)
def test_a_specialist_is_judged_by_its_labels(name, average, of_few):
    assert judged_by(FEW, name=name, average=average).metric == Metric(name=name, average=of_few)


def test_weights_are_those_of_the_labels_scored():
    weights = {"water": 3.0}
    assert judged_by(FEW, name="log_loss", weights=weights).metric.weights == {"blow_down": 1.0, "water": 3.0}
    assert list(judged_by(name="log_loss", weights=weights).metric.weights) == list(PLANET.labels)


def test_scores_are_answers_where_they_are_judged_and_are_cut_or_the_highest_taken_where_decisions_are():
    scores = np.array([[0.4, 0.2], [0.6, 0.7]], dtype=np.float32)
    ranked = judged_by(FEW, name="roc_auc")
    assert ranked.answers(scores) is scores
    assert ranked.cut is None
    cut = judged_by(FEW, name="accuracy")
    np.testing.assert_array_equal(cut.answers(scores), [[False, False], [True, True]])
    assert cut.cut == 0.5
    values = {"labels": FEW, "exclusive": (FEW,), "metric": Metric(name="accuracy")}
    one_of = Task(PLANET.model_copy(update=values), FEW)
    np.testing.assert_array_equal(one_of.answers(scores), [[True, False], [False, True]])
    assert one_of.cut is None
