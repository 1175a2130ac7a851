"""The search, and its study on disk."""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from competition.common.errors import UserError
from competition.studies import open_studies
from models.tune import search as search_module
from models.tune.figures import best_by_fold, best_of
from models.tune.inner import Trial, inner_folds
from models.tune.search import COMPARED, Budget, importances, open_study, study_name
from models.tune.space import Space
from tests.models.tune.samples import SIZES, head_recipe, outer_folds, searched, space_of

INNER = inner_folds(outer_folds(), 3)


def quick_space() -> Space:
    """Return a space whose trials take milliseconds."""
    fixed = ["epochs", "dense", "batch_size"]
    return Space.of(head_recipe(), fixed, {"mixup": (0.0, 0.2)}, SIZES)


def kept(path: Path) -> list[optuna.trial.FrozenTrial]:
    with open_studies(path) as storage:
        return optuna.load_study(study_name="study", storage=storage).get_trials()


def drawn_ahead(space: Space, settings: dict[str, Any], loss: float) -> Trial:
    return Trial(settings, (loss,) * 3, {3: loss, 6: loss, 10: loss}, 3, 0.1)


@pytest.mark.parametrize("grid", [True, False])
def test_what_a_fold_chooses_knows_nothing_of_its_chips(tmp_path: Path, grid: bool) -> None:
    # Ten trials are drawn before the sampler looks at any loss: with fewer, both searches try the same settings.
    space = space_of(dropout=(0.1, 0.6), learning_rate=(1e-3, 1e-1), dense=((), (4,))) if grid else quick_space()
    trials, others = (
        searched(tmp_path / f"{changed}.db", space, inner_folds(outer_folds(changed=changed), 3))
        for changed in (None, 1)
    )
    assert [trial.settings for trial in trials] == [trial.settings for trial in others]
    assert [trial.losses[1] for trial in trials] == [trial.losses[1] for trial in others]
    assert best_by_fold(trials)[1].settings == best_by_fold(others)[1].settings
    for trial, other in zip(trials, others, strict=True):
        assert (np.delete(trial.losses, 1) != np.delete(other.losses, 1)).all()


def test_a_restricted_grid_is_tried_whole_and_nothing_else_but_the_start(tmp_path: Path) -> None:
    space = space_of(dropout=(0.1, 0.3), dense=((4,), (8, 4)))
    trials = searched(tmp_path / "optuna.db", space, INNER, trials=2)
    assert trials[0].settings == space.start_settings == {"dropout": 0.5, "dense": (4,)}
    assert [trial.settings for trial in trials[1:]] == space.grid()
    assert all(trial.is_complete for trial in trials)
    within = space_of(dropout=(0.5, 0.3))
    assert [trial.settings["dropout"] for trial in searched(tmp_path / "other.db", within, INNER)] == [0.5, 0.3]


def test_the_recipe_itself_comes_first_so_that_the_winner_is_never_worse(tmp_path: Path) -> None:
    space = quick_space()
    trials = searched(tmp_path / "optuna.db", space, INNER, trials=6)
    assert trials[0].settings == space.start_settings
    assert best_of(trials).loss <= trials[0].loss
    assert all(space.params(trial.settings) for trial in trials)


def test_a_study_is_topped_up_with_other_settings(tmp_path: Path) -> None:
    path, space = tmp_path / "optuna.db", quick_space()
    first = searched(path, space, INNER, trials=3)
    assert len(first) == 3
    assert searched(path, space, INNER, trials=3) == first
    more = searched(path, space, INNER, trials=6)
    assert more[:3] == first
    assert len({json.dumps(trial.settings) for trial in more}) == 6
    assert searched(path, space, INNER, trials=2) == more


def test_an_interrupted_trial_is_lost_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, space, run = tmp_path / "optuna.db", quick_space(), search_module.run_trial
    calls: list[Any] = []

    def interrupted(*arguments: Any) -> Trial:
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(arguments)
        return run(*arguments)

    monkeypatch.setattr(search_module, "run_trial", interrupted)
    with pytest.raises(KeyboardInterrupt):
        searched(path, space, INNER)
    monkeypatch.setattr(search_module, "run_trial", run)
    assert len(kept(path)) == 2
    assert len(searched(path, space, INNER)) == 5


def search_in_another_process(path: str, is_killed: bool) -> None:
    if is_killed:
        search_module.run_trial = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
    searched(Path(path), space_of(dropout=(0.1, 0.2, 0.3, 0.4)), INNER)


def test_processes_share_a_study_and_a_killed_one_leaves_nothing(tmp_path: Path) -> None:
    path, context = tmp_path / "optuna.db", multiprocessing.get_context("fork")
    killed = context.Process(target=search_in_another_process, args=(str(path), True))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL
    assert kept(path) == []
    space = space_of(dropout=(0.1, 0.2, 0.3, 0.4))
    with open_study(path, "study", space) as one, open_study(path, "study", space) as other:
        assert (one.seat, other.seat) == (0, 1)
        one.add(drawn_ahead(space, space.start_settings, 0.5))
        drawn = [search_module._next(study, space, space.grid(), study.trials(), Budget(5)) for study in (one, other)]
        assert [settings.settings["dropout"] for settings in drawn if settings] == [0.1, 0.3]
        other.add(drawn_ahead(space, space.grid()[0], 0.4))
        assert len(one.trials()) == 2


def test_a_trial_worse_than_most_is_pruned(tmp_path: Path) -> None:
    space = quick_space()
    with open_study(tmp_path / "optuna.db", "study", space) as study:
        for number in range(COMPARED):
            study.add(drawn_ahead(space, space.start_settings | {"dropout": 0.2 + number / 100}, 0.001))
        study.add(drawn_ahead(space, space.start_settings, 0.001))
        (*_, last) = search_module.search(study, space, INNER, Budget(COMPARED + 2))
        assert last.state == "pruned"
        assert 1 <= last.epochs < 6  # of 10: some are trained ahead of the judgement
        assert list(last.shares) == [3]
    assert kept(tmp_path / "optuna.db")[-1].state == optuna.trial.TrialState.PRUNED


def test_no_trial_begins_or_goes_on_when_the_time_is_over(tmp_path: Path) -> None:
    trials = searched(tmp_path / "optuna.db", quick_space(), INNER, seconds=0.0)
    assert [trial.settings for trial in trials] == [quick_space().start_settings]
    assert trials[0].is_complete


def test_a_trial_that_diverges_is_kept_as_such_but_not_the_start(tmp_path: Path) -> None:
    path = tmp_path / "optuna.db"
    space = space_of(learning_rate=(1e-3, 1e30))
    assert [trial.state for trial in searched(path, space, INNER)] == ["complete", "diverged"]
    with pytest.raises(UserError, match=r"The loss became no number, at a learning rate of 1e\+30"):
        searched(tmp_path / "other.db", space_of(head_recipe(learning_rate=1e30), dropout=(0.1, 0.2)), INNER)


def test_where_nothing_new_can_be_drawn_the_search_ends(tmp_path: Path) -> None:
    start = quick_space().start
    every = {name: (getattr(start, name),) for name in quick_space().choices}
    space = Space(start, {**every, "mixup": (0.0, 0.2)}, is_grid=False)
    assert len(searched(tmp_path / "optuna.db", space, INNER, trials=9)) == 2


def test_a_study_goes_on_with_what_it_was_begun_with_alone() -> None:
    space = quick_space()
    names = {
        study_name("a", space, "folds"),
        study_name("a", space, "other folds"),
        study_name("a", dataclasses.replace(space, start=head_recipe(optimizer="sgd")), "folds"),
        study_name("a", space_of(dropout=(0.1, 0.2)), "folds"),
    }
    assert len(names) == 4
    assert (
        study_name("a", dataclasses.replace(space, start=dataclasses.replace(space.start, seeds=3)), "folds") in names
    )


def test_importance_is_that_of_what_the_losses_follow() -> None:
    space, random = quick_space(), np.random.default_rng(0)
    trials = [
        drawn_ahead(space, space.start_settings | {"dropout": dropout, "ema": ema}, dropout)
        for dropout, ema in zip(random.uniform(0.1, 0.8, 30), random.choice([0.0, 0.99], 30), strict=True)
    ]
    shares = importances(trials, space)
    assert max(shares, key=lambda name: shares[name]) == "dropout"
    assert importances(trials[: COMPARED - 1], space) == {}
