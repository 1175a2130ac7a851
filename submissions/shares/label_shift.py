"""The shares of labels among chips whose truth is not known, by their scores: label shift.

What scores look like of chips that carry a label, and of chips that do not, is taken to be the same as among the
labelled chips; only how many carry it may differ. The histogram of the scores is then a mix of two that are known, and
the share is the one that makes it most likely, found by expectation and maximisation (Saerens, Latinne and Decaestecker
2002). With histograms no score needs to be calibrated; with two bins it would be the estimate by a confusion matrix
(Lipton, Wang and Smola 2018; Garg et al. 2020 on both).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 20  # of each label's scores, at most twice as many
RESAMPLES = 200
STEPS = 500
SMOOTH = 0.5  # chips added to every bin
Array = NDArray[np.float64]


class Shares(NamedTuple):
    """Shares of labels, float arrays (num_labels,); NaN for labels without scores, or that all or no chips carry.

    Attributes:
        value: the most likely share.
        low, high: its 95 % interval, by the bootstrap over both sets of chips.
    """

    value: Array
    low: Array
    high: Array


def estimate_shares(
    scores: NDArray[np.floating],
    truth: NDArray[np.bool_],
    others: NDArray[np.floating],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Shares:
    """Estimate the share of each label among chips by their scores.

    Args:
        scores: float array (num_chips, num_labels), of chips by networks that did not see them.
        truth: bool array (num_chips, num_labels), of the same.
        others: float array (num_others, num_labels), scores of the chips in question.
        resamples: of the bootstrap.
        seed: of the bootstrap.
    """
    random, found = np.random.default_rng(seed), np.full((3, truth.shape[1]), np.nan)
    for label in range(truth.shape[1]):
        carried = truth[:, label]
        if np.isnan(scores[:, label]).any() or np.isnan(others[:, label]).any() or carried.all() or not carried.any():
            continue
        with_it, without, theirs = _histograms(scores[:, label], carried, others[:, label])
        value = most_likely_share(with_it[None], without[None], theirs[None])[0]
        drawn = most_likely_share(*(_drawn(counts, resamples, random) for counts in (with_it, without, theirs)))
        found[:, label] = value, *np.quantile(drawn, [0.025, 0.975])
    return Shares(*found)


def most_likely_share(with_it: Array, without: Array, theirs: Array) -> Array:
    """Return the share (num_sets,) of chips that carry a label which makes their histogram most likely.

    Args:
        with_it: float array (num_sets, num_bins): histogram of chips that carry it.
        without: of the same shape: of chips that do not.
        theirs: of the same shape: of the chips in question.
    """
    likely, unlikely = ((of + SMOOTH) / (of + SMOOTH).sum(axis=1, keepdims=True) for of in (with_it, without))
    total = np.maximum(theirs.sum(axis=1), 1)
    share = np.full(len(theirs), 0.5)
    for _ in range(STEPS):
        mixed = share[:, None] * likely
        mixed /= mixed + (1 - share[:, None]) * unlikely
        moved = (theirs * mixed).sum(axis=1) / total
        if np.abs(moved - share).max() < 1e-7:
            break
        share = moved
    return np.asarray(moved)


def _histograms(
    scores: NDArray[np.floating], carried: NDArray[np.bool_], others: NDArray[np.floating]
) -> tuple[Array, Array, Array]:
    """Return the histograms of scores (num_bins,) of chips that carry a label, of those that do not, and of others."""
    steps = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.concatenate([np.quantile(of, steps) for of in (scores[carried], scores)]))
    parts = (scores[carried], scores[~carried], others)
    size = len(edges) + 1
    counts = [np.bincount(np.searchsorted(edges, part, side="right"), minlength=size) for part in parts]
    one, two, three = (count.astype(np.float64) for count in counts)
    return one, two, three


def _drawn(counts: Array, resamples: int, random: np.random.Generator) -> Array:
    """Return histograms (resamples, num_bins) of as many chips, drawn with replacement."""
    total = int(counts.sum())
    return random.multinomial(total, counts / total, size=resamples).astype(np.float64)
