"""Which labels exclude one another, as the truth shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

EXCEPTIONS = 1 / 5000  # share of the chips that may carry none or several of a group: tables hold errors
MOST_STEPS = 3000  # of the search
SEARCHED = 20000  # chips that are searched, evenly spaced; what is found is held against all
EVIDENCE = 10.0  # natural logarithm of how unlikely chance must make a finding
SIMPLE = 5.0  # the same of one group of all labels, which is tried first


@dataclass(frozen=True)
class Group:
    """Labels of which a chip carries exactly one.

    Attributes:
        columns: of the labels, the most frequent first.
        exceptions: rows of the chips that carry none of them, or several.
    """

    columns: tuple[int, ...]
    exceptions: tuple[int, ...]


def find_groups(truth: NDArray[np.bool_]) -> list[Group]:
    """Return the groups of labels of which (nearly) every chip carries exactly one, and chance would not show that.

    Args:
        truth: bool array (num_chips, num_labels).
    """
    chips, labels = truth.shape
    if not chips or not labels:
        return []
    every = _group(truth, tuple(range(labels)))
    used = truth.any(axis=0).sum() > 1
    if used and not every.exceptions and _evidence(truth, range(labels)) > SIMPLE:
        return [every]
    found: list[Group] = []
    free = np.asarray(truth.any(axis=0))
    searched = truth[:: -(-chips // SEARCHED)]
    while (columns := _Search(searched, free).run()) is not None:
        group = _group(truth, columns)
        free[list(columns)] = False
        is_found = len(columns) >= 2 and len(group.exceptions) <= chips * EXCEPTIONS
        if is_found and _evidence(truth, columns) > EVIDENCE + len(columns) * log(labels):
            found.append(group)
    return found


def find_alone(truth: NDArray[np.bool_], groups: Sequence[Group]) -> list[int]:
    """Return the columns of labels that never stand beside another, often enough that chance would not show that."""
    labels = truth.shape[1]
    if groups and len(groups[0].columns) == labels:
        return []  # all of them are
    counts = truth.sum(axis=0)
    others = truth.sum(axis=1)
    rates = np.clip(counts / max(len(truth), 1), 0.0, 1 - 1e-9)
    found = []
    for column in np.flatnonzero(counts):
        peers = next((group.columns for group in groups if column in group.columns), (column,))
        chance = -np.log1p(-np.delete(rates, peers)).sum()  # that another stands beside it, as minus a logarithm
        if (others[truth[:, column]] == 1).all() and counts[column] * chance > EVIDENCE + log(labels):
            found.append(int(column))
    return found


def _group(truth: NDArray[np.bool_], columns: tuple[int, ...]) -> Group:
    counts = truth.sum(axis=0)
    ordered = tuple(sorted(columns, key=lambda column: (-counts[column], column)))
    odd = np.flatnonzero(truth[:, list(columns)].sum(axis=1) != 1)
    return Group(ordered, tuple(int(row) for row in odd))


def _evidence(truth: NDArray[np.bool_], columns: Sequence[int]) -> float:
    """Return how unlikely it is that every chip carries exactly one of these labels if they were independent.

    As minus a natural logarithm. With rates p, a chip carries exactly one with probability sum p/(1-p) * prod (1-p).
    """
    rates = np.clip(truth[:, list(columns)].mean(axis=0), 0.0, 1 - 1e-9)
    one = (rates / (1 - rates)).sum() * np.exp(np.log1p(-rates).sum())
    return float(-len(truth) * np.log(min(one, 1.0)))


class _Search:
    """Looks for columns of which (nearly) every row has exactly one, in the order of the largest sets of labels.

    The largest set of labels that is not covered yet must be covered by one of its labels: each is tried in turn.
    """

    def __init__(self, truth: NDArray[np.bool_], free: NDArray[np.bool_]) -> None:
        packed = np.packbits(truth, axis=1)
        _, first, self._times = np.unique(packed, axis=0, return_index=True, return_counts=True)
        order = np.argsort(-self._times, kind="stable")
        self._sets, self._times = truth[first[order]], self._times[order]
        self._allowed = int(len(truth) * EXCEPTIONS)
        self._free = free
        weighted = self._sets.astype(np.float32) * self._times[:, None]
        self._together = weighted.T @ self._sets.astype(np.float32)
        self._steps = 0

    def run(self) -> tuple[int, ...] | None:
        """Return such columns; None if there are none, or the search took too long."""
        return self._go((), np.zeros(len(self._sets), dtype=bool), self._free.copy())

    def _go(
        self, chosen: tuple[int, ...], covered: NDArray[np.bool_], open_: NDArray[np.bool_]
    ) -> tuple[int, ...] | None:
        self._steps += 1
        left = ~covered
        missing = int(self._times[left].sum())
        if missing <= self._allowed:
            return chosen if self._is_right(chosen) else None
        reachable = self._sets[left][:, open_].any(axis=1)
        if self._steps > MOST_STEPS or missing - int(self._times[left][reachable].sum()) > self._allowed:
            return None
        largest = int(np.flatnonzero(left)[np.flatnonzero(reachable)[0]])
        for column in np.flatnonzero(self._sets[largest] & open_):
            still = open_ & (self._together[column] <= self._allowed)
            still[column] = False
            if found := self._go((*chosen, int(column)), covered | self._sets[:, column], still):
                return found
        return None

    def _is_right(self, chosen: tuple[int, ...]) -> bool:
        held = self._sets[:, list(chosen)].sum(axis=1)
        return int(self._times[held != 1].sum()) <= self._allowed
