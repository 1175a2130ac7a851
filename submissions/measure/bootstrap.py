"""How certain a metric of some chips is: the bootstrap, in which all decisions meet the same chips."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from competition.metrics.f_beta import f_beta_of_counts, f_beta_per_chip
from competition.spec.metric import Metric

RESAMPLES = 1000
SEED = 0
NUMBERS_AT_ONCE = 2**21  # of a block of resamples: 16 MB
DECISIONS_AT_ONCE = 8


def bootstrap(
    truth: NDArray[np.bool_],
    decisions: Sequence[NDArray[np.bool_]],
    metric: Metric,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> NDArray[np.float64]:
    """Return the metric of several decisions on the same resampled sets of chips.

    The sets depend on the number of chips and the seed alone, so that what two calls return for the same chips is
    paired, draw by draw.

    Args:
        truth: bool array (num_chips, num_labels).
        decisions: bool arrays (num_chips, num_labels).
        metric: what to measure.
        resamples: how many sets of chips to draw.
        seed: of the draws.

    Returns:
        Float array (resamples, len(decisions)).

    Example:
        >>> truth = np.array([[True], [True], [False], [True]])
        >>> drawn = bootstrap(truth, [truth, ~truth], Metric(average="micro", beta=2))
        >>> drawn.shape, drawn.mean(axis=0).round(1).tolist()
        ((1000, 2), [1.0, 0.0])
    """
    times = _times_drawn(len(truth), resamples, seed)
    return metric_of_draws(times, len(truth), truth, decisions, metric)


def metric_of_draws(
    times: NDArray[np.uint8],
    size: int,
    truth: NDArray[np.bool_],
    decisions: Sequence[NDArray[np.bool_]],
    metric: Metric,
) -> NDArray[np.float64]:
    """Return the metric (num_draws, len(decisions)) of drawn sets of chips.

    Args:
        times: int array (num_draws, num_chips): how often each chip is in each set.
        size: chips in each set.
        truth: bool array (num_chips, num_labels).
        decisions: bool arrays (num_chips, num_labels).
        metric: what to measure.
    """
    per_block, values = max(1, NUMBERS_AT_ONCE // len(truth)), []
    for first in range(0, len(decisions), DECISIONS_AT_ONCE):
        some = decisions[first : first + DECISIONS_AT_ONCE]
        addends = np.stack([_addends(truth, decided, metric) for decided in some])
        starts = range(0, len(times), per_block)
        blocks = [times[start : start + per_block].astype(addends.dtype) @ addends for start in starts]
        values.append(_metric_of_sums(np.concatenate(blocks, axis=1), size, metric).T)
    return np.concatenate(values, axis=1)


@lru_cache(maxsize=1)  # 40 MB for 40,000 chips; every evaluation of the same chips draws the same
def _times_drawn(num_chips: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """Return how often each chip was drawn: (resamples, num_chips)."""
    random = np.random.default_rng(seed)
    times = np.empty((resamples, num_chips), dtype=np.uint8)
    for row in times:
        row[:] = np.bincount(random.integers(num_chips, size=num_chips), minlength=num_chips)
    return times


def _addends(truth: NDArray[np.bool_], decisions: NDArray[np.bool_], metric: Metric) -> NDArray[np.floating]:
    """Return what each chip adds to the sums that the metric is made of: (num_chips, num_sums).

    In float32, which is twice as fast as float64, exact for counts, and right to a millionth for means.
    """
    if metric.average == "samples":
        return f_beta_per_chip(truth, decisions, metric.beta)[:, None].astype(np.float32)
    counts = [truth & decisions, decisions, truth]
    if metric.average == "micro":
        counts = [count.sum(axis=1, keepdims=True) for count in counts]
    return np.concatenate(counts, axis=1).astype(np.float32)


def _metric_of_sums(sums: NDArray[np.floating], num_chips: int, metric: Metric) -> NDArray[np.float64]:
    """Return the metric (...,) of sums (..., num_sums) over so many chips."""
    if metric.average == "samples":
        return np.asarray(sums[..., 0] / num_chips)
    hits, decided, carried = np.split(sums, 3, axis=-1)
    return f_beta_of_counts(hits, decided, carried, metric.beta).mean(axis=-1)
