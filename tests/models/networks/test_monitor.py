"""What training is shown is the competition's metric, however the chips are batched."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from competition.metrics.judge import measure
from competition.spec.load import load
from competition.spec.metric import Metric
from competition.task import Task
from models.networks import monitor as module
from models.networks.monitor import KEY, OfBins, OfChips, OfDecisions, monitor
from tests.competition.metrics.matrices import draw_matrices

PLANET = load("planet")
QUICK = settings(max_examples=30, deadline=None)
averages = st.sampled_from(["samples", "macro", "micro"])
# Scores at the cut, one step beside it, and elsewhere.
CUT = np.float32(0.2)
values = st.sampled_from([0.0, CUT, np.nextafter(CUT, np.float32(0)), np.nextafter(CUT, np.float32(1)), 0.5, 1.0])


def streamed(metric: keras.metrics.Metric, truth: np.ndarray, scores: np.ndarray, ends: list[int]) -> float:
    metric.reset_state()
    for start, end in zip([0, *ends], [*ends, len(truth)], strict=True):
        if end > start:
            metric.update_state(truth[start:end].astype(np.float32), scores[start:end])
    return float(keras.ops.convert_to_numpy(metric.result()))


@QUICK
@given(st.data(), averages, st.sampled_from([0.5, 1.0, 2.0]), st.integers(1, 12), st.sampled_from([0, 1]))
@example(None, "samples", 2.0, 3, 0)
@example(None, "macro", 2.0, 3, 1)
def test_f_beta_is_the_competitions_whatever_the_batches(data, average, beta, num_chips, empty):
    if data is None:  # nothing carried, nothing decided: 0 / 0
        truth, scores, ends = np.zeros((3, 4), bool), np.zeros((3, 4), np.float32), [1]
    else:
        truth = data.draw(arrays(bool, (num_chips, 4)))
        scores = data.draw(arrays(np.float32, (num_chips, 4), elements=values.map(float)))
        ends = sorted(data.draw(st.lists(st.integers(0, num_chips), max_size=3)))
    metric = Metric(average=average, beta=beta, empty=empty)
    expected = measure(truth, scores >= np.float32(0.2), metric)
    assert streamed(OfDecisions(metric, 4, cut=0.2), truth, scores, ends) == pytest.approx(expected, abs=1e-6)


def judged_by(**metric) -> Task:
    """Return the task of five labels of Planet judged by another metric."""
    labels = PLANET.labels[:5]
    values = {"labels": labels, "exclusive": (), "alone": (), "metric": Metric.model_validate(metric)}
    return Task(PLANET.model_copy(update=values), labels)


WEIGHTS = dict(zip(PLANET.labels, (2, 1, 0.5, 0, 1), strict=False))
EXACT = [
    {"name": "accuracy"},
    {"name": "accuracy", "average": "samples"},
    {"name": "exact_match"},
    {"average": "macro", "weights": WEIGHTS},
    {"name": "average_precision", "average": "samples"},
    {"name": "label_ranking"},
    {"name": "label_ranking", "average": "micro"},
    {"name": "log_loss"},
    {"name": "log_loss", "clip": 0.01, "weights": WEIGHTS},
]
BINNED = [
    {"name": "roc_auc"},
    {"name": "roc_auc", "weights": WEIGHTS},
    {"name": "average_precision"},
    {"name": "average_precision", "average": "micro"},
]


def spoilt(truth: np.ndarray, scores: np.ndarray) -> None:
    """Make chips without labels and with all of them, scores that tie, and scores of 0 and 1."""
    truth[:5], truth[5:9] = False, True
    scores[:300] = scores[:300].round(1)


@pytest.mark.parametrize("values", EXACT, ids=str)
def test_metrics_of_chips_and_counts_are_the_competitions(values):
    task = judged_by(**values)
    truth, scores = draw_matrices(1000, 5)
    spoilt(truth, scores)
    expected = measure(truth, task.answers(scores), task.metric)
    assert streamed(monitor(task), truth, scores, list(range(64, 1000, 64))) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("values", BINNED, ids=str)
@pytest.mark.parametrize("power", [1, 6])
def test_metrics_of_ranks_over_chips_are_near_the_competitions(values, power):
    task = judged_by(**values)
    truth, scores = draw_matrices(2000, 5)
    scores **= power  # small scores are told apart too
    expected = measure(truth, scores, task.metric)
    assert streamed(monitor(task), truth, scores, list(range(64, 2000, 64))) == pytest.approx(expected, abs=0.002)


def test_labels_that_all_or_no_chips_carry_count_as_the_competition_counts_them():
    truth, scores = draw_matrices(500, 5)
    truth[:, 1], truth[:, 3] = True, False
    for values in BINNED:
        task = judged_by(**values)
        assert streamed(monitor(task), truth, scores, [200]) == pytest.approx(
            measure(truth, scores, task.metric), abs=0.005
        )
    assert streamed(monitor(judged_by(name="roc_auc")), truth > 2, scores, []) == 0  # nothing to rank


def test_scores_of_a_saturated_network_are_no_ranking():
    truth, _ = draw_matrices(200, 5)
    for score in (0.0, 1.0):
        scores = np.full(truth.shape, score, dtype=np.float32)
        for values in (*EXACT[4:], *BINNED):
            task = judged_by(**values)
            expected = measure(truth, scores, task.metric)
            assert streamed(monitor(task), truth, scores, [70]) == pytest.approx(expected, abs=0.01)


def test_of_a_multi_class_competition_the_label_that_scores_highest_is_decided():
    labels = PLANET.labels[:5]
    values = {"labels": labels, "exclusive": (labels,), "alone": (), "metric": Metric(name="accuracy")}
    task = Task(PLANET.model_copy(update=values), labels)
    truth = np.eye(5, dtype=bool)[[0, 1, 2]]
    scores = np.float32([[0.3, 0.2, 0.2, 0.1, 0.2], [0.6, 0.4, 0, 0, 0], [0, 0, 0.4, 0.3, 0.3]])
    assert streamed(monitor(task), truth, scores, [1]) == pytest.approx(13 / 15)
    assert measure(truth, task.answers(scores), task.metric) == pytest.approx(13 / 15)


def test_the_targets_of_mixed_chips_count_by_their_shares():
    """Of equal halves, a chip of weight 2 is the chip with the label and the one without."""
    scores = np.float32([[0.9, 0.2], [0.4, 0.6], [0.3, 0.1]])
    mixed = np.float32([[0.5, 0.0], [1.0, 0.5], [0.0, 1.0]])
    for metric in (OfBins(Metric(name="roc_auc"), 2), OfChips(Metric(name="log_loss"), 2)):
        metric.update_state(mixed, scores)
        halves = keras.ops.convert_to_numpy(metric.result())
        metric.reset_state()
        for truth in (np.ceil(mixed), np.floor(mixed)):
            metric.update_state(truth, scores)
        assert halves == pytest.approx(float(keras.ops.convert_to_numpy(metric.result())), rel=1e-5)


def test_a_thousand_labels_take_little_memory():
    metric = OfBins(Metric(name="roc_auc"), 1103)
    assert sum(np.prod(variable.shape) * 4 for variable in metric.variables) < 20e6
    assert module.BINS >= 1000


def test_it_is_cut_at_the_prior_cut_and_a_score_at_the_cut_is_decided():
    labels = PLANET.labels[:2]
    metric = monitor(Task(PLANET.model_copy(update={"labels": labels, "exclusive": ()}), labels))
    assert metric.cut == pytest.approx(0.2)
    truth = np.array([[True, False]])
    assert streamed(metric, truth, np.float32([[0.2, 0.1999]]), []) == pytest.approx(1.0)
    assert streamed(metric, truth, np.float32([[0.1999, 0.1999]]), []) == 0.0


@pytest.mark.parametrize("average", ["samples", "macro", "micro"])
def test_many_batches_do_not_wear_it_out(average):
    random = np.random.default_rng(0)
    truth, scores = random.random((5000, 17)) < 0.2, random.random((5000, 17)).astype(np.float32)
    metric = Metric(average=average, beta=2)
    ends = list(range(50, 5000, 50))
    assert streamed(OfDecisions(metric, 17, 0.2), truth, scores, ends) == pytest.approx(
        measure(truth, scores >= 0.2, metric)
    )


def test_reset_forgets_what_was_added():
    metric = OfDecisions(Metric(beta=2), 2, 0.2)
    truth = np.array([[True, False]])
    assert streamed(metric, truth, np.float32([[0.0, 1.0]]), []) == 0.0
    assert streamed(metric, truth, np.float32([[1.0, 0.0]]), []) == 1.0


def test_an_evaluated_network_reports_it():
    chips = keras.Input((17,))
    network = keras.Model(chips, keras.layers.Activation("linear")(chips))
    network.compile(loss="binary_crossentropy", metrics=[OfDecisions(Metric(beta=2), 17, 0.2)])
    random = np.random.default_rng(1)
    truth, scores = random.random((50, 17)) < 0.2, random.random((50, 17)).astype(np.float32)
    figures = network.evaluate(scores, truth.astype(np.float32), batch_size=16, verbose=0, return_dict=True)
    assert figures[KEY] == pytest.approx(measure(truth, scores >= 0.2, Metric(beta=2)), abs=1e-6)


def test_of_targets_in_two_planes_the_share_carried_is_judged_and_what_does_not_count_is_right():
    scores = np.array([[0.9, 0.1, 0.7], [0.2, 0.8, 0.4]], dtype=np.float32)
    targets = np.array([[1, 0, 0.5], [0, 0.6, 1]], dtype=np.float32)
    planes = np.concatenate([targets * 0.5, (1 - targets) * 0.5], axis=1)
    np.testing.assert_allclose(module._truth(planes, scores), targets, rtol=1e-6)
    planes[0, [2, 5]] = 0
    assert float(module._truth(planes, scores)[0, 2]) == pytest.approx(0.7)
