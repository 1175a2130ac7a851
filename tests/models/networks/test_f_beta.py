"""The streamed F-beta is the competition's, however the chips are batched."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from competition.metrics.f_beta import f_beta
from competition.spec.metric import Metric
from models.networks.f_beta import FBeta

QUICK = settings(max_examples=30, deadline=None)
averages = st.sampled_from(["samples", "macro", "micro"])
# Scores at the cut, one step beside it, and elsewhere.
CUT = np.float32(0.2)
values = st.sampled_from([0.0, CUT, np.nextafter(CUT, np.float32(0)), np.nextafter(CUT, np.float32(1)), 0.5, 1.0])


def streamed(metric: FBeta, truth: np.ndarray, scores: np.ndarray, ends: list[int]) -> float:
    metric.reset_state()
    for start, end in zip([0, *ends], [*ends, len(truth)], strict=True):
        if end > start:
            metric.update_state(truth[start:end].astype(np.float32), scores[start:end])
    return float(keras.ops.convert_to_numpy(metric.result()))


@QUICK
@given(st.data(), averages, st.sampled_from([0.5, 1.0, 2.0]), st.integers(1, 12))
@example(None, "samples", 2.0, 3)
def test_it_equals_the_competitions_whatever_the_batches(data, average, beta, num_chips):
    if data is None:  # nothing carried, nothing decided: 0 / 0 counts as 0
        truth, scores, ends = np.zeros((3, 4), bool), np.zeros((3, 4), np.float32), [1]
    else:
        truth = data.draw(arrays(bool, (num_chips, 4)))
        scores = data.draw(arrays(np.float32, (num_chips, 4), elements=values.map(float)))
        ends = sorted(data.draw(st.lists(st.integers(0, num_chips), max_size=3)))
    metric = Metric(average=average, beta=beta)
    expected = f_beta(truth, scores >= np.float32(0.2), metric)
    assert streamed(FBeta(metric, 4, cut=0.2), truth, scores, ends) == pytest.approx(expected, abs=1e-6)


def test_it_is_cut_at_the_prior_cut_and_a_score_at_the_cut_is_decided():
    metric = FBeta(Metric(beta=2), 2)
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
    assert streamed(FBeta(metric, 17), truth, scores, ends) == pytest.approx(f_beta(truth, scores >= 0.2, metric))


def test_reset_forgets_what_was_added():
    metric = FBeta(Metric(beta=2), 2)
    truth = np.array([[True, False]])
    assert streamed(metric, truth, np.float32([[0.0, 1.0]]), []) == 0.0
    assert streamed(metric, truth, np.float32([[1.0, 0.0]]), []) == 1.0


def test_an_evaluated_network_reports_it():
    chips = keras.Input((17,))
    network = keras.Model(chips, keras.layers.Activation("linear")(chips))
    network.compile(loss="binary_crossentropy", metrics=[FBeta(Metric(beta=2), 17)])
    random = np.random.default_rng(1)
    truth, scores = random.random((50, 17)) < 0.2, random.random((50, 17)).astype(np.float32)
    figures = network.evaluate(scores, truth.astype(np.float32), batch_size=16, verbose=0, return_dict=True)
    assert figures["f_beta"] == pytest.approx(f_beta(truth, scores >= 0.2, Metric(beta=2)), abs=1e-6)
