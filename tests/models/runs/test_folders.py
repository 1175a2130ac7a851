"""A model's recipe: recorded before long work, kept, and refused to be another; what failed leaves nothing."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.workspace import Workspace
from models.runs.folders import EXTRACTOR, JOB, NETWORK, RECIPE, alone, begin_again, read_job
from models.runs.model_recipe import read_recipe, recipe_of
from models.train.job import Job, _summary
from models.train.train_folds import train_folds
from run import main
from tests.conftest import K, store_of
from tests.models.samples import frozen, tiny_job, tiny_recipe

PLAIN = {"restart": False, "recipes": None, "skip_broken": False, "no_test": True}


def stopped(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def models_in(workspace: Workspace) -> list[str]:
    return [path.name for path in workspace.runs.glob("*")]


# Recorded before long work


def test_during_long_work_another_recipe_is_refused_and_the_same_one_joins(workspace, monkeypatch):
    worked = []

    def decode(*_: object) -> None:
        worked.append(store_of(workspace).models())
        if len(worked) > 1:
            raise KeyboardInterrupt
        assert recipe_of(workspace, "tiny", None, {}) == tiny_recipe()
        with pytest.raises(UserError, match=r"was begun with epochs 2 \(received 9\)"):
            recipe_of(workspace, "tiny", None, {"epochs": 9})
        # It had read the recipe before the other one recorded its own.
        with pytest.raises(UserError, match=r"Another process has begun 'tiny' with seed 0 \(received 5\)"):
            tiny_job(workspace, 1, seed=5).run()
        assert len(worked) == 1
        with pytest.raises(KeyboardInterrupt):
            tiny_job(workspace, 1).run()
        assert read_recipe(workspace, "tiny") == tiny_recipe()
        worked.append("all of the above")
        raise KeyboardInterrupt

    monkeypatch.setattr("models.inputs.sources.Sources.cache", decode)
    with pytest.raises(KeyboardInterrupt):
        tiny_job(workspace).run()
    assert worked == [["tiny"], ["tiny"], "all of the above"]
    assert models_in(workspace) == []


# What failed or was stopped before its first epoch


def test_a_start_without_its_weights_leaves_no_model(workspace, tiny_net, tmp_path):
    (tmp_path / "other.weights.h5").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"other\.weights\.h5"):
        tiny_job(workspace, **frozen(str(tmp_path / "other.weights.h5"))).run()
    assert models_in(workspace) == []


@pytest.mark.parametrize("where", ["models.inputs.sources.Sources.cache", "models.train.stages.train"])
def test_a_start_that_was_stopped_binds_to_nothing_and_leaves_the_other_folds(trained, monkeypatch, where):
    monkeypatch.setattr(where, stopped)
    with pytest.raises(KeyboardInterrupt):
        dataclasses.replace(tiny_job(trained, seed=5), model="other").run()
    assert recipe_of(trained, "other", "baseline", {"epochs": 7}).epochs == 7
    (trained.runs / "tiny/fold0/scores.json").unlink()
    (trained.runs / "tiny/fold0" / NETWORK).unlink()
    with pytest.raises(KeyboardInterrupt):
        tiny_job(trained).run()
    assert (trained.runs / "tiny/fold0/heldout.npz").is_file()
    assert store_of(trained).folds_of("tiny") == [1, 2]
    assert models_in(trained) == ["tiny"]


def test_a_start_that_finds_another_process_at_the_fold_leaves_it_alone(workspace):
    folder = workspace.runs / "tiny/fold0"
    folder.mkdir(parents=True)
    with alone(folder), pytest.raises(UserError, match="Another process is at"):
        tiny_job(workspace).run()
    assert folder.is_dir()


# Another recipe


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("fold --model tiny --fold 1", "fold --fold 1 --model tiny"),
        ("train --models tiny", "train --models tiny"),
        ("features --models tiny", "features --models tiny"),
    ],
)
def test_every_verb_refuses_other_values_with_commands_that_work(trained, words, plain):
    here = ["--workspace", str(trained.root)]
    done = CliRunner().invoke(main, [*words.split(), "--epochs", "9", "--dense", "none", *here])
    assert done.exit_code == 1
    assert done.output.startswith("Error: Model 'tiny' was begun with dense 8 (received none), epochs 2 (received 9). ")
    assert done.output.count("\n") == 1
    assert re.findall(r'"python run\.py (.*?)"', done.output) == [
        f"{command} {' '.join(here)}"
        for command in (
            plain,
            f"{plain} --name tiny-2 --dense none --epochs 9",
            "train --models tiny --dense none --epochs 9 --restart",
        )
    ]
    other = {"epochs": 9, "dense": ()}
    wanted = tiny_recipe(**other)
    assert recipe_of(trained, "tiny", None, {}) == tiny_recipe()
    assert recipe_of(trained, "tiny-2", "tiny", other) == wanted
    assert recipe_of(trained, "tiny", None, other, restarted=range(K)) == wanted


def test_values_of_another_recipe_are_named_as_flags_to_begin_again(trained):
    with pytest.raises(UserError) as caught:
        recipe_of(trained, "tiny", "residual", {})
    line = str(caught.value)
    assert '"python run.py train --models residual --name tiny-2"' in line
    flags = line.split('"python run.py train --models tiny --backbone ')[1]
    assert flags.startswith("residual ")
    assert flags.endswith(' --restart".')


# Beginning again


def test_what_is_damaged_is_mended_by_beginning_again(trained):
    (trained.runs / "tiny/fold1/history.json").write_text("{")
    assert recipe_of(trained, "tiny", None, {}, restarted=range(K)) == tiny_recipe()
    (trained.runs / "tiny" / RECIPE).write_text("{")
    with pytest.raises(UserError, match=r'damaged.*"python run\.py train --models tiny --restart"'):
        recipe_of(trained, "tiny", None, {}, restarted=[0])
    assert recipe_of(trained, "tiny", "baseline", {"epochs": 3}, restarted=range(K)).epochs == 3


def test_what_is_damaged_is_named_with_the_command_that_mends_it(trained):
    for name, command in {
        f"fold1/{JOB}": "fold --model tiny --fold 1 --restart",
        "fold1/seed2/network.weights.h5": "fold --model tiny --fold 1 --restart",
        EXTRACTOR: "train --models tiny --restart",
    }.items():
        assert begin_again(trained.runs / "tiny" / name) == f'Run "python run.py {command}"'
    (trained.runs / "tiny/fold1" / JOB).write_text("{")
    with pytest.raises(UserError, match=r'job\.json is missing or damaged\. Run "python .* --fold 1 --restart"\.$'):
        read_job(trained.runs / "tiny/fold1")


def test_a_model_that_is_not_there_is_proposed_only_if_it_can_be_trained(trained):
    with pytest.raises(UserError, match=r"Unknown model 'tinny'\. Known: tiny\.$"):
        read_recipe(trained, "tinny")
    line = r"'resnet50' is not trained yet\. Run \"python run\.py train --models resnet50\"\.$"
    with pytest.raises(UserError, match=line):
        read_recipe(trained, "resnet50")


def test_beginning_again_removes_all_folds_once_the_recipe_is_known_to_be_right(trained, monkeypatch):
    ran = []
    monkeypatch.setattr(Job, "run", lambda job: ran.append((job.fold, job.recipe.epochs)))
    (trained.runs / "tiny/fold7").mkdir()  # of a fold table that had more
    again = {**PLAIN, "restart": True}
    with pytest.raises(UserError, match="Unknown label of --only-labels 'gold'"):
        train_folds(trained, "tiny", None, None, overrides={"only_labels": ("gold",)}, **again)
    assert store_of(trained).folds_of("tiny") == [0, 1, 2]
    assert train_folds(trained, "tiny", None, None, overrides={}, **PLAIN)
    assert not train_folds(trained, "tiny", None, None, overrides={"epochs": 9}, **again)
    assert ran == [*((fold, 2) for fold in range(K)), *((fold, 9) for fold in range(K))]
    assert models_in(trained) == []


def test_beginning_one_fold_again_leaves_the_others(trained, monkeypatch):
    monkeypatch.setattr(Job, "run", lambda job: None)
    train_folds(trained, "tiny", None, 1, overrides={}, **{**PLAIN, "restart": True})
    assert store_of(trained).folds_of("tiny") == [0, 2]
    assert json.loads((trained.runs / "tiny" / RECIPE).read_text())["epochs"] == 2


# What is shown


def test_the_summary_names_bands_indices_and_how_long_it_takes():
    recipe = tiny_recipe(images="tif", bands="RGBN", indices=("ndvi", "ndwi"), epochs=1)
    assert _summary(recipe) == "two_convolutions from scratch, RGBN + ndvi + ndwi at 16 px, at most 1 epoch."
    solved = {"solver": "ridge", "dense": (), "train": "head", "weights": "imagenet", "backbone": "VGG16"}
    assert _summary(tiny_recipe(**solved)) == "VGG16 frozen, RGB at 16 px, solved by ridge."
