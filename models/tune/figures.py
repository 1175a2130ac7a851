"""What tuning is worth: out-of-fold figures of the recipe it began from, of the winner, and of choosing as such."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.progress import reporter
from competition.metrics.bootstrap import bootstrap
from competition.metrics.judge import measure
from folds.store.score_store import ScoreStore
from models.heads.group import HeadGroup
from models.heads.stack import Floats
from models.heads.together import train_together
from models.heads.training import scores_of
from models.inputs.examples import Examples
from models.recipes.recipe import Recipe
from models.tune.inner import Trial

Scores = dict[tuple[Recipe, int], Floats]  # of the chips that a fold holds out, by heads of a recipe


def best_of(trials: Iterable[Trial]) -> Trial:
    """Return the complete trial with the lowest mean loss, of several the earliest."""
    return min((trial for trial in trials if trial.is_complete), key=lambda trial: trial.loss)


def best_by_fold(trials: Iterable[Trial]) -> list[Trial]:
    """Return for each fold the complete trial with the lowest loss on its inner split.

    The chips that a fold holds out have no part in its loss, so that a figure of them is free of the choice's luck.
    What they had a part in, by the means over folds, is which settings were drawn and carried to their end.
    """
    complete = [trial for trial in trials if trial.is_complete]
    folds = range(len(complete[0].losses))
    return [min(complete, key=lambda trial: trial.losses[fold]) for fold in folds]


@dataclass(frozen=True)
class Figure:
    """An out-of-fold metric, and its difference from that of the recipe the search began from.

    Attributes:
        value: the metric.
        difference: from the recipe's.
        error: standard error of the difference, chips drawn in pairs.
    """

    value: float
    difference: float = 0.0
    error: float = 0.0


@dataclass(frozen=True)
class Figures:
    """What tuning is worth.

    Attributes:
        metric: its title.
        sign: of the metric: 1 if more of it is better, -1 if less.
        start: of the recipe that the search began from.
        winner: of the settings with the lowest mean loss.
        chosen: of what each fold's inner split chose: tuning included.
    """

    metric: str
    sign: int
    start: Figure
    winner: Figure
    chosen: Figure

    @property
    def optimism(self) -> float:
        """How much better the winner looks than what choosing is worth."""
        return self.sign * (self.winner.value - self.chosen.value)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures for JSON."""
        figures = {name: vars(getattr(self, name)) for name in ("start", "winner", "chosen")}
        return {"metric": self.metric, **figures, "optimism": self.optimism}


def figures_of(
    start: Recipe, winner: Recipe, chosen: Sequence[Recipe], outer: Sequence[Examples], known: Scores
) -> Figures:
    """Return what tuning is worth; heads whose scores are not known are trained for that, and not kept.

    Args:
        start: the recipe that the search began from.
        winner: that of the lowest mean loss.
        chosen: that of each fold's lowest loss.
        outer: the examples of each fold.
        known: scores that are there.
    """
    by_fold = [[start] * len(outer), [winner] * len(outer), list(chosen)]
    wanted = dict.fromkeys((recipe, fold) for recipes in by_fold for fold, recipe in enumerate(recipes))
    scores = known | _trained([one for one in wanted if one not in known], outer)
    task, truth = outer[0].task, outer[0].truth
    answers = [task.answers(_out_of_fold(recipes, outer, scores)) for recipes in by_fold]
    drawn = bootstrap(truth, answers, task.metric)
    values = [measure(truth, answer, task.metric) for answer in answers]
    errors = np.std(drawn - drawn[:, :1], axis=0, ddof=1)
    figures = [Figure(value, value - values[0], float(error)) for value, error in zip(values, errors, strict=True)]
    return Figures(task.metric.title, task.metric.sign, *figures)


def _out_of_fold(recipes: Sequence[Recipe], outer: Sequence[Examples], scores: Mapping[Any, Floats]) -> Floats:
    """Return the scores (num_chips, num_labels) of each chip by heads that have not seen it, a mean over repeats."""
    total: NDArray[Any] = np.zeros(outer[0].truth.shape)
    times = np.zeros((len(total), 1))
    for fold, (recipe, examples) in enumerate(zip(recipes, outer, strict=True)):
        total[examples.heldout] += scores[recipe, fold]
        times[examples.heldout] += 1
    return (total / times).astype(np.float32)


def _trained(wanted: Sequence[tuple[Recipe, int]], outer: Sequence[Examples]) -> Scores:
    """Train heads of some recipes on some folds, and return their scores: means over views and seeds."""
    scores: Scores = {}
    if wanted:
        reporter.say(f"Training {len(wanted)} heads for the figures.")
    for recipe in dict.fromkeys(recipe for recipe, _ in wanted):
        groups = {fold: HeadGroup(recipe, outer[fold]) for other, fold in wanted if other == recipe}
        train_together(list(groups.values()), quiet=True)
        for fold, group in groups.items():
            views = [scores_of(group, group.examples.heldout, view, group.best) for view in recipe.test_views]
            scores[recipe, fold] = np.asarray(np.mean(views, axis=(0, 1), dtype=np.float64), dtype=np.float32)
    return scores


def stored_scores(
    store: ScoreStore, model: str, recipe: Recipe, names: Sequence[str], outer: Sequence[Examples]
) -> Scores:
    """Return the scores of a model's finished folds, those that are of the same chips.

    Args:
        store: where they are.
        model: its name.
        recipe: of the model.
        names: of the chips of the source.
        outer: the examples of each fold.
    """
    scores: Scores = {}
    for fold in store.folds_of(model):
        heldout, examples = store.read(model, fold).heldout, outer[fold]
        if heldout.names == tuple(names[position] for position in examples.heldout):
            scores[recipe, fold] = heldout.values[:, examples.task.columns]
    return scores
