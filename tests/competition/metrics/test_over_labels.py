"""Means over labels: weighed, and without those that have no value."""

from __future__ import annotations

import numpy as np
import pytest

from competition.metrics.over_labels import label_weights, mean_over_labels
from competition.spec.metric import Metric

WEIGHTED = Metric(average="macro", weights={"a": 1, "b": 3, "c": 0})


def test_labels_without_a_value_are_left_out_and_so_is_what_they_weigh() -> None:
    values = np.array([[1.0, 0.0, 0.5], [1.0, np.nan, 0.5], [np.nan, np.nan, 0.5]])
    np.testing.assert_allclose(mean_over_labels(values, Metric()), [0.5, 0.75, 0.5])
    np.testing.assert_allclose(mean_over_labels(values, WEIGHTED), [0.25, 1.0, np.nan])


def test_weights_of_other_labels_are_refused() -> None:
    assert label_weights(Metric(), 5) is None
    with pytest.raises(ValueError, match="weights of 3 labels for 2 columns"):
        label_weights(WEIGHTED, 2)


def test_labels_that_all_weigh_nothing_weigh_alike() -> None:
    of_specialist = WEIGHTED.of_labels(("c",))
    assert label_weights(of_specialist, 1) is None
    assert mean_over_labels(np.array([0.25]), of_specialist) == 0.25
