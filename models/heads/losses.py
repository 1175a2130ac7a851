"""Every loss of a recipe in NumPy, with its gradient by the logits: those of many heads at once, equal to Keras'.

What each loss is for and where it comes from is said in `models/networks/losses.py`. Arrays are float32 of shape
(..., num_chips, num_labels): the leading axes are heads, each with a batch of its own. Targets may lack them where all
heads see the same chips; they lie anywhere in [0, 1], as mixed chips have them, or are two planes, see `planes`: the
loss of a chip is as many times as large as it weighs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.metrics.over_labels import label_weights
from competition.spec.metric import Metric
from competition.task import Task
from models.heads.stack import Floats
from models.recipes.loss_terms import EPSILON, MARGIN, balanced_weights, planes
from models.recipes.recipe import Columns, Recipe, softmax_groups

HIGHEST = float(np.float32(1 - EPSILON))  # score that Keras does not clip


def head_loss(recipe: Recipe, task: Task, truth: NDArray[np.bool_]) -> HeadLoss:
    """Return the loss of a recipe.

    Args:
        recipe: the loss and its values.
        task: the labels that are scored, and the metric that a soft F-beta follows.
        truth: bool array (num_training_chips, num_labels) of the labels that are scored, from which balanced class
            weights are made.

    Raises:
        ValueError: if truth has not a column for each label that is scored.
    """
    if truth.shape[1] != len(task.labels):
        raise ValueError(f"truth has {truth.shape[1]} columns for {len(task.labels)} labels")
    return HeadLoss(recipe, task, None if recipe.class_weights == "none" else balanced_weights(truth))


class HeadLoss:
    """The loss of a recipe: scores of logits, the loss of each chip, and its gradient.

    Args:
        recipe: the loss and its values.
        task: the labels that are scored, and the metric that a soft F-beta follows.
        class_weights: float32 array (num_labels,) by which a label's positives count; None: all count 1.
    """

    def __init__(self, recipe: Recipe, task: Task, class_weights: Floats | None = None) -> None:
        num_labels = len(task.labels)
        self.groups = _Groups(softmax_groups(recipe, task), num_labels)
        crossentropy = _CrossEntropy(recipe, class_weights, self.groups)
        self.terms: list[_CrossEntropy | _SoftFBeta] = [] if recipe.loss == "soft_f_beta" else [crossentropy]
        if "f_beta" in recipe.loss:
            self.terms.append(_SoftFBeta(task.metric, num_labels))
        # The usual loss: its gradient is a difference.
        self.is_plain = recipe.loss == "binary_crossentropy" and class_weights is None and not self.groups.columns
        self.smoothing, self.share, self._shares = recipe.label_smoothing, 1 / num_labels, crossentropy.shares

    def scores(self, logits: Floats, out: Floats | None = None) -> Floats:
        """Return the scores in [0, 1]: a softmax over each exclusive group, a sigmoid of each other logit.

        Args:
            logits: (..., num_chips, num_labels).
            out: where to write them, which may be `logits`.
        """
        shared = [_softmax(logits, group) for group in self.groups.columns]
        out = np.empty_like(logits) if out is None else out
        if self.groups.has_singles:
            with np.errstate(over="ignore"):  # of a logit below -88, whose score is 0
                np.exp(np.negative(logits, out=out), out=out)
            out += 1
            np.reciprocal(out, out=out)
        for group, scores in zip(self.groups.columns, shared, strict=True):
            out[..., group] = scores
        return out

    def values(self, targets: ArrayLike, scores: Floats) -> Floats:
        """Return the loss (..., num_chips) of each chip.

        Scores count as no nearer to 0 and 1 than 1e-7, as in Keras wherever it does not see the logits.

        Args:
            targets: (..., num_chips, num_labels) in [0, 1].
            scores: (..., num_chips, num_labels), as `scores` returns them.
        """
        targets = np.asarray(targets, np.float32)
        values = np.zeros(scores.shape[:-1], np.float32)
        for term in self.terms:
            values += term.values(targets, scores)
        return values

    def gradient(self, targets: ArrayLike, scores: Floats, out: Floats | None = None) -> Floats:
        """Return the gradient (..., num_chips, num_labels), by the logits, of the sum of the chips' losses.

        Divided by the number of chips it is that of a batch's loss, also where that is a value of the batch
        as a whole. Where no labels share a softmax, cross-entropies are those of the logits, as Keras has them on
        TensorFlow: a score that is wrong by any amount still learns. Elsewhere a clipped score has no gradient.

        Args:
            targets: (..., num_chips, num_labels) in [0, 1].
            scores: (..., num_chips, num_labels), as `scores` returns them.
            out: where to write it, which may be `scores`.
        """
        targets = np.asarray(targets, np.float32)
        if self.is_plain and targets.shape[-1] != scores.shape[-1]:
            carried, absent = self._shares(targets)
            out = np.multiply(scores, carried + absent, out=out)
            out -= carried
            out *= self.share
        elif self.is_plain:
            if self.smoothing:
                targets = targets * (1 - self.smoothing) + self.smoothing / 2
            out = np.subtract(scores, targets, out=out)
            out *= self.share
        else:
            # "Pulls" are scores p times the slope of the loss by p. Of its pull a logit keeps 1 - p; in a softmax it
            # loses, by p, what all of the group pull. "Pushes" are gradients by single logits as they are.
            pulls, pushes = zip(*(term.slopes(targets, scores) for term in self.terms), strict=True)
            pull = sum(pulls[1:], pulls[0])
            out = np.subtract(pull, scores * self.groups.sums(pull), out=out)
            for push in pushes:
                out += push
        return out


class _Groups:
    """The labels that share a softmax, and sums over them.

    Args:
        columns: columns of each group.
        num_labels: number of labels.
    """

    def __init__(self, columns: Columns, num_labels: int) -> None:
        self.columns = [list(group) for group in columns]
        # (num_labels, num_groups); products with it are several times as fast as NumPy's sums over a short axis.
        self.members: Any = np.zeros((num_labels, len(columns)), np.float32)
        for number, group in enumerate(self.columns):
            self.members[group, number] = 1
        self.single = 1 - self.members.sum(axis=1)
        self.has_singles = bool(self.single.any())
        self.sizes = self.sums(np.ones(num_labels, np.float32))

    def sums(self, array: Floats) -> Floats:
        """Return for each column of (..., num_labels) the sum over its group; a single column is its own."""
        if not self.columns:
            return array
        sums = (array @ self.members) @ self.members.T
        return sums + array * self.single if self.has_singles else sums


class _CrossEntropy:
    """Cross-entropy of the scores, plain, focal or asymmetric.

    It is the mean over labels of how much each is carried, times -log(p), and how much it is absent, times -log(1 - p),
    each logarithm times a focus. In groups nothing is absent.

    Args:
        recipe: loss, gamma and label smoothing.
        class_weights: as of `HeadLoss`.
        groups: labels that share a softmax.
    """

    def __init__(self, recipe: Recipe, class_weights: Floats | None, groups: _Groups) -> None:
        self.kind, self.gamma, self.smoothing = recipe.loss, recipe.gamma, recipe.label_smoothing
        self.class_weights, self.groups = class_weights, groups
        self.share = 1 / len(groups.single)
        self.ones: Any = np.ones((len(groups.single), 1), np.float32)
        self.is_clipped = bool(groups.columns)

    def values(self, targets: Floats, scores: Floats) -> Floats:
        """Return the loss (..., num_chips) of each chip."""
        carried, absent = self.shares(targets)
        clipped = np.clip(scores, EPSILON, HIGHEST)
        of_carried, of_absent = np.log(clipped), np.log(1 - clipped)
        if self.kind == "focal":
            of_carried *= np.maximum(1 - scores, EPSILON) ** self.gamma
            of_absent *= np.maximum(scores, EPSILON) ** self.gamma
        elif self.kind == "asymmetric":
            shifted = np.maximum(scores - MARGIN, EPSILON)
            of_absent = np.log(1 - shifted) * shifted**self.gamma
        return ((carried * of_carried + absent * of_absent) @ self.ones)[..., 0] * -self.share

    def slopes(self, targets: Floats, scores: Floats) -> tuple[Floats, Floats]:
        """Return the pull of -log(p), and the push of -log(1 - p), whose pull would be infinite at 1."""
        carried, absent = (part * self.share for part in self.shares(targets))
        others = 1 - scores
        # 1 of scores that are not clipped.
        inside: Any = (
            ((scores >= EPSILON) & (scores <= HIGHEST)).astype(np.float32) if self.is_clipped else np.float32(1)
        )
        pull = push = inside
        if self.kind == "focal":
            pull, push = self._focal(scores, others, inside), self._focal(others, scores, inside)
        elif self.kind == "asymmetric":
            push = self._shifted(scores) * others
        return carried * -pull, absent * push * scores

    def _focal(self, right: Floats, wrong: Floats, inside: Any) -> Floats:
        """Return -r times the slope of w^gamma * -log(r), where r is the share of what is right and w = 1 - r."""
        bounded = np.maximum(wrong, EPSILON)
        logs = np.log(np.maximum(right, EPSILON))
        return (bounded * inside - self.gamma * right * logs) * bounded ** (self.gamma - 1)

    def _shifted(self, scores: Floats) -> Floats:
        """Return the slope of s^gamma * -log(1 - s), where s is the score less the margin."""
        shifted = scores - MARGIN
        bounded = np.maximum(shifted, EPSILON)
        slope = bounded / (1 - bounded) - self.gamma * np.log(1 - bounded)
        return slope * bounded ** (self.gamma - 1) * (shifted >= EPSILON)

    def shares(self, targets: Floats) -> tuple[Floats, Floats]:
        """Return how much each label is carried, and absent: its target, shared by its group, weighed and smoothed."""
        groups = self.groups
        carried, absent = planes(targets, len(groups.single))
        if groups.columns:
            several = groups.sums(carried) / np.maximum(carried + absent, EPSILON)
            carried, absent = carried / np.maximum(several, 1), absent * groups.single
        if self.class_weights is not None:
            carried = carried * self.class_weights
        if self.smoothing:
            # A single label is moved half the way to the other side, one of a group to the group's mean.
            half = self.smoothing / 2 * groups.single
            moved, shared = (carried - absent) * half, (carried - groups.sums(carried) / groups.sizes) * self.smoothing
            carried, absent = carried - moved - shared, absent + moved
        return carried, absent


class _SoftFBeta:
    """1 - F-beta, by the competition's own average, of scores counted as if they were shares of decisions.

    Of targets in two planes a chip that weighs 2 counts as two do.

    Args:
        metric: average, beta, and the weights of the labels.
        num_labels: number of labels.
    """

    def __init__(self, metric: Metric, num_labels: int) -> None:
        self.average, self.weight, self.num_labels = metric.average, metric.beta**2, num_labels
        self.ones: Any = np.ones((num_labels, 1), np.float32)
        # Of each of the values that a batch has a mean of: one a chip, one a label, or one.
        self.importance = np.ones(1, np.float32)
        if metric.average == "macro":
            weights = label_weights(metric, num_labels)
            weights = np.ones(num_labels) if weights is None else weights
            self.importance = (weights / weights.sum()).astype(np.float32)

    def values(self, targets: Floats, scores: Floats) -> Floats:
        """Return the loss of each chip (..., num_chips), or of the batch (..., 1)."""
        shares = self._shares(targets)
        values = 1 - self._fractions(shares, scores)[0] @ self.importance
        return np.asarray(values * shares[1].max(axis=-1)) if self.average == "samples" else values

    def slopes(self, targets: Floats, scores: Floats) -> tuple[Floats, Any]:
        """Return the pull, and no push."""
        carried, counted = shares = self._shares(targets)
        fractions, under = self._fractions(shares, scores)
        factors = self.importance / under
        factors *= counted.max(axis=-1, keepdims=True) if self.average == "samples" else scores.shape[-2]
        return (fractions * counted - (1 + self.weight) * carried) * factors * scores, np.float32(0)

    def _shares(self, targets: Floats) -> tuple[Floats, Floats]:
        """Return how much each label is carried, and how much it counts at all: 1 where targets are no planes."""
        carried, absent = planes(targets, self.num_labels)
        return carried, carried + absent

    def _fractions(self, shares: tuple[Floats, Floats], scores: Floats) -> tuple[Floats, Floats]:
        """Return F-beta and what is under it: (..., num_chips, 1), (..., 1, num_labels) macro, (..., 1, 1) micro."""
        carried, counted = shares
        hits, decided, present = (self._sum(part) for part in (carried * scores, counted * scores, carried))
        under: Any = np.maximum(decided + self.weight * present, EPSILON)
        return (1 + self.weight) * hits / under, under

    def _sum(self, part: Floats) -> Floats:
        if self.average == "samples":
            return part @ self.ones
        over_chips = np.ones((1, part.shape[-2]), np.float32) @ part
        return over_chips if self.average == "macro" else over_chips @ self.ones


def _softmax(logits: Floats, group: list[int]) -> Floats:
    """Return the softmax (..., len(group)) over some columns of logits (..., num_labels)."""
    # Labels first: the largest of each of many short rows takes NumPy long.
    own = np.ascontiguousarray(np.moveaxis(logits[..., group], -1, 0))
    own -= own.max(axis=0)
    np.exp(own, out=own)
    own /= own.sum(axis=0)
    return np.moveaxis(own, 0, -1)
