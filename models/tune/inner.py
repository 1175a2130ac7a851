"""Trials of settings on inner splits: the heads of all folds, none of which sees the chips that its fold holds out."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import ge
from typing import Literal

import numpy as np

from competition.metrics.log_loss import losses
from folds.dealing.stratify import stratified_folds
from models.heads.group import HeadGroup
from models.heads.together import train_together
from models.inputs.examples import Examples
from models.recipes.recipe import Recipe
from models.runs.training_state import DivergedError
from models.tune.space import Settings

SHARES = 10  # of a trial's epochs, at whose ends it is compared with others that may have more of them or fewer
CLIP = 1e-7  # scores count as no nearer to 0 and 1

Compare = Callable[[int, float], bool]  # of the number of finished shares and the mean loss: whether to stop


def inner_folds(outer: Sequence[Examples], k: int, seed: int = 0) -> list[Examples]:
    """Return an inner split for each fold: the chips of the next fold are judged, those of all others learnt from.

    The chips that a fold holds out have no part in its inner split, neither to learn from nor to be judged: what is
    chosen by it knows nothing of them. With two folds, one half of the other fold is judged.

    Args:
        outer: the examples of each fold, repeat after repeat.
        k: number of folds of a repeat.
        seed: of the halves, where there are two folds.
    """
    inner = []
    for fold, examples in enumerate(each.without_inner() for each in outer):
        following = outer[fold - fold % k + (fold + 1) % k].heldout
        learnt = np.setdiff1d(examples.training, following)
        if k == 2:
            half = stratified_folds(examples.training_truth, 2, seed)
            learnt, following = examples.training[half == 0], examples.training[half == 1]
        inner.append(dataclasses.replace(examples, training=learnt, heldout=following))
    return inner


@dataclass(frozen=True)
class Trial:
    """Settings that were tried.

    Attributes:
        settings: by name of a recipe's value.
        losses: of each fold's inner split, the log loss of the chips judged, a mean over chips and labels; of a trial
            that was stopped, what it was then.
        shares: by number of finished shares of its epochs, the mean of the losses.
        epochs: how many the folds' heads had, at most.
        seconds: that it took.
        state: complete; pruned: it was worse than most others; diverged: a loss was no number any more.
    """

    settings: Settings
    losses: tuple[float, ...]
    shares: dict[int, float]
    epochs: int
    seconds: float
    state: Literal["complete", "pruned", "diverged"] = "complete"

    @property
    def is_complete(self) -> bool:
        """Whether it came to its end."""
        return self.state == "complete"

    @property
    def loss(self) -> float:
        """The mean of the losses."""
        return float(np.mean(self.losses)) if self.losses else float("nan")


def run_trial(recipe: Recipe, settings: Settings, inner: Sequence[Examples], compare: Compare) -> Trial:
    """Train the heads of all inner splits together, one seed each, and return their losses.

    The loss of a head is that of the epoch that is kept, which is the best one by the competition's metric, as in
    training. It is the log loss of the scores, whatever loss is learnt by.

    Args:
        recipe: with the settings.
        settings: what is tried.
        inner: splits, one for each fold.
        compare: told how the trial stands; returns whether it ends here.
    """
    started = time.monotonic()
    heads = _Heads(dataclasses.replace(recipe, seeds=1), inner, compare)
    state: Literal["complete", "pruned", "diverged"] = "diverged"
    try:
        train_together(heads.groups, heads.after_epoch, quiet=True)
        state = "pruned" if heads.is_stopped else "complete"
    except DivergedError:
        pass
    epochs = max(group.epochs for group in heads.groups)
    kept = tuple(losses[-1] for losses in heads.losses if losses)
    return Trial(settings, kept, heads.shares, epochs, time.monotonic() - started, state)


class _Heads:
    """The heads of a trial.

    Args:
        recipe: of all of them.
        inner: the splits.
        compare: as of `run_trial`.
    """

    def __init__(self, recipe: Recipe, inner: Sequence[Examples], compare: Compare) -> None:
        self.recipe, self.compare = recipe, compare
        self.groups = [HeadGroup(recipe, examples) for examples in inner]
        self.losses: list[list[float]] = [[] for _ in inner]  # after each epoch, of the best one until then
        self.shares: dict[int, float] = {}
        self._place = {id(group): number for number, group in enumerate(self.groups)}
        self._epochs, self._lock = 0, threading.Lock()  # finished by the heads of all splits

    @property
    def is_stopped(self) -> bool:
        """Whether the trial was ended before its time."""
        return any(group.stopped for group in self.groups)

    def after_epoch(self, group: HeadGroup) -> None:
        """Judge a head; called by the thread that trained it."""
        (scores,), (state,) = group.judged_scores, group.states
        kept = self.losses[self._place[id(group)]]
        if state.best == group.epochs - 1:
            truth = group.examples.truth[group.examples.heldout]
            kept.append(float(losses(truth, scores, CLIP).mean()))
        else:
            kept.append(kept[-1])
        with self._lock:
            # One epoch after another, so that what is compared does not depend on which thread was faster.
            while not self.is_stopped and self._epochs < self.recipe.epochs and self._all_past(self._epochs + 1):
                self._epochs += 1
                self._finish(self._epochs)

    def _all_past(self, epoch: int) -> bool:
        """Whether all heads have been judged after an epoch, those that are over before it as they were then."""
        judged = [len(kept) for kept in self.losses]
        ends = [group.epochs if group.is_over else epoch for group in self.groups]
        return max(judged) >= epoch and all(map(ge, judged, map(min, ends, repeat(epoch))))

    def _finish(self, epoch: int) -> None:
        """Compare the trial with others, where a share of its epochs ends."""
        share = SHARES * epoch // self.recipe.epochs
        if share == SHARES * (epoch - 1) // self.recipe.epochs:
            return
        self.shares[share] = float(np.mean([kept[min(epoch, len(kept)) - 1] for kept in self.losses]))
        if share < SHARES and self.compare(share, self.shares[share]):
            for group in self.groups:
                group.stopped = True
