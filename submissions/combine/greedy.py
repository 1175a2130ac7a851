"""Greedy selection of members: whichever raises the metric most is added next, as often as it does.

Source: Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004: selection with replacement, begun with
the best few members, bagged over random halves of the members, and cut where its metric was highest.

Ours on purpose: what libraries offer computes mean and metric anew for every trial, which takes twenty times as long
(`tests/benchmarks/bench_compare.py`), and knows no members that score some of the labels only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from competition.spec.metric import Metric
from submissions.combine.mean_trials import Trial, make_trial
from submissions.combine.means import WeightedMean
from submissions.measure.fast_metric import SAME

BAGS = 10
SHARE = 0.5  # of the members in a bag
STEPS = 25


class GreedySelection(WeightedMean):
    """Weights of the members in a mean: how often greedy selection takes each.

    Args:
        metric: what to raise; decisions are those at its prior cut.
        bags: random halves of the members that are selected from, and averaged.
        seed: of the bags.
    """

    def __init__(self, metric: Metric, *, bags: int = BAGS, seed: int = 0) -> None:
        self.metric, self.bags, self.seed = metric, bags, seed

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Select members on scores (num_members, num_chips, num_labels), NaN where a member scores no label."""
        trial = make_trial(scores, truth, self.metric)
        random, num_members = np.random.default_rng(self.seed), len(scores)
        singles = np.array([trial.with_one(member) for member in range(num_members)])
        size = max(1, round(SHARE * num_members))
        bags = [np.sort(random.permutation(num_members)[:size]) for _ in range(self.bags if num_members > 2 else 0)]
        bags = bags or [np.arange(num_members)]
        counts: dict[tuple[int, ...], NDArray[np.int64]] = {}
        for bag in bags:  # of few members, many bags are the same
            if tuple(bag) not in counts:
                counts[tuple(bag)] = select(trial, bag, singles)
        taken = [counts[tuple(bag)] for bag in bags]
        self.weights = np.mean([count / count.sum() for count in taken], axis=0)
        return self


def select(
    trial: Trial, candidates: Sequence[int] | NDArray[np.intp], singles: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Return how often greedy selection takes each member: int array (num_members,).

    It begins with the best few by themselves, as many as are best together; ties go to members already chosen, then to
    the better one; of all the steps' selections the best counts, the shortest if several are.

    Args:
        trial: evaluates means of members.
        candidates: members to choose from.
        singles: float array (num_members,): the metric of each by itself.
    """
    ranked = sorted(candidates, key=lambda member: -singles[member])
    counts = np.zeros(len(singles), dtype=np.int64)
    trial.clear()
    best, best_counts, start = -np.inf, counts.copy(), 0
    for number, member in enumerate(ranked, 1):  # the sorted start
        value = trial.with_one(member)
        trial.add(member)
        counts[member] += 1
        if value > best + SAME:
            best, best_counts, start = value, counts.copy(), number
    trial.clear()
    counts = np.zeros_like(counts)
    for member in ranked[:start]:
        trial.add(member)
        counts[member] += 1
    for _ in range(STEPS):
        values = {member: trial.with_one(member) for member in ranked}
        highest = max(values.values())
        equal = [member for member in ranked if values[member] >= highest - SAME]
        chosen = max(equal, key=lambda member: counts[member])
        trial.add(chosen)
        counts[chosen] += 1
        if highest > best + SAME:
            best, best_counts = highest, counts.copy()
    return best_counts
