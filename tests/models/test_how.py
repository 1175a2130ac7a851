"""How a model was made is kept with it, run by run, and shown."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.workspace import Workspace
from models.backend import made
from models.backend.made import MADE
from models.how import begun_as, how_made
from models.runs.folders import NETWORK, read_job
from models.runs.model_recipe import ModelRequest, recipe_of, record_recipe
from models.train.run_jobs import run_jobs
from tests.models.samples import content_of, tiny_job

FLAGS = ("--input-size", "16", "--dense", "8", "--batch-size", "16", "--epochs", "1", "--views", "identity")


def invoked(workspace: Workspace, *arguments: str) -> str:
    result = CliRunner().invoke(run.main, [*arguments, "--workspace", str(workspace.root)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_fold_says_by_which_command_versions_and_device_it_was_made(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoked(workspace, "fold", "--model", "baseline", "--fold", "1", *FLAGS, "--seeds", "2")
    values = json.loads(invoked(workspace, "status", "--how", "baseline", "--json"))
    (fold,) = values["folds"]
    (stretch,) = fold["runs"]
    assert stretch["command"].startswith("python run.py fold --model baseline --fold 1 --input-size 16")
    assert (stretch["ended"], stretch["seeds"], stretch["precision"]) == ("finished", [0, 1], "auto")
    assert {"python", "keras", "numpy", "planet-toolkit"} <= stretch["versions"].keys()
    assert stretch["seconds"] > 0
    folder = workspace.runs / "baseline/fold1"
    assert fold["networks"] == [digest_file(folder / NETWORK), digest_file(folder / "seed1" / NETWORK)]
    assert fold["made_with"]["fold table"] == json.loads((folder / "job.json").read_text())["fold table"]
    monkeypatch.setenv("COLUMNS", "80")
    text = invoked(workspace, "status", "--how", "baseline")
    assert max(map(len, text.splitlines())) <= 80
    assert stretch["device"].split()[0] in text
    invoked(workspace, "fold", "--model", "baseline", "--fold", "1")  # it is done: nobody is at it
    assert len(how_made(workspace, "baseline").folds[0].runs or ()) == 1


def test_each_run_that_was_at_a_fold_is_kept_and_what_is_made_is_the_same(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny_job(workspace)
    with monkeypatch.context() as context:
        context.setattr("models.train.job.Job.finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run_jobs([job])
    run_jobs([job])
    (fold,) = how_made(workspace, "tiny").folds
    assert fold.runs is not None
    assert [(each.command, each.ended) for each in fold.runs] == [("", "stopped"), ("", "finished")]
    assert "from Python" in how_made(workspace, "tiny").text()
    assert made.Stretch(**vars(fold.runs[0])).how == fold.runs[1].how


def test_models_of_earlier_versions_say_that_it_was_not_recorded(trained: Workspace) -> None:
    before = content_of(trained.runs)
    for path in trained.runs.glob(f"tiny/fold*/{MADE}"):
        path.unlink()
    (trained.runs / "tiny/fold0" / MADE).write_text("{")
    how = how_made(trained, "tiny")
    assert [fold.runs for fold in how.folds] == [None, None, None]
    assert how.text().count("not recorded") == 3
    assert before.keys() - content_of(trained.runs).keys()
    with pytest.raises(UserError, match="Unknown model 'none'"):
        how_made(trained, "none")


def test_what_a_model_has_learnt_by_besides_is_shown_where_there_is_such(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "chip weights" not in how_made(trained, "tiny").text()
    job = read_job(trained.runs / "tiny/fold0")
    job["values"] |= {"weighted_to": "test", "weighted_digest": "12ab" * 16}
    monkeypatch.setattr("models.how.read_job", lambda folder: job if folder.name == "fold0" else read_job(folder))
    how = how_made(trained, "tiny")
    assert how.folds[0].made_with["chip weights"] == "12ab" * 16
    assert "chip weights" not in how.folds[1].made_with
    assert re.search(r"chip weights +12ab", how.text())
    assert "pseudo-labels" not in how.text()


def test_a_variant_is_begun_with_the_recipe_that_a_model_was_begun_with(workspace, tmp_path):
    asked = {"input_size": 64, "epochs": 12, "dense": (32, 8), "weights": "none", "train": "full"}
    trained = recipe_of(workspace, ModelRequest("mobilenet_v2", overrides=asked))
    record_recipe(workspace, "mobilenet_v2", trained)
    command = begun_as(workspace, "mobilenet_v2")
    assert command.startswith("train --models mobilenet_v2 --")
    assert "pseudo" not in command
    flags = command.partition(" --")[2].partition(" --")[2]
    assert dict(flag.split(" ") for flag in flags.split(" --")) == {
        "input-size": "64", "epochs": "12", "dense": "32,8", "weights": "none", "train": "full",
    }  # fmt: skip
    record_recipe(workspace, "mine", trained)
    assert begun_as(workspace, "mine") == "train --models mine"  # no recipe has its name
