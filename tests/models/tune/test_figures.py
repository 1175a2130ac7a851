"""What tuning is worth."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from competition.metrics.judge import measure
from models.heads.group import HeadGroup
from models.tune import figures as figures_module
from models.tune.figures import best_by_fold, best_of, figures_of
from models.tune.inner import Trial
from tests.models.tune.samples import PLANET, head_recipe, outer_folds


def trial(*losses: float, state: str = "complete") -> Trial:
    return Trial({"dropout": losses[0]}, losses, {}, 1, 0.0, state)  # type: ignore[arg-type]


def test_the_winner_is_best_in_the_mean_and_each_fold_chooses_for_itself() -> None:
    trials = [trial(3, 3, 3), trial(1, 9, 2), trial(2, 2, 2), trial(0, 0, 0, state="pruned"), trial(2, 2, 2)]
    assert best_of(trials) is trials[2]
    assert best_by_fold(trials) == [trials[1], trials[2], trials[1]]


def test_figures_are_of_heads_that_have_not_seen_the_chips(monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[HeadGroup] = []
    real = figures_module.train_together

    def counted(groups: list[HeadGroup], *, quiet: bool) -> None:
        trained.extend(groups)
        real(groups, quiet=quiet)

    monkeypatch.setattr(figures_module, "train_together", counted)
    outer = outer_folds(3, repeats=2)
    start, winner, other = (head_recipe(learning_rate=rate) for rate in (0.001, 0.1, 0.03))
    chosen = [winner, other, winner, start, winner, winner]
    figures = figures_of(start, winner, chosen, outer, {})
    assert len(trained) == 6 + 6 + 1  # none of them twice
    again = figures_of(start, winner, [winner] * 6, outer, {})
    assert again.start == figures.start
    assert again.winner == figures.winner == again.chosen
    assert again.optimism == 0
    assert figures.start.difference == figures.start.error == 0
    assert figures.winner.difference == pytest.approx(figures.winner.value - figures.start.value)
    assert figures.winner.error > 0


def test_scores_that_are_known_are_taken_and_nothing_is_trained() -> None:
    outer, recipe = outer_folds(), head_recipe()
    perfect = {(recipe, fold): one.truth[one.heldout].astype(np.float32) for fold, one in enumerate(outer)}
    other = dataclasses.replace(recipe, dropout=0.1)
    wrong = {(other, fold): 1 - scores for (_, fold), scores in perfect.items()}
    figures = figures_of(other, recipe, [recipe, recipe, other], outer, perfect | wrong)
    truth, metric = outer[0].truth, PLANET.metric
    assert (figures.winner.value, figures.start.value) == (
        measure(truth, truth, metric),
        measure(truth, ~truth, metric),
    )
    assert figures.start.value < figures.chosen.value < figures.winner.value
    assert figures.optimism == pytest.approx(figures.winner.value - figures.chosen.value)
