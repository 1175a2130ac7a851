"""What answers are worth by a competition's metric: decisions where it judges these, or else scores.

A metric is a function of sums over chips, so that what a set of chips drawn with replacement is worth takes one product
of matrices: `addends` gives what each chip adds, `of_sums` the metric. Ranking metrics are no such function; theirs is
linearised.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.metrics.f_beta import f_beta
from competition.spec.metric import Metric


def measure(truth: NDArray[np.bool_], answers: NDArray[Any], metric: Metric) -> float:
    """Return the metric of answers.

    Args:
        truth: bool array (num_chips, num_labels).
        answers: of the same shape: bool decisions, or float scores without NaN, as the metric judges.
        metric: the metric.

    Raises:
        ValueError: if the shapes differ.
    """
    return f_beta(truth, answers, metric)
