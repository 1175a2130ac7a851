"""Finished folds in MLflow: one run each, of whatever process trained them."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from competition.task import Task
from competition.tracking import mlflow_store
from competition.tracking.mlflow_store import MlflowStore
from models.runs import tracked as module
from models.runs.model_recipe import ModelRequest
from models.runs.status import reached
from models.runs.tracked import tracked
from models.runs.training_state import state_of
from models.train.train_folds import train_folds
from tests.conftest import K, store_of
from tests.models.samples import TINY

pytest.importorskip("mlflow", reason='MLflow is not installed: pip install -e ".[mlflow]"')


@pytest.fixture(autouse=True)
def own_mlflow(monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def runs_of(workspace) -> dict:
    """Return the runs in the workspace's folder, by name."""
    store = MlflowStore(workspace.tracked, workspace.competition.name, "")
    runs = store._client.search_runs([store._experiment])
    assert len({one.info.run_name for one in runs}) == len(runs)
    return {one.info.run_name: (one, store._client) for one in runs}


def test_what_was_trained_without_tracking_is_tracked_afterwards_once(trained) -> None:
    for _ in range(2):
        with tracked(trained, "mlflow") as keep:
            assert train_folds(trained, ModelRequest("tiny"), keep=keep)  # is done
    runs = runs_of(trained)
    assert sorted(runs) == [f"tiny fold {fold}" for fold in range(K)]
    one, client = runs["tiny fold 1"]
    store = store_of(trained)
    scores, folder = store.read("tiny", 1), store.folder("tiny", 1)
    value = reached(scores.heldout, Task(trained.competition, trained.competition.labels), trained.labelled)
    assert one.data.metrics["heldout F2"] == pytest.approx(value)
    history = state_of(folder).history
    points = client.get_metric_history(one.info.run_id, "epochs/heldout loss")
    assert [(point.step, point.value) for point in points] == [
        (epoch.number + 1, epoch.heldout_loss) for epoch in history
    ]
    assert one.data.params["epochs"] == str(json.loads((folder.parent / "recipe.json").read_text())["epochs"])
    assert one.data.tags["fold table"] == store.table.digest
    assert one.data.tags["recipe"] == scores.provenance.recipe_digest
    kept = {found.path for found in client.list_artifacts(one.info.run_id)}
    assert kept == {"recipe.json", "job.json", "learnt.json", "history.json", "scores.json", "train.log"}


def test_chips_set_aside_are_not_called_held_out(trained, monkeypatch) -> None:
    recipe = module.read_recipe(trained, "tiny")
    monkeypatch.setattr(module, "read_recipe", lambda *_: dataclasses.replace(recipe, monitor="inner"))
    with tracked(trained, "mlflow") as keep:
        keep("tiny")
    one, _ = runs_of(trained)["tiny fold 1"]
    assert {"heldout F2", "epochs/inner loss", "epochs/inner F2"} < set(one.data.metrics)
    assert not [name for name in one.data.metrics if name.startswith("epochs/heldout")]


def test_folds_are_tracked_as_they_are_done_and_a_training_that_ends_midway_loses_none(trained, monkeypatch) -> None:
    from models.train import run_jobs as running

    work, seen = running._run, []

    def stop(jobs) -> None:
        seen.append(jobs[0].fold)
        if len(seen) == 2:
            raise KeyboardInterrupt
        work(jobs)

    monkeypatch.setattr(running, "_run", stop)
    shutil.rmtree(trained.runs)
    with pytest.raises(KeyboardInterrupt), tracked(trained, "mlflow") as keep:
        train_folds(trained, ModelRequest("baseline", "tiny", {**TINY, "views": "flips"}), keep=keep)
    assert sorted(runs_of(trained)) == ["tiny fold 0"]


def shown_by(*command: str, code: int = 0) -> list[str]:
    done = CliRunner().invoke(run.main, command)
    assert done.exit_code == code, done.output
    return done.output.splitlines()


def test_verbs_track_after_their_work_and_refuse_before_it(trained, monkeypatch) -> None:
    flags = ["--track", "mlflow", "--workspace", str(trained.root)]
    said = f"Tracked {K} results of 'tiny' in MLflow, at {trained.tracked.as_uri()}."
    assert said in shown_by("train", "--models", "tiny", *flags)
    assert "Tracked" not in "".join(shown_by("fold", "--model", "tiny", "--fold", "0", *flags))
    monkeypatch.setattr(mlflow_store, "find_spec", lambda _: None)
    monkeypatch.setattr("models.train.train_folds.run_jobs", lambda *_, **__: pytest.fail("trained"))
    for command in (["train", "--models", "tiny"], ["fold", "--model", "tiny", "--fold", "0"], ["compare"]):
        (line,) = shown_by(*command, *flags, code=2)
        assert line.startswith("Error: --track mlflow needs MLflow, which is not installed. Run 'pip install")


def test_a_tracker_that_fails_stops_no_training(trained, monkeypatch) -> None:
    def gone(*_: object) -> set[str]:
        raise UserError("No server.")

    monkeypatch.setattr(MlflowStore, "known", gone)
    with pytest.raises(UserError, match=r"No server\. All results are in "), tracked(trained, "mlflow") as keep:
        train_folds(trained, ModelRequest("tiny"), 1, restart=True, keep=keep)
    assert store_of(trained).folds_of("tiny") == list(range(K))
