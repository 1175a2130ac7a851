"""What the choice of an epoch flatters, and what averaged weights bring, of heads on a bank.

`python -m tests.benchmarks.bench_epochs WORKSPACE MODEL`: the heads of a frozen model that was begun there are trained
twice, judged by the chips held out and by chips set aside. Of each run several epochs are kept, and scored on the chips
held out, over the model's views.

Measured on 36,037 chips of 32 px, `mobilenet_v2_levels --input-size 64 --epochs 24`, five folds, d4's views: the
figures are in CONTRIBUTING.md, under "More of the same network".
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from competition.metrics.f_beta import f_beta_per_chip
from competition.metrics.judge import measure
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.backend.load import load_backend
from models.heads.group import HeadGroup
from models.heads.stack import Floats
from models.heads.together import train_together
from models.heads.training import scores_of
from models.inputs.examples import Examples
from models.inputs.sources import Sources
from models.recipes.recipe import Recipe
from models.runs.model_recipe import read_recipe

SEVERAL = 5  # epochs that are averaged
Kept = dict[str, list[tuple[float, Floats]]]  # by name of a choice the best epochs, as metric and weights


def kept_of(recipe: Recipe, every: Sequence[Examples]) -> list[Kept]:
    """Train the heads of all folds; return of each fold what several choices of epochs keep."""
    groups = [HeadGroup(recipe, examples) for examples in every]
    found: dict[int, Kept] = {id(group): {} for group in groups}

    def after_epoch(group: HeadGroup) -> None:
        kept, examples = found[id(group)], group.examples

        def reached(positions: NDArray[np.int64], values: Floats) -> float:
            scores = scores_of(group, positions, values=values)[0]
            return measure(examples.truth[positions], examples.task.answers(scores), examples.task.metric)

        average = group.slots[-1]
        for name, metric, values in (
            ("best by the chips held out", reached(examples.heldout, group.values), group.values),
            ("best by those that judge", reached(examples.judged, group.values), group.values),
            ("its moving average", reached(examples.judged, average), average),
            ("last", float(group.epochs), group.values),
        ):
            best = [*kept.get(name, []), (metric, values.copy())]
            kept[name] = sorted(best, key=lambda each: -each[0])[:SEVERAL]

    train_together(groups, after_epoch)
    return [found[id(group)] for group in groups]


def scored(recipe: Recipe, every: Sequence[Examples]) -> dict[str, Floats]:
    """Return by choice of epochs the scores (num_chips, num_labels) of each chip by the head that holds it out."""
    names = ("best by the chips held out", "best by those that judge", "its moving average", "last")
    choices: dict[str, tuple[str, int]] = {name: (name, 1) for name in names}
    choices[f"mean of the {SEVERAL} best by those that judge"] = ("best by those that judge", SEVERAL)
    scores = {name: np.zeros(every[0].truth.shape, dtype=np.float32) for name in choices}
    for examples, kept in zip(every, kept_of(recipe, every), strict=True):
        group = HeadGroup(recipe, examples)
        for name, (choice, many) in choices.items():
            values = np.mean([values for _, values in kept[choice][:many]], axis=0)
            views = [scores_of(group, examples.heldout, view, values)[0] for view in recipe.test_views]
            scores[name][examples.heldout] = np.mean(views, axis=0)
    return scores


def main() -> None:
    """Print how far each choice is from the best epoch by the chips held out, judged by them."""
    load_backend()
    workspace = Workspace.open(sys.argv[1])
    store = ScoreStore.of(workspace)
    recipe = dataclasses.replace(read_recipe(workspace, sys.argv[2]), seeds=1, ema=0.999)
    sources = Sources(workspace, dataclasses.replace(recipe, monitor="heldout"))
    bank = sources.bank("train", ("identity", *recipe.drawn_views, *recipe.test_views))
    folds = range(store.table.k)
    outer = [dataclasses.replace(Examples.of_fold(sources, store.table, fold), source=bank) for fold in folds]
    inner = [examples.with_inner(None, recipe.seed) for examples in outer]
    every = {
        f"{by}: {name}": f_beta_per_chip(outer[0].truth, outer[0].task.answers(scores), 2)
        for by, examples in (("held out", outer), ("set aside", inner))
        for name, scores in scored(recipe, examples).items()
    }
    first = next(iter(every.values()))
    rows = []
    for name, values in every.items():
        apart = values - first
        rows.append([name, f"{values.mean():.4f}", f"{apart.mean():+.5f} ± {apart.std() / len(apart) ** 0.5:.5f}"])
    print(table(["judged by: epoch", "F2", "paired"], rows))


if __name__ == "__main__":
    main()
