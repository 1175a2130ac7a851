"""Ours: heads of all folds at once on the bank, more seeds while time lasts, linear heads, blended by log loss.

A stand-in for `auto` on a bank. Heads are those of the recipe densenet121_levels, narrower where its own would not see
half of its epochs in the time, and count as they are after their last epoch: the best one would be chosen on the chips
that are judged. The weights of the blend are cross-fitted.
"""

from __future__ import annotations

import dataclasses
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from competition.common.interrupts import watched
from competition.common.progress import reporter
from competition.spec.competition import Competition
from competition.task import Task
from models.backend.load import load_backend
from models.recipes.named import resolve
from models.recipes.recipe import Recipe
from submissions.combine.weights import LogLossWeights
from submissions.measure.cross_fit import CrossFit
from tests.benchmarks.peers.assignment import Assignment

if TYPE_CHECKING:
    from models.inputs.examples import Examples

RECIPE = "densenet121_levels"
EPOCHS = 24  # half of the recipe's: the bank holds one view, of which more epochs learn by heart
Solver = Literal["logistic", "ridge"]
WIDTHS = (256, 128, 64)  # the recipe's own first
SAMPLE = 2048  # chips that a fold learns from, to see how fast heads are trained
SLOWER = 1.15  # by how much training may take longer than foreseen
RESERVE = 0.03  # share of the seconds that are kept for blending
FIRST = 1 / 2  # share of what is left that the first heads take at most, so that something is written
LINEAR = 1 / 3  # share of the seconds that must be left for linear heads


class OutOfTime(KeyboardInterrupt):
    """The seconds are over: what is being made is dropped."""


class Ours:
    """Heads of all folds, one model after another.

    Args:
        assignment: what to learn from, and for how long.
    """

    def __init__(self, assignment: Assignment) -> None:
        from models.inputs.examples import Examples
        from models.inputs.feature_bank import FeatureBank

        arrays, self.assignment = assignment.arrays, assignment
        competition = Competition.model_validate_json(str(arrays["competition"]))
        self.task, self.folds = Task(competition, competition.labels), arrays["folds"].astype(np.int64)
        values = {"augment": (), "views": "identity", "epochs": EPOCHS}
        self.recipe = resolve(RECIPE, values).settled(competition)
        self.fit = CrossFit(arrays["truth"], self.folds, competition.metric)
        self.bank = FeatureBank(arrays["features"].shape[1], {"identity": (arrays["features"],)})
        self.every = [Examples(self.task, self.bank, arrays["truth"], *fold) for fold in assignment.folds()]
        self.members: list[NDArray[np.float32]] = []
        self.seconds = assignment.left
        self.end = RESERVE * self.seconds

    def look(self) -> None:
        """End the work if the seconds are over."""
        if self.assignment.left < self.end:
            raise OutOfTime

    def add(self, scores: NDArray[np.float32]) -> None:
        """Add a model's out-of-fold scores, and write the blend of all so far."""
        self.members.append(scores)
        blend = scores if len(self.members) == 1 else self.fit.combine(LogLossWeights, np.stack(self.members)).scores
        self.assignment.write(blend)

    def heads(self, recipe: Recipe, every: list[Examples]) -> NDArray[np.float32]:
        """Return out-of-fold scores of heads after their last epoch."""
        from models.heads.group import HeadGroup
        from models.heads.together import train_together

        groups, scores = [HeadGroup(recipe, examples) for examples in every], self.assignment.scores.copy()
        train_together(groups, quiet=True)
        for group in groups:
            scores[group.examples.heldout] = group.judged_scores.mean(axis=0)
        return scores

    def linear(self, solver: Solver) -> NDArray[np.float32]:
        """Return out-of-fold scores of linear heads."""
        from models.linear.fit import fit_linear

        recipe = dataclasses.replace(self.recipe, solver=solver, dense=(), dropout=0.0, head_norm="none")
        numbers = np.unique(self.folds).tolist()
        scores = self.assignment.scores.copy()
        fitted = fit_linear(self.bank, self.fit.truth, self.folds, numbers, recipe)
        for (kernel, bias), examples in zip(fitted, self.every, strict=True):
            scores[examples.heldout] = expit(self.bank.read(examples.heldout) @ kernel + bias)
        return scores

    def seconds_of_epoch(self) -> float:
        """Return how long an epoch of all folds' heads takes, by one of some of their chips."""
        share = min(1.0, SAMPLE / min(len(examples.training) for examples in self.every))
        some = [
            dataclasses.replace(
                examples,
                training=examples.training[: round(share * len(examples.training))],
                heldout=examples.heldout[: max(1, round(share * len(examples.heldout)))],
            )
            for examples in self.every
        ]
        started = time.monotonic()
        self.heads(dataclasses.replace(self.recipe, epochs=1), some)
        return SLOWER * (time.monotonic() - started) / share

    def run(self) -> None:
        """Make one model after another until time is up."""
        epoch, number = self.seconds_of_epoch(), 0
        while True:
            rest = (self.assignment.left - self.end) * (1.0 if number else FIRST)
            fitting = {width: rest / epoch * self.recipe.dense[0] / width for width in WIDTHS}  # epochs by width
            enough = [width for width in WIDTHS if fitting[width] >= self.recipe.epochs / 2]
            if number and not enough:
                return
            width = enough[0] if enough else WIDTHS[-1]
            epochs = int(np.clip(fitting[width], 1, self.recipe.epochs))
            print(f"{self.assignment.left:.0f} s left: {epochs} epochs of {width} units", flush=True)
            recipe = dataclasses.replace(self.recipe, dense=(width,), epochs=epochs, seed=number)
            self.add(self.heads(recipe, self.every))
            for solver in get_args(Solver) if not number else ():
                if self.assignment.left > LINEAR * self.seconds:
                    self.add(self.linear(solver))
                    print(f"{self.assignment.left:.0f} s left after {solver}", flush=True)
            number += 1


def main() -> None:
    """Make scores within the seconds."""
    assignment = Assignment.from_command_line()
    load_backend()
    ours = Ours(assignment)
    with reporter.silent(), suppress(OutOfTime), watched(ours.look):
        ours.run()


if __name__ == "__main__":
    main()
