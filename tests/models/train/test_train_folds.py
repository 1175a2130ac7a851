"""Training on every fold, or on one, and beginning again."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.assign import assign_folds
from folds.store.alone import alone
from models.runs.folders import RECIPE
from models.runs.model_recipe import ModelRequest
from models.train.job import Job
from models.train.train_folds import train_folds, train_models
from tests.conftest import K, store_of
from tests.models.samples import content_of


@pytest.fixture
def ran(monkeypatch) -> list[Job]:
    """The jobs that would have been run."""
    jobs: list[Job] = []

    def run(given: list[Job], *, pass_on: bool, keep: object) -> None:
        assert pass_on == (len(given) > 1)
        jobs.extend(given)

    monkeypatch.setattr("models.train.train_folds.run_jobs", run)
    return jobs


def test_beginning_again_leaves_all_folds_until_the_new_are_complete(trained, ran):
    (trained.runs / "tiny/fold7").mkdir()  # of a fold table that had more
    with pytest.raises(UserError, match="Unknown label of --only-labels 'gold'"):
        train_folds(trained, ModelRequest("tiny", overrides={"only_labels": ("gold",)}), restart=True)
    assert not trained.restarted.runs.exists()
    assert train_folds(trained, ModelRequest("tiny"))
    before = content_of(trained.runs)
    train_folds(trained, ModelRequest("tiny", overrides={"epochs": 9}), restart=True)
    assert [(job.fold, job.recipe.epochs) for job in ran] == [(fold, epochs) for epochs in (2, 9) for fold in range(K)]
    assert {job.store.root for job in ran[K:]} == {trained.restarted.runs}
    after = content_of(trained.runs)
    assert {name: after[name] for name in before} == before


def test_beginning_one_fold_again_leaves_all(trained, ran):
    train_folds(trained, ModelRequest("tiny"), 1, restart=True)
    assert [(job.fold, job.store.root) for job in ran] == [(1, trained.restarted.runs)]
    assert store_of(trained).folds_of("tiny") == [0, 1, 2]
    assert json.loads((trained.runs / "tiny" / RECIPE).read_text())["epochs"] == 2


def trained_as(workspace: Workspace) -> dict[str, bytes]:
    """Return what readers see of the model: recipe and scores."""
    names = (RECIPE, "scores.json", "heldout.npz", "test.npz")
    return {name: content for name, content in content_of(workspace.runs / "tiny").items() if Path(name).name in names}


def stopping(monkeypatch: pytest.MonkeyPatch, fold: int, error: BaseException) -> None:
    """Make the work on a fold end before its scores are written."""
    finish = Job.finish

    def finish_or_stop(job: Job, *arguments: Any) -> None:
        if job.fold == fold:
            raise error
        finish(job, *arguments)

    monkeypatch.setattr(Job, "finish", finish_or_stop)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), pytest.param(UserError("a chip is broken"), marks=pytest.mark.slow)]
)
def test_stopped_in_between_beginning_again_loses_nothing_and_training_goes_on_with_it(trained, monkeypatch, error):
    before, asked = trained_as(trained), ModelRequest("tiny", overrides={"epochs": 1, "seed": 3})
    with monkeypatch.context() as context:
        stopping(context, 1, error)
        with pytest.raises(type(error)):
            train_folds(trained, asked, restart=True)
    assert trained_as(trained) == before
    assert store_of(trained).join("tiny").oof.names == trained.labelled.image_names
    first = (trained.restarted.runs / "tiny/fold0/heldout.npz").read_bytes()
    assert train_folds(trained, ModelRequest("tiny"))  # without the flags: they are those of the attempt
    after = trained_as(trained)
    assert after["fold0/heldout.npz"] == first
    assert (json.loads(after[RECIPE])["epochs"], json.loads(after[RECIPE])["seed"]) == (1, 3)
    assert len({store_of(trained).provenance("tiny", fold).recipe_digest for fold in range(K)}) == 1
    assert not trained.restarted.runs.exists()


def test_what_is_wrong_is_seen_before_what_was_made_is_touched(trained, monkeypatch):
    """Whatever is damaged: neither the line nor the command that it stops costs a fold."""
    assign_folds(trained, k=K, seed=0)
    before = trained_as(trained)
    for name, content in {"folds.csv": "0" * 14_000, "folds.csv ": None, "data/layout.json": "{"}.items():
        path = trained.root / name.strip()
        kept = path.read_bytes()
        path.unlink() if content is None else path.write_text(content)
        with pytest.raises(UserError) as caught:
            train_folds(Workspace(trained.root, trained.competition), ModelRequest("tiny"), restart=True)
        assert len(str(caught.value)) < 600
        assert "--restart" not in str(caught.value)
        path.write_bytes(kept)
        assert trained_as(trained) == before
        assert not trained.restarted.runs.exists()
    monkeypatch.setattr("models.inputs.sources.Sources.cache", broken)
    with pytest.raises(UserError, match="a chip is broken"):
        train_folds(trained, ModelRequest("tiny"), restart=True)
    assert trained_as(trained) == before
    monkeypatch.undo()
    assert train_folds(trained, ModelRequest("tiny"))
    assert not trained.restarted.runs.exists()


def broken(*_: object) -> None:
    raise UserError("a chip is broken")


def test_with_the_recipe_lost_beginning_again_is_by_the_same(trained):
    before = trained_as(trained)
    (trained.runs / "tiny" / RECIPE).write_bytes(bytes(300))
    assert train_folds(trained, ModelRequest("tiny"), 1, restart=True)
    after = trained_as(trained)
    assert after[RECIPE] == before[RECIPE]
    assert after["fold0/scores.json"] == before["fold0/scores.json"]
    assert store_of(trained).join("tiny").oof.names == trained.labelled.image_names


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


def test_scores_of_other_labels_are_refused_before_keras_is_loaded(trained, monkeypatch):
    monkeypatch.setattr("models.train.train_folds.load_backend", lambda: pytest.fail("Keras is loaded"))
    made = store_of(trained).read("tiny", 1)
    store_of(trained).write(
        dataclasses.replace(made, provenance=dataclasses.replace(made.provenance, label_digest="x"))
    )
    with pytest.raises(UserError, match="The labels were changed since 'tiny' fold 1"):
        train_models(trained, [ModelRequest("baseline"), ModelRequest("tiny")])
