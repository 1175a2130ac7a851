"""The labels whose F-beta is expected to be highest, chip by chip, given how likely each label is.

A chip's best labels do not follow from cuts: whether a doubtful label is worth its risk depends on how many others the
chip is sure to carry. The general F-measure maximiser (Dembczynski et al., NeurIPS 2011) finds them exactly for any
distribution of label sets, from nothing but P[i, s] = P(the chip carries label i, and s labels in all).

Ours on purpose: we know of no maintained library that has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from submissions.decide.calibration import PLATT, Calibration

AT_ONCE = 2048  # chips: what is computed of them stays in a core's cache
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
    """

    def __init__(self, beta: float, structure: Structure, calibration: str = PLATT) -> None:
        self.beta, self.structure, self.calibration = beta, structure, Calibration(calibration)

    def fit(self, scores: NDArray[Any], truth: NDArray[np.bool_]) -> Self:
        """Calibrate scores (num_chips, num_labels)."""
        self.calibration.fit(scores, truth)
        return self

    def predict(self, scores: NDArray[Any]) -> NDArray[np.bool_]:
        """Return decisions (num_chips, num_labels)."""
        return most_expected(self.calibration.predict(scores), self.beta, self.structure)


def most_expected(probabilities: NDArray[np.floating], beta: float, structure: Structure) -> NDArray[np.bool_]:
    """Return the label set of the highest expected F-beta of every chip; it is never empty.

    Labels are independent but for the structure: a group is one categorical variable, its members' probabilities in
    proportion; a label that stands alone excludes all others, whose probabilities are given without it.

    Args:
        probabilities: float array (num_chips, num_labels) in [0, 1], marginal.
        beta: weight of recall.
        structure: which sets can occur.

    Example:
        >>> most_expected(np.array([[0.9, 0.2], [0.3, 0.2]]), 2, Structure())  # beside a sure label, .2 is too little
        array([[ True, False],
               [ True,  True]])
    """
    num_labels = probabilities.shape[1]
    size = np.arange(1, num_labels + 1)
    gains = (1 + beta**2) / (size + beta**2 * size[:, None])  # of a hit, (labels carried, labels decided)
    decided = np.zeros(probabilities.shape, dtype=bool)
    for start in range(0, len(probabilities), AT_ONCE):
        block = slice(start, start + AT_ONCE)
        joint = joint_with_count(probabilities[block].astype(np.float64), structure)
        # What label i adds to a decision of k labels: (labels, chips x labels), so that chips are side by side.
        worth = (gains.T @ joint.reshape(-1, num_labels).T).reshape(num_labels, -1, num_labels)
        ranked = np.sort(worth, axis=2)[:, :, ::-1]
        expected = np.stack([ranked[k, :, : k + 1].sum(axis=1) for k in range(num_labels)])
        best = expected.argmax(axis=0)
        chosen = worth[best, np.arange(len(best))]
        order = np.argsort(-chosen, axis=1, kind="stable")
        np.put_along_axis(decided[block], order, np.arange(num_labels) <= best[:, None], axis=1)
    return decided


def joint_with_count(probabilities: Array, structure: Structure) -> Array:
    """Return P(label i, and s + 1 labels in all) at [chip, i, s], for independent labels but for the structure.

    Args:
        probabilities: float array (num_chips, num_labels) in [0, 1].
        structure: which sets can occur.
    """
    num_chips, num_labels = probabilities.shape
    joint = np.zeros((num_chips, num_labels, num_labels))
    marginal = probabilities.copy()
    for group in structure.groups:
        marginal[:, group] = _shares(marginal[:, group])
    alone = list(structure.alone)
    excess = np.maximum(marginal[:, alone].sum(axis=1, keepdims=True), 1)
    marginal[:, alone] /= excess
    joint[:, alone, 0] = marginal[:, alone]
    company = 1 - marginal[:, alone].sum(axis=1)  # probability of a chip without a label that stands alone
    groups = [[i for i in group if i not in alone] for group in structure.groups if not set(group) <= set(alone)]
    free = [i for i in range(num_labels) if i not in alone and not any(i in group for group in structure.groups)]
    given = np.minimum(marginal[:, free] / np.maximum(company, np.finfo(float).tiny)[:, None], 1)
    count = count_distribution(given) * company[:, None]
    for members in groups:
        shares = _shares(marginal[:, members])
        joint[:, members, len(groups) - 1 : len(groups) + len(free)] = shares[:, :, None] * count[:, None, :]
    others = without_each(count, given)
    joint[:, free, len(groups) : len(groups) + len(free)] = given[:, :, None] * others
    return joint


def _shares(weights: Array) -> Array:
    """Return weights (num_chips, num_members) as shares of their sum; equal ones where that is 0."""
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.full(weights.shape, 1 / max(1, weights.shape[1])), where=total > 0)


def count_distribution(probabilities: Array) -> Array:
    """Return the distribution (num_chips, num_labels + 1) of how many independent labels a chip carries.

    Example:
        >>> count_distribution(np.array([[0.5, 0.5]]))
        array([[0.25, 0.5 , 0.25]])
    """
    num_chips, num_labels = probabilities.shape
    count = np.zeros((num_chips, num_labels + 1))
    count[:, 0] = 1
    for number in range(num_labels):
        carried = probabilities[:, number, None]
        count[:, 1 : number + 2] += carried * (count[:, : number + 1] - count[:, 1 : number + 2])
        count[:, :1] *= 1 - carried
    return count


def without_each(count: Array, probabilities: Array) -> Array:
    """Return the distributions of how many labels a chip carries beside each one: [chip, label, others].

    A label is divided out of the generating function, from the end at which its errors shrink.

    Args:
        count: float array (num_chips, num_labels + 1), the distribution with all labels, or a multiple.
        probabilities: float array (num_chips, num_labels) that it was made of.
    """
    num_chips, num_labels = probabilities.shape
    likely = probabilities > 0.5
    more = np.where(likely, probabilities, 1 - probabilities)  # at least a half: what is divided by
    less = 1 - more
    count = np.broadcast_to(count[:, None, :], (num_chips, num_labels, num_labels + 1))
    count = np.where(likely[..., None], count[..., ::-1], count)  # of a likely label, how many it lacks
    others = np.empty((num_chips, num_labels, num_labels))
    carry = np.zeros((num_chips, num_labels))
    for number in range(num_labels):
        carry = (count[..., number] - less * carry) / more
        others[..., number] = carry
    return np.where(likely[..., None], others[..., ::-1], others)
