"""A model's folder: what failed leaves nothing, what is removed is gone, and what is damaged is named."""

from __future__ import annotations

import dataclasses
import json

import pytest

from competition.common.errors import UserError
from competition.common.records import write_record
from competition.workspace import Workspace
from folds.store.alone import alone
from models.runs.folders import (
    EXTRACTOR,
    FOLD,
    FORMAT,
    HISTORY,
    JOB,
    NETWORK,
    RECIPE,
    WEIGHTS,
    check_job,
    read_job,
    restart_command,
)
from models.runs.model_recipe import ModelRequest, read_recipe, recipe_of
from models.runs.training_state import state_of
from models.train.run_jobs import run_jobs
from tests.conftest import store_of
from tests.models.samples import frozen, tiny_job


def stopped(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def models_in(workspace: Workspace) -> list[str]:
    return [path.name for path in workspace.runs.glob("*")]


# What failed or was stopped before its first epoch


def test_a_start_without_its_weights_leaves_no_model(workspace, tiny_net, tmp_path):
    (tmp_path / "other.weights.h5").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"other\.weights\.h5"):
        run_jobs([tiny_job(workspace, **frozen(str(tmp_path / "other.weights.h5")))])
    assert models_in(workspace) == []


@pytest.mark.parametrize("where", ["models.inputs.sources.Sources.cache", "models.train.stages.train"])
def test_a_start_that_was_stopped_binds_to_nothing_and_leaves_the_other_folds(trained, monkeypatch, where):
    monkeypatch.setattr(where, stopped)
    with pytest.raises(KeyboardInterrupt):
        run_jobs([dataclasses.replace(tiny_job(trained, seed=5), model="other")])
    assert recipe_of(trained, ModelRequest("baseline", "other", {"epochs": 7})).epochs == 7
    (trained.runs / "tiny/fold0/scores.json").unlink()
    (trained.runs / "tiny/fold0" / NETWORK).unlink()
    with pytest.raises(KeyboardInterrupt):
        run_jobs([tiny_job(trained)])
    assert (trained.runs / "tiny/fold0/heldout.npz").is_file()
    assert store_of(trained).folds_of("tiny") == [1, 2]
    assert models_in(trained) == ["tiny"]


def test_a_start_that_finds_another_process_at_the_fold_leaves_it_alone(workspace):
    folder = workspace.runs / "tiny/fold0"
    folder.mkdir(parents=True)
    with alone(folder), pytest.raises(UserError, match="Another process is at"):
        run_jobs([tiny_job(workspace)])
    assert folder.is_dir()


# What is damaged


def test_what_is_damaged_is_named_with_the_command_that_mends_it(trained):
    for name, command in {
        f"fold1/{JOB}": "fold --model tiny --fold 1 --restart",
        "fold1/seed2/network.weights.h5": "fold --model tiny --fold 1 --restart",
        f"{EXTRACTOR}{WEIGHTS}": "train --models tiny --restart",
        f"{EXTRACTOR}1.onnx": "train --models tiny --restart",
    }.items():
        assert restart_command(trained.runs / "tiny" / name) == command
    (trained.runs / "tiny/fold1" / JOB).write_text("{")
    with pytest.raises(UserError, match=r'job\.json is damaged: .*\. Run "python .* --fold 1 --restart"\.$'):
        read_job(trained.runs / "tiny/fold1")


def test_records_without_format_and_digest_are_read_as_they_were_before_these(trained):
    folder = trained.runs / "tiny"
    before = read_recipe(trained, "tiny"), read_job(folder / "fold1"), state_of(folder / "fold1")
    for path in (folder / RECIPE, folder / "fold1" / JOB, folder / "fold1" / HISTORY):
        content = json.loads(path.read_text())
        assert content.pop("format") == 1
        assert len(content.pop("digest")) == 64
        path.write_text(json.dumps(content))
    assert (read_recipe(trained, "tiny"), read_job(folder / "fold1"), state_of(folder / "fold1")) == before
    run_jobs([tiny_job(trained, 1)])


def test_the_training_of_another_fold_is_not_gone_on_with(trained, tmp_path):
    assert read_job(trained.runs / "tiny/fold1")[FOLD] == 1
    folder, job = tmp_path / "runs/tiny/fold0", {"recipe": "r", "inputs": {}, "dtype": "uint8"}
    write_record(folder / JOB, {**job, FOLD: 0}, version=FORMAT)
    check_job(folder, job)
    moved = folder.rename(folder.with_name("fold1"))
    with pytest.raises(
        UserError, match=r"fold1 holds the training of fold 0, .* back to fold0\. To begin this .*--restart"
    ):
        check_job(moved, job)
    write_record(moved / JOB, job, version=FORMAT)  # of an earlier version
    check_job(moved, job)
