"""Groups of heads trained at once, such as those of all folds: one core takes one group's next epoch."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from joblib import cpu_count
from threadpoolctl import threadpool_limits

from competition.common.interrupts import check
from competition.common.progress import reporter
from models.heads.group import HeadGroup
from models.heads.stack import Each, one_by_one
from models.heads.training import Training

WAKE = 0.2  # seconds after which the main thread looks for a Ctrl-C, whichever thread the system told of it


def train_together(
    groups: Sequence[HeadGroup], after_epoch: Callable[[HeadGroup], None] = lambda _: None, *, quiet: bool = False
) -> None:
    """Train groups of heads to the end of their recipes, those that have come least far first.

    Groups know nothing of each other, so that a fold's heads are the same to the last bit, whatever is trained beside
    them. One core takes one group: its products need not wait for another core's. Where cores are left over, they share
    the products of each group.

    Args:
        groups: the heads; they change in place.
        after_epoch: called after each epoch of a group, by the thread that trained it.
        quiet: show no line for each epoch.

    Raises:
        DivergedError: if a loss is no longer a number.
    """
    waiting = [group for group in groups if not group.is_over]
    if not waiting:
        return
    at_once = min(cpu_count(), len(waiting))
    total = sum((group.recipe.epochs - group.epochs) * group.steps_per_epoch for group in waiting)
    with (
        threadpool_limits(1, "blas"),
        ThreadPoolExecutor(cpu_count(), initializer=lambda: np.seterr(over="ignore", invalid="ignore")) as cores,
        reporter.bar(total, "heads", "step") as bar,
        ThreadPoolExecutor(at_once) as workers,
    ):
        turns = _Turns(waiting, _each(cores, cpu_count() // at_once), after_epoch, quiet, bar)
        futures = [workers.submit(turns.work) for _ in range(at_once)]
        try:
            while wait(futures, WAKE).not_done:
                pass
            for future in futures:
                future.result()
        finally:
            turns.end.set()


def _each(cores: ThreadPoolExecutor, number: int) -> Each:
    """Return what does some work on each of some things by a number of threads, this one among them."""

    def each(work: Callable[[Any], None], things: Sequence[Any]) -> None:
        shares = [things[place::number] for place in range(min(number, len(things)))]
        others = [cores.submit(one_by_one, work, share) for share in shares[1:]]
        one_by_one(work, shares[0])
        for other in others:
            other.result()

    return each if number > 1 else one_by_one


class _Turns:
    """Whose turn it is: the group that has come least far, of those that nobody is at.

    Args:
        groups: the heads.
        each: shares the work of a step.
        after_epoch: called after each epoch of a group.
        quiet: show no line for each epoch.
        bar: counts steps.
    """

    def __init__(
        self, groups: list[HeadGroup], each: Each, after_epoch: Callable[[HeadGroup], None], quiet: bool, bar: Any
    ) -> None:
        self.groups, self.each, self.after_epoch, self.quiet, self.bar = groups, each, after_epoch, quiet, bar
        self.end, self._lock = threading.Event(), threading.Lock()
        self._idle, self._said = list(groups), min(group.epochs for group in groups)

    def work(self) -> None:
        """Train epochs as long as there are any."""
        try:
            while (group := self._next()) is not None:
                Training(group, self.each).epoch(self._after_step)
                self.after_epoch(group)
                self._finish(group)
        except _EndedError:
            pass
        except BaseException:
            self.end.set()
            raise

    def _next(self) -> HeadGroup | None:
        with self._lock:
            waiting = [group for group in self._idle if not group.is_over]
            if self.end.is_set() or not waiting:
                return None
            group = min(waiting, key=lambda group: group.epochs)
            self._idle.remove(group)
            return group

    def _after_step(self) -> None:
        check()
        if self.end.is_set():
            raise _EndedError
        with self._lock:
            self.bar.update()

    def _finish(self, group: HeadGroup) -> None:
        with self._lock:
            self._idle.append(group)
            while any(group.epochs > self._said for group in self.groups) and all(
                group.epochs > self._said or group.is_over for group in self.groups
            ):
                if not self.quiet:
                    reporter.say(_line(self.groups, self._said))
                self._said += 1


class _EndedError(Exception):
    """Another thread has ended the training."""


def _line(groups: Sequence[HeadGroup], number: int) -> str:
    """Return the figures of an epoch, means over all heads, and the range of the metric by which they are judged."""
    states = [state for group in groups for state in group.states if state.epochs > number]
    epochs = [state.history[number] for state in states]
    loss, metric, heldout_loss, heldout, seconds = np.mean(
        [(one.loss, one.metric, one.heldout_loss, one.heldout_metric, one.seconds) for one in epochs], axis=0
    )
    name, values = groups[0].examples.task.metric.title, [epoch.heldout_metric for epoch in epochs]
    spread = f" ({min(values):.4f} to {max(values):.4f})" if len(values) > 1 else ""
    return (
        f"epoch {number + 1:>3}/{groups[0].recipe.epochs}  loss {loss:.4f}  {name} {metric:.4f}  "
        f"{groups[0].examples.judged_by} loss {heldout_loss:.4f}  {name} {heldout:.4f}{spread}"
        f"{' *' if any(state.best == number for state in states) else '  '}  "
        f"rate {epochs[0].learning_rate:.1e}  {seconds:.0f} s"
    )
