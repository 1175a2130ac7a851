"""Means of members' scores, of which some may have none of a label."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from submissions.decide.log_odds import TINY, from_log_odds, log_odds

if TYPE_CHECKING:
    from submissions.measure.cross_fit import Combiner

NUMBERS_AT_ONCE = 2**20  # of a block: 8 MB
QUANTILES = np.linspace(0, 1, 1001)


def weighted_mean(
    scores: NDArray[Any],
    weights: NDArray[np.floating],
    scale: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray,
) -> NDArray[np.float64]:
    """Return the mean (num_chips, num_labels) of members' scores; those without a label have no part in its mean.

    Args:
        scores: float array (num_members, num_chips, num_labels), NaN where a member scores no label.
        weights: float array (num_members,) or (num_members, num_labels), not negative.
        scale: brings a member's scores to the scale on which the mean is taken.

    Raises:
        ValueError: if no member scores a label.
    """
    has = ~np.isnan(scores[:, :1]).any(axis=1)
    shares = np.where(has, weights if weights.ndim == 2 else weights[:, None], 0.0)
    # A label whose only members have no weight is theirs all the same.
    shares = np.where((shares.sum(axis=0) > 0) | ~has, shares, 1.0)
    if not has.any(axis=0).all():
        raise ValueError("A label has no member that scores it.")
    shares /= shares.sum(axis=0)
    total = np.zeros(scores.shape[1:])
    at_once = max(1, NUMBERS_AT_ONCE // scores.shape[-1])
    for start in range(0, len(total), at_once):  # block by block, lest there be matrices of float64 beside the result
        block = slice(start, start + at_once)
        for member, share in zip(scores, shares, strict=True):
            total[block] += np.where(share > 0, scale(member[block]), 0.0) * share
    return total


def _log(scores: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.log(np.maximum(scores, TINY)))


# By name, what brings scores to a scale and back.
SCALES: dict[str, tuple[Callable[[NDArray[Any]], NDArray[Any]], Callable[[NDArray[Any]], NDArray[Any]]]] = {
    "mean": (np.asarray, np.asarray),
    "geometric": (_log, np.exp),
    "logit": (log_odds, from_log_odds),
}


class Mean:
    """The mean of the scores of the members that score a label, on some scale. Nothing is fitted.

    Args:
        scale: "mean", "geometric" (the mean of logarithms) or "logit" (the mean of log odds).
    """

    def __init__(self, scale: str = "mean") -> None:
        self.scale = scale
        self.to_scale, self.from_scale = SCALES[scale]

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Return itself."""
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the mean (num_chips, num_labels) of scores (num_members, num_chips, num_labels)."""
        mean = weighted_mean(scores, np.ones(len(scores)), self.to_scale)
        return np.asarray(self.from_scale(mean), dtype=np.float32)


class WeightedMean:
    """The mean of the scores of the members that score a label, by weights that were found.

    Attributes:
        weights: float array (num_members,), or (num_members, num_labels), of sum 1, once fitted.
    """

    weights: NDArray[np.float64]

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the weighted mean (num_chips, num_labels) of scores (num_members, num_chips, num_labels)."""
        return weighted_mean(scores, self.weights).astype(np.float32)


class Union:
    """Another combiner, but for some labels the largest score of any member, so that one is decided where any would.

    The starting paper wished for this, for models of rare labels.

    Args:
        combiner: makes the scores of the other labels.
        union: bool array (num_labels,).
    """

    def __init__(self, combiner: Combiner, union: ArrayLike) -> None:
        self.combiner, self.union = combiner, union

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Fit the combiner to scores (num_members, num_chips, num_labels) and truth (num_chips, num_labels)."""
        self.combiner.fit(scores, truth)
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return scores (num_chips, num_labels) of scores (num_members, num_chips, num_labels)."""
        combined = self.combiner.predict(scores)
        return np.where(self.union, np.fmax.reduce(scores, axis=0), combined).astype(np.float32)


class RankMean:
    """The mean of the members' ranks of a chip, brought back to the scale of the arithmetic mean.

    What members differ in beside the order of the chips plays no part. Ranks are those among the chips fitted to, so
    that chips are scored one by one; the scale makes the cuts of other blends fit.
    """

    # Not by scikit-learn's QuantileTransformer, which puts quantiles between the scores that occur: it moves the F2 of
    # real scores by up to .0002, and takes twice as long for 20 models and 40,000 chips.

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Learn the distributions of scores (num_members, num_chips, num_labels)."""
        self.of_members = _quantiles(scores.swapaxes(0, 1))
        self.of_ranks = _quantiles(self._mean_ranks(scores))
        self.of_mean = _quantiles(weighted_mean(scores, np.ones(len(scores))))
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.float32]:
        """Return the mean (num_chips, num_labels) of scores (num_members, num_chips, num_labels)."""
        ranks = self._mean_ranks(scores)
        labels = range(ranks.shape[1])
        back = [np.interp(ranks[:, label], self.of_ranks[:, label], self.of_mean[:, label]) for label in labels]
        return np.stack(back, axis=1).astype(np.float32)

    def _mean_ranks(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Return the mean ranks (num_chips, num_labels), from 0 to 1, by the members that score a label."""
        ranks = np.full(scores.shape, np.nan)
        for member, label in np.ndindex(len(scores), scores.shape[2]):
            ranks[member, :, label] = np.interp(scores[member, :, label], self.of_members[:, member, label], QUANTILES)
        return weighted_mean(ranks, np.ones(len(scores)))


def _quantiles(values: NDArray[Any]) -> NDArray[Any]:
    """Return the quantiles (len(QUANTILES), ...) of values (num_chips, ...), each a value that occurs."""
    places = np.round(QUANTILES * (len(values) - 1)).astype(np.int64)
    ordered: NDArray[Any] = np.sort(values, axis=0)[places]
    return ordered
