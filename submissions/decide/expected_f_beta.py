"""The labels whose F-beta is expected to be highest, chip by chip, given how likely each label is.

A chip's best labels do not follow from cuts: whether a doubtful label is worth its risk depends on how many others the
chip is sure to carry. The general F-measure maximiser (Dembczynski et al., NeurIPS 2011) finds them exactly for any
distribution of label sets, from nothing but P[i, s] = P(the chip carries label i, and s labels in all).

What it takes grows with the cube of the number of labels. Up to `EXACT` labels, every label set is among those chosen
from. Of more labels, a chip's `EXACT` most likely ones are chosen from, exactly; the others are never decided, and how
many of them the chip carries is counted, up to `OTHERS`. Measured with 100 labels against the choice from all of
them: no chip of 300 is decided otherwise where a chip carries 3 to 30, and where it carries 40 or 60 on average, which
is more or less all that may be decided, the expected F2 is lower by .000001 or .0096.

Ours on purpose: we know of no maintained library that has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from submissions.decide.calibration import PLATT, Calibration

EXACT = 64  # labels that are chosen from
OTHERS = 64  # beside them that a chip is taken to carry at most
AT_ONCE = 2048  # chips: what is computed of them stays in a core's cache
NUMBERS_AT_ONCE = 2**21  # 16 MB: fewer chips where labels are many
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Structure:
    """Which label sets can occur; without groups and labels that stand alone every set can.

    Attributes:
        groups: columns of each exclusive group: a chip carries exactly one of them.
        alone: columns of labels that a chip carries by themselves.
    """

    groups: tuple[tuple[int, ...], ...] = ()
    alone: tuple[int, ...] = ()


class ExpectedFBeta:
    """A decision rule: the label set of the highest expected F-beta, by calibrated scores.

    Args:
        beta: weight of recall.
        structure: which label sets are believed to occur; what is decided need not be one of them.
        calibration: of the scores, see `Calibration`.
        empty: what deciding nothing is worth for a chip that carries nothing.
    """

    learns = True

    def __init__(self, beta: float, structure: Structure, calibration: str = PLATT, empty: float = 0) -> None:
        self.beta, self.structure, self.calibration, self.empty = beta, structure, Calibration(calibration), empty

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Calibrate scores (num_chips, num_labels)."""
        self.calibration.fit(scores, truth)
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.bool_]:
        """Return decisions (num_chips, num_labels)."""
        return most_expected(self.calibration.predict(scores), self.beta, self.structure, self.empty)


def most_expected(
    probabilities: NDArray[np.floating], beta: float, structure: Structure, empty: float = 0
) -> NDArray[np.bool_]:
    """Return the label set of the highest expected F-beta of every chip; it is never empty if `empty` is 0.

    Labels are independent but for the structure: a group is one categorical variable, its members' probabilities in
    proportion; a label that stands alone excludes all others, whose probabilities are given without it. Exact up to
    `EXACT` labels; see above for more.

    Args:
        probabilities: float array (num_chips, num_labels) in [0, 1], marginal.
        beta: weight of recall.
        structure: which sets can occur.
        empty: what deciding nothing is worth for a chip that carries nothing.

    Example:
        >>> most_expected(np.array([[0.9, 0.2], [0.3, 0.2]]), 2, Structure())  # beside a sure label, .2 is too little
        array([[ True, False],
               [ True,  True]])
    """
    num_chips, num_labels = probabilities.shape
    chosen_from = min(num_labels, EXACT)
    counts = num_labels if num_labels <= EXACT else EXACT + OTHERS + len(structure.groups)
    at_once = max(1, min(AT_ONCE, NUMBERS_AT_ONCE // (chosen_from * counts)))
    decided = np.zeros(probabilities.shape, dtype=bool)
    for start in range(0, num_chips, at_once):
        block = slice(start, start + at_once)
        parts = _taken_apart(probabilities[block].astype(np.float64), structure)
        if num_labels <= EXACT:
            best, order = _best_labels(_joint_of_all(parts, structure), beta, empty * _nothing(parts))
        else:
            likely, joint = _joint_of_likely(parts, structure)
            best, order = _best_labels(joint, beta, empty * _nothing(parts))
            order = np.take_along_axis(likely, order, axis=1)
        np.put_along_axis(decided[block], order, np.arange(chosen_from) < best[:, None], axis=1)
    return decided


def _best_labels(joint: Array, beta: float, nothing: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return how many labels are best decided (num_chips,), and the labels (num_chips, num_labels) from the best on.

    Args:
        joint: float array (num_chips, num_labels, num_counts), as of `joint_with_count`.
        beta: weight of recall.
        nothing: float array (num_chips,): the expected value of deciding nothing.
    """
    _, num_labels, num_counts = joint.shape
    carried, decided = np.arange(1, num_counts + 1)[:, None], np.arange(1, num_labels + 1)
    gains = (1 + beta**2) / (decided + beta**2 * carried)  # of a hit
    # What label i adds to a decision of k labels: (labels, chips x labels), so that chips are side by side.
    worth = (gains.T @ joint.reshape(-1, num_counts).T).reshape(num_labels, -1, num_labels)
    ranked = np.sort(worth, axis=2)[:, :, ::-1]
    expected = np.stack([ranked[k, :, : k + 1].sum(axis=1) for k in range(num_labels)])
    best = expected.argmax(axis=0)
    order = np.argsort(-worth[best, np.arange(len(best))], axis=1, kind="stable")
    return np.where(nothing > expected.max(axis=0), 0, best + 1), order


class _Parts(NamedTuple):
    """Probabilities taken apart by a structure.

    Attributes:
        marginal: float array (num_chips, num_labels): of each label, as the structure allows.
        company: float array (num_chips,): of a chip without a label that stands alone.
        given: float array (num_chips, num_free): of each free label of such a chip.
        free: columns of labels that are of no group and do not stand alone.
        groups: columns of each group, without those that stand alone.
    """

    marginal: Array
    company: Array
    given: Array
    free: list[int]
    groups: list[list[int]]


def _taken_apart(probabilities: Array, structure: Structure) -> _Parts:
    num_labels, marginal = probabilities.shape[1], probabilities.copy()
    for group in structure.groups:
        marginal[:, group] = _shares(marginal[:, group])
    alone = list(structure.alone)
    marginal[:, alone] /= np.maximum(marginal[:, alone].sum(axis=1, keepdims=True), 1)
    company = 1 - marginal[:, alone].sum(axis=1)
    apart = {*alone, *(column for group in structure.groups for column in group)}
    free = [column for column in range(num_labels) if column not in apart]
    groups = [[i for i in group if i not in alone] for group in structure.groups if not set(group) <= set(alone)]
    given = np.minimum(marginal[:, free] / np.maximum(company, np.finfo(float).tiny)[:, None], 1)
    return _Parts(marginal, company, given, free, groups)


def _nothing(parts: _Parts) -> Array:
    """Return the probability (num_chips,) that a chip carries no label, which a group does not allow."""
    return parts.company * np.prod(1 - parts.given, axis=1) * (not parts.groups)


def joint_with_count(probabilities: Array, structure: Structure) -> Array:
    """Return P(label i, and s + 1 labels in all) at [chip, i, s], for independent labels but for the structure.

    Args:
        probabilities: float array (num_chips, num_labels) in [0, 1].
        structure: which sets can occur.
    """
    return _joint_of_all(_taken_apart(probabilities, structure), structure)


def _joint_of_all(parts: _Parts, structure: Structure) -> Array:
    marginal, company, given, free, groups = parts
    num_chips, num_labels = marginal.shape
    joint = np.zeros((num_chips, num_labels, num_labels))
    alone = list(structure.alone)
    joint[:, alone, 0] = marginal[:, alone]
    count = count_distribution(given) * company[:, None]
    for members in groups:
        shares = _shares(marginal[:, members])
        joint[:, members, len(groups) - 1 : len(groups) + len(free)] = shares[:, :, None] * count[:, None, :]
    others = without_each(count, given)
    joint[:, free, len(groups) : len(groups) + len(free)] = given[:, :, None] * others
    return joint


def _joint_of_likely(parts: _Parts, structure: Structure) -> tuple[NDArray[np.intp], Array]:
    """Return the most likely labels of each chip, and P(one of them, and s + 1 labels in all) at [chip, label, s].

    Args:
        parts: of all labels.
        structure: which sets can occur.

    Returns:
        Columns of labels, int array (num_chips, EXACT), rising; float array (num_chips, EXACT, num_counts).
    """
    marginal, company, given, free, groups = parts
    alone, of_company, rest = list(structure.alone), np.zeros(marginal.shape), np.zeros(marginal.shape)
    of_company[:, free] = rest[:, free] = given
    for members in groups:
        of_company[:, members] = _shares(marginal[:, members])
    odds = of_company * company[:, None]
    odds[:, alone] = marginal[:, alone]
    likely = np.sort(np.argpartition(-odds, EXACT, axis=1)[:, :EXACT], axis=1)
    np.put_along_axis(rest, likely, 0.0, axis=1)
    odds = np.take_along_axis(of_company, likely, axis=1)
    is_free, is_alone = (np.isin(likely, columns) for columns in (free, alone))
    own = np.where(is_free, odds, 0.0)
    count = count_distribution(own, count_distribution(rest[:, free], most=OTHERS)) * company[:, None]
    num_groups, width = len(groups), count.shape[1]
    joint = np.zeros((*likely.shape, num_groups + width - 1))
    joint[:, :, num_groups:] = np.where(is_free, odds, 0.0)[:, :, None] * without_each(count, own)
    if groups:
        joint[:, :, num_groups - 1 :] += np.where(is_free, 0.0, odds)[:, :, None] * count[:, None, :]
    joint[:, :, 0] += np.where(is_alone, np.take_along_axis(marginal, likely, axis=1), 0.0)
    return likely, joint


def _shares(weights: Array) -> Array:
    """Return weights (num_chips, num_members) as shares of their sum; equal ones where that is 0."""
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.full(weights.shape, 1 / max(1, weights.shape[1])), where=total > 0)


def count_distribution(probabilities: Array, start: Array | None = None, most: int | None = None) -> Array:
    """Return the distribution (num_chips, num_labels + 1) of how many independent labels a chip carries.

    Args:
        probabilities: float array (num_chips, num_labels) in [0, 1].
        start: float array (num_chips, num_counts): the distribution of how many other labels it carries, which are then
            counted too: the result is as much longer.
        most: counts of more are taken for this one.

    Example:
        >>> count_distribution(np.array([[0.5, 0.5]]))
        array([[0.25, 0.5 , 0.25]])
        >>> count_distribution(np.array([[0.5, 0.5]]), most=1)
        array([[0.25, 0.75]])
    """
    num_chips, num_labels = probabilities.shape
    start = np.ones((num_chips, 1)) if start is None else start
    known, width = start.shape[1], start.shape[1] + num_labels
    count = np.zeros((num_chips, width if most is None else min(width, most + 1)))
    count[:, :known] = start
    for number in range(num_labels):
        carried, end = probabilities[:, number, None], min(known + number, count.shape[1] - 1)
        count[:, 1 : end + 1] += carried * (count[:, :end] - count[:, 1 : end + 1])
        count[:, :1] *= 1 - carried
    if count.shape[1] < width:
        count[:, -1] += np.maximum(start.sum(axis=1) - count.sum(axis=1), 0)
    return count


def without_each(count: Array, probabilities: Array) -> Array:
    """Return the distributions of how many labels a chip carries beside each one: [chip, label, others].

    A label is divided out of the generating function, from the end at which its errors shrink.

    Args:
        count: float array (num_chips, num_counts), the distribution with all labels, or a multiple.
        probabilities: float array (num_chips, num_labels) that it was made of, perhaps among others.
    """
    num_chips, num_labels = probabilities.shape
    num_counts = count.shape[1]
    likely = probabilities > 0.5
    more = np.where(likely, probabilities, 1 - probabilities)  # at least a half: what is divided by
    less = 1 - more
    count = np.broadcast_to(count[:, None, :], (num_chips, num_labels, num_counts))
    count = np.where(likely[..., None], count[..., ::-1], count)  # of a likely label, how many it lacks
    others = np.empty((num_chips, num_labels, num_counts - 1))
    carry = np.zeros((num_chips, num_labels))
    for number in range(num_counts - 1):
        carry = (count[..., number] - less * carry) / more
        others[..., number] = carry
    return np.where(likely[..., None], others[..., ::-1], others)
