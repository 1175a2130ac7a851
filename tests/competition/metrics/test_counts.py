"""Metrics of decisions by their counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.metrics.counts import counted_by, mean_of, of_counts, of_decisions
from competition.spec.metric import Metric
from tests.competition.metrics.matrices import Matrices, matrices

OF_DECISIONS = [
    Metric(beta=2),
    Metric(average="macro", empty=1),
    Metric(average="micro"),
    Metric(name="accuracy"),
    Metric(name="accuracy", average="samples"),
    Metric(name="exact_match"),
]


@given(matrices(), st.sampled_from(OF_DECISIONS))
@settings(deadline=None)
def test_the_values_are_those_of_the_counts_of_each_row(drawn: Matrices, metric: Metric) -> None:
    truth, decisions = drawn
    by = counted_by(metric)
    pairs = {"samples": (truth, decisions), "macro": (truth.T, decisions.T), "micro": ([truth], [decisions])}[by]
    rows = zip(*pairs, strict=True)
    values = of_decisions(truth, decisions, metric)
    for value, (carried, decided) in zip(values, rows, strict=True):
        counted = (carried & decided).sum(), decided.sum(), carried.sum()
        assert value == of_counts(*counted, metric, carried.size)
    assert mean_of(values, metric) == pytest.approx(np.mean(values))


def test_accuracy_counts_what_is_right_of_all_labels_and_exact_match_chips_without_a_mistake() -> None:
    hits, decided, carried = [0, 1, 2], [0, 2, 2], [0, 1, 2]
    share, whole = Metric(name="accuracy"), Metric(name="accuracy", average="samples")
    assert of_counts(hits, decided, carried, share, 4).tolist() == [1, 0.75, 1]
    assert of_counts(hits, decided, carried, whole, 4).tolist() == [1, 0, 1]
    assert of_counts(hits, decided, carried, Metric(name="exact_match"), 4).tolist() == [1, 0, 1]
