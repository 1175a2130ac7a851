"""Training of one group of heads, epoch by epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.metrics.judge import measure
from models.heads.batches import Batch, batches_of
from models.heads.group import HeadGroup
from models.heads.stack import Each, Floats, one_by_one
from models.heads.steps import Steps, clip
from models.recipes.loss_terms import planes
from models.runs.training_state import DivergedError, Epoch

FEATURES = 0  # the input size that epochs on the feature bank are recorded with
AT_ONCE = 2048  # chips scored at once, by one head or member
TINY = np.float32(1e-12)
MOST = 2**22  # numbers of an epoch's training scores that are kept for the metric; of more chips the first ones count


class Figures(NamedTuple):
    """Loss and metric of one head."""

    loss: float
    metric: float


class Training:
    """A group of heads that learns.

    Args:
        group: the heads; its weights, slots and states change in place.
        each: does some work on each of some blocks of a step, at once if it can.
    """

    def __init__(self, group: HeadGroup, each: Each = one_by_one) -> None:
        self.group = group
        self.stack = group.shape.stack(group.values, each)
        self.steps = Steps(group.recipe, group.steps_per_epoch, group.shape.num_decayed, each)
        self.gradients = np.empty_like(group.values)

    @np.errstate(over="ignore", invalid="ignore")  # a loss that is no number is seen at the epoch's end
    def epoch(self, after_step: Callable[[], None] = lambda: None) -> None:
        """Train an epoch, judge it by the chips held out or set aside, and add the figures to the states of the heads.

        Args:
            after_step: called after each step; what it raises ends the epoch.

        Raises:
            DivergedError: if the loss is no longer a number.
        """
        group, started = self.group, time.monotonic()
        number, rate, learnt = group.epochs, self.steps.rate(group.taken), _Learnt(group)
        for taken, batch in enumerate(batches_of(group, number), start=group.taken):
            learnt.add(batch, self.step(batch, taken))
            after_step()
        positions = group.examples.judged
        group.judged_scores = scores_of(group, positions)
        heldout = figures_of(group, group.examples.truth[positions], group.judged_scores)
        seconds = time.monotonic() - started
        for head, (figures, state) in enumerate(zip(learnt.figures(), group.states, strict=True)):
            if group.is_head_over(head):
                continue
            epoch = Epoch(number, *figures, *heldout[head], rate, seconds, FEATURES)
            if not np.isfinite(loss := epoch.loss + epoch.heldout_loss):
                model, fold = group.of
                what = f"The loss became {loss} in epoch {number + 1}"
                raise DivergedError(what, group.recipe.learning_rate, model, fold)
            sign = group.examples.task.metric.sign
            state.add(epoch, sign)
            best = state.best_epochs(len(group.kept), sign)
            if number in best:
                group.keep(head, best.index(number))

    def step(self, batch: Batch, taken: int) -> Floats:
        """Learn from one batch, after so many steps; return the scores (num_heads, num_chips, num_labels) before."""
        group, recipe = self.group, self.group.recipe
        logits = self.stack.logits(batch.features, batch.masks, 1 / (1 - recipe.dropout))
        if group.priors.shift is not None:
            logits += group.priors.shift
        scores = group.loss.scores(logits)
        by_logits = group.loss.gradient(batch.targets, scores, out=logits)
        by_logits *= np.float32(1 / (len(batch.targets) * recipe.members))  # of the mean of the members' losses
        self.stack.gradients(by_logits, self.gradients)
        if recipe.clip:
            for head in range(recipe.seeds):
                clip(group.arrays(self.gradients, head), recipe.clip)
        self.steps.take(group.values, self.gradients, group.slots, taken)
        return of_heads(scores, group)


class _Learnt:
    """The scores of an epoch's training chips that have labels, as they were when learnt from.

    Args:
        group: whose they are.
    """

    def __init__(self, group: HeadGroup) -> None:
        self.group, labels = group, len(group.examples.task.labels)
        most = min(len(group.examples.training), max(1, MOST // labels))
        columns = labels if group.examples.taught is None else 2 * labels
        self.targets = np.empty((most, columns), dtype=np.float32)
        self.scores = np.empty((group.shape.num_heads, most, labels), dtype=np.float32)
        self.count = 0

    def add(self, batch: Batch, scores: Floats) -> None:
        """Keep those of a batch: scores (num_heads, num_chips, num_labels)."""
        targets = batch.targets
        if not batch.labelled.all():
            targets, scores = targets[batch.labelled], scores[:, batch.labelled]
        end = min(self.count + len(targets), len(self.targets))
        self.targets[self.count : end] = targets[: end - self.count]
        self.scores[:, self.count : end] = scores[:, : end - self.count]
        self.count = end

    def figures(self) -> list[Figures]:
        """Return the figures of each head; a mixed chip counts for the metric as the one that it shows more of."""
        return figures_of(self.group, self.targets[: self.count], self.scores[:, : self.count])


def figures_of(group: HeadGroup, targets: NDArray[np.bool_] | Floats, scores: Floats) -> list[Figures]:
    """Return loss and metric of each head; both are no number where a score is none.

    Args:
        group: the heads.
        targets: (num_chips, num_labels), in [0, 1], or two planes.
        scores: float32 array (num_heads, num_chips, num_labels).
    """
    task, (carried, absent) = group.examples.task, planes(targets, scores.shape[-1])
    truth = carried >= np.maximum(absent, TINY)  # of a chip that weighs nothing, nothing
    losses = group.loss.values(targets, scores).mean(axis=-1)
    return [
        Figures(float(loss), measure(truth, task.answers(made), task.metric) if np.isfinite(loss) else float("nan"))
        for loss, made in zip(losses, scores, strict=True)
    ]


def scores_of(
    group: HeadGroup, positions: NDArray[np.int64], view: str = "identity", values: Floats | None = None
) -> Floats:
    """Return the scores (num_heads, num_chips, num_labels) of some chips under a view, by the weights to be judged.

    Args:
        group: the heads.
        positions: of the chips.
        view: under which they are seen.
        values: other weights (num_weights,) to score with.
    """
    stack = group.shape.stack(group.judged if values is None else values)
    scores = np.empty((group.shape.num_heads, len(positions), group.shape.units[-1]), dtype=np.float32)
    at_once = max(1, AT_ONCE // group.recipe.members)  # each member sees features of its own
    for start in range(0, len(positions), at_once):
        part = slice(start, start + at_once)
        features = group.bank.under(view, positions[part])
        group.standardise(features)
        scores[:, part] = of_heads(group.loss.scores(stack.logits(features)), group)
    return scores


def of_heads(scores: Floats, group: HeadGroup) -> Floats:
    """Return the scores (num_heads, num_chips, num_labels): where heads have members, the means of theirs."""
    members = group.recipe.members
    return scores.reshape(-1, members, *scores.shape[1:]).mean(axis=1) if members > 1 else scores
