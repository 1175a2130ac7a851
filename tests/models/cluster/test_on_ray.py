"""Training by tasks: the same scores as by one process, whatever is lost on the way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.spec.load import load
from competition.workspace import Workspace
from models.cluster import on_ray
from models.cluster.on_ray import train_on_ray
from models.cluster.steps import Step, Training
from models.runs.model_recipe import ModelRequest
from models.train.train_folds import train_models
from tests.benchmarks.bench_cluster import differing, train_with_kills, workspace_in
from tests.cluster_in_process import InProcess, in_process
from tests.conftest import K
from tests.models.cluster.samples import VALUES, training_of

ROOT = Path(__file__).parents[3]


def copied(workspace: Workspace, root: Path) -> Workspace:
    shutil.copytree(workspace.root, root)
    return Workspace(root, workspace.competition)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 2])
def test_tasks_make_the_scores_of_one_process(
    workspace: Workspace, tmp_path: Path, monkeypatch, capsys, seeds: int
) -> None:
    alone = copied(workspace, tmp_path / "alone")
    train_models(alone, training_of(alone, "one", seeds=seeds).requests)
    training, kept = training_of(workspace, "one", seeds=seeds), list[str]()
    with in_process(monkeypatch, on_ray, ray := InProcess()):
        assert train_on_ray(training, keep=kept.append)
        assert len(ray.asked) == 1 + K + (K * seeds if seeds > 1 else 0)
        assert train_on_ray(training)  # of what is done there is nothing to do
        assert len(ray.asked) == 1 + K + (K * seeds if seeds > 1 else 0)
    assert kept == ["one"] * (K + 1)
    said = capsys.readouterr().out
    assert all(f"'one' fold {fold}: held-out" in said for fold in range(K))
    assert differing(alone, workspace) == (2 * K, 0)


@pytest.mark.slow
def test_a_restart_makes_all_again(trained: Workspace, monkeypatch) -> None:
    before = {path: path.stat().st_ino for path in trained.runs.glob("tiny/fold*/network.weights.h5")}
    with in_process(monkeypatch, on_ray, InProcess()):
        assert train_on_ray(Training(trained, (ModelRequest("tiny"),), restart=True))
    assert all(path.stat().st_ino != inode for path, inode in before.items())
    assert not trained.restarted.runs.exists()


@pytest.mark.slow
def test_a_model_that_fails_is_told_in_one_line_and_others_go_on(trained: Workspace, monkeypatch, capsys) -> None:
    (trained.runs / "tiny" / "fold1" / "scores.json").unlink()
    bad = ModelRequest("baseline", "bad", {**VALUES, "backbone": "NoNet"})
    both = Training(trained, (bad, ModelRequest("tiny")), no_test=True)
    with in_process(monkeypatch, on_ray, InProcess()), pytest.raises(UserError, match="Unknown backbone 'NoNet'"):
        train_on_ray(both)
    assert capsys.readouterr().err.count("NoNet") == 1
    assert (trained.runs / "tiny" / "fold1" / "scores.json").is_file()
    assert not (trained.runs / "bad").exists()


@pytest.mark.slow
def test_a_cluster_that_loses_machines_makes_the_same_scores(tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path)
    sequential = copied(workspace, tmp_path / "sequential")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    flags = ["--input-size", "32", "--batch-size", "32", "--epochs", "12", "--patience", "0", "--seed", "0"]
    where = ["--workspace", str(sequential.root), "-q"]
    command = [sys.executable, "run.py", "train", "--models", "baseline", "--name", "m0", *flags, *where]
    subprocess.run(command, check=True, cwd=ROOT, env=env)
    seen = train_with_kills(Workspace(workspace.root, load("planet")), 1, 3)
    assert seen["whole"]
    assert seen["kills"] == 3
    assert seen["again"] == 0
    assert differing(sequential, workspace) == (2 * 3, 0)


def test_tasks_are_told_by_what_they_do() -> None:
    request = ModelRequest("baseline", "one")
    steps = [Step(request, prepares=True), *(Step(request, fold, folds=(fold,)) for fold in range(3))]
    assert on_ray._in_words(steps) == "1 task to prepare what they share, then 3 tasks to train and score"
