"""How certain a metric of some chips is: the bootstrap, in which all answers meet the same chips."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.metrics.judge import addends, of_sums
from competition.spec.metric import Metric

RESAMPLES = 1000
SEED = 0
NUMBERS_AT_ONCE = 2**21  # of a block of resamples: 16 MB
ANSWERS_AT_ONCE = 8
CELLS_AT_ONCE = 2**25  # chips times labels of the answers at once, of which a mean over labels adds up three counts


def bootstrap(
    truth: NDArray[np.bool_],
    answers: Sequence[NDArray[Any]],
    metric: Metric,
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return the metric of several answers on the same resampled sets of chips.

    The sets depend on the number of chips and the seed alone, so that what two calls return for the same chips is
    paired, draw by draw.

    Args:
        truth: bool array (num_chips, num_labels).
        answers: arrays (num_chips, num_labels): bool decisions, or float scores, as the metric judges.
        metric: what to measure.
        resamples: how many sets of chips to draw.
        seed: of the draws.
        weights: float array (num_chips,), what each chip counts for; None: all the same. Each set's are divided by
            their sum, so that the spread of what is returned is that of self-normalised means, or, of how chips are
            ranked, of that among weighed chips.

    Returns:
        Float array (resamples, len(answers)).

    Example:
        >>> truth = np.array([[True], [True], [False], [True]])
        >>> drawn = bootstrap(truth, [truth, ~truth], Metric(average="micro", beta=2))
        >>> drawn.shape, drawn.mean(axis=0).round(1).tolist()
        ((1000, 2), [1.0, 0.0])
    """
    times = _times_drawn(len(truth), resamples, seed)
    return metric_of_draws(times, len(truth), truth, answers, metric, weights)


def metric_of_draws(
    times: NDArray[np.uint8],
    size: int,
    truth: NDArray[np.bool_],
    answers: Sequence[NDArray[Any]],
    metric: Metric,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return the metric (num_draws, len(answers)) of drawn sets of chips.

    Args:
        times: int array (num_draws, num_chips): how often each chip is in each set.
        size: chips in each set.
        truth: bool array (num_chips, num_labels).
        answers: arrays (num_chips, num_labels): bool decisions, or float scores, as the metric judges.
        metric: what to measure.
        weights: float array (num_chips,), what each chip counts for; None: all the same.
    """
    counted: int | NDArray[np.float64] = size if weights is None else times @ weights
    per_block, values = max(1, NUMBERS_AT_ONCE // len(truth)), []
    at_once = max(1, min(ANSWERS_AT_ONCE, CELLS_AT_ONCE // truth.size))
    for first in range(0, len(answers), at_once):
        added = np.stack([addends(truth, some, metric, weights) for some in answers[first : first + at_once]])
        if weights is not None:
            added *= weights.astype(added.dtype)[:, None]
        starts = range(0, len(times), per_block)
        blocks = [times[start : start + per_block].astype(added.dtype) @ added for start in starts]
        values.append(of_sums(np.concatenate(blocks, axis=1), counted, metric).T)
    return np.concatenate(values, axis=1)


@lru_cache(maxsize=1)  # 40 MB for 40,000 chips; every evaluation of the same chips draws the same
def _times_drawn(num_chips: int, resamples: int, seed: int) -> NDArray[np.uint8]:
    """Return how often each chip was drawn: (resamples, num_chips)."""
    random = np.random.default_rng(seed)
    times = np.empty((resamples, num_chips), dtype=np.uint8)
    for row in times:
        row[:] = np.bincount(random.integers(num_chips, size=num_chips), minlength=num_chips)
    return times
