"""Training on every fold, or on one, and beginning again."""

from __future__ import annotations

import json

import pytest

from competition.common.errors import UserError
from models.runs.folders import RECIPE, alone
from models.runs.model_recipe import ModelRequest
from models.train.job import Job
from models.train.train_folds import train_folds, train_models
from tests.conftest import K, store_of


@pytest.fixture
def ran(monkeypatch) -> list[Job]:
    """The jobs that would have been run."""
    jobs: list[Job] = []

    def run(given: list[Job], *, pass_on: bool, keep: object) -> None:
        assert pass_on == (len(given) > 1)
        jobs.extend(given)

    monkeypatch.setattr("models.train.train_folds.run_jobs", run)
    return jobs


def test_beginning_again_removes_all_folds_once_the_recipe_is_known_to_be_right(trained, ran):
    (trained.runs / "tiny/fold7").mkdir()  # of a fold table that had more
    with pytest.raises(UserError, match="Unknown label of --only-labels 'gold'"):
        train_folds(trained, ModelRequest("tiny", overrides={"only_labels": ("gold",)}), restart=True)
    assert store_of(trained).folds_of("tiny") == [0, 1, 2]
    assert train_folds(trained, ModelRequest("tiny"))
    assert not train_folds(trained, ModelRequest("tiny", overrides={"epochs": 9}), restart=True)
    assert [(job.fold, job.recipe.epochs) for job in ran] == [(fold, epochs) for epochs in (2, 9) for fold in range(K)]
    assert not list(trained.runs.glob("*"))


def test_beginning_one_fold_again_leaves_the_others(trained, ran):
    train_folds(trained, ModelRequest("tiny"), 1, restart=True)
    assert [job.fold for job in ran] == [1]
    assert store_of(trained).folds_of("tiny") == [0, 2]
    assert json.loads((trained.runs / "tiny" / RECIPE).read_text())["epochs"] == 2


def test_a_fold_that_another_process_is_at_is_passed_over_unless_it_is_the_one_asked_for(trained, lines):
    with alone(trained.runs / "tiny/fold1"):
        assert train_folds(trained, ModelRequest("tiny"))
        with pytest.raises(UserError, match="Another process is at 'tiny' fold 1"):
            train_folds(trained, ModelRequest("tiny"), 1)
    assert [line.split(" is ")[0] for line in lines] == ["'tiny' fold 0", "Another process", "'tiny' fold 2"]
    assert lines[1].endswith("Passing on to the next fold.")


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize(
    ("second", "line"),
    [
        (ModelRequest("baselin"), "Unknown recipe 'baselin'"),
        (ModelRequest("baseline", overrides={"images": "gif"}), "Unknown image set"),
        (ModelRequest("baseline", overrides={"bands": "RGBN"}), "the .jpg chips have 'RGB'"),
        (ModelRequest("vgg16", overrides={"backbone": "VGG61"}), "Unknown backbone 'VGG61'"),
        (ModelRequest("vgg16", overrides={"weights": "lost.h5"}), r"No weights file lost\.h5"),
        (ModelRequest("baseline", overrides={"input_size": 4}), "needs 8 px or more"),
        (ModelRequest("baseline", overrides={"only_labels": ("gold",)}), "Unknown label of --only-labels 'gold'"),
    ],
)
def test_no_model_is_trained_or_removed_before_all_are_known_to_be_right(trained, ran, second, line, restart):
    with pytest.raises(UserError, match=line):
        train_models(trained, [ModelRequest("tiny"), second], restart=restart)
    assert ran == []
    assert store_of(trained).folds_of("tiny") == list(range(K))
    assert train_models(trained, [ModelRequest("tiny")])
    assert not train_models(trained, [ModelRequest("baseline"), ModelRequest("tiny")])
    assert [job.model for job in ran] == [*["tiny"] * K, *["baseline"] * K, *["tiny"] * K]
