import shlex
import shutil
from dataclasses import replace
from pathlib import Path

from competition.workspace import Workspace
from models.cluster.steps import Training, lines_of
from models.runs.model_recipe import ModelRequest
from models.train.train_folds import train_folds
from tests.conftest import K
from tests.models import samples
from tests.models.cluster.samples import training_of


def shape_of(training: Training) -> list[list[list[str]]]:
    return [[[str(step) for step in stage] for stage in stages] for stages in training.stages()]


def test_what_folds_share_comes_first_and_each_seed_is_a_step(workspace: Workspace) -> None:
    assert shape_of(training_of(workspace, "one")) == [[["one prepare"], [f"one fold {fold}" for fold in range(K)]]]
    (stages,) = shape_of(training_of(workspace, "two", seeds=2))
    assert stages[1] == [f"two fold {fold} seed {seed}" for fold in range(K) for seed in range(2)]
    assert stages[2] == [f"two fold {fold}" for fold in range(K)]


def test_heads_on_features_are_one_step_without_a_gpu(workspace: Workspace, tiny_net, tiny_weights) -> None:
    values = samples.frozen(tiny_weights, **samples.TINY, backbone=tiny_net, seeds=3)
    (stages,) = Training(workspace, (ModelRequest("baseline", "head", values),)).stages()
    assert [[str(step) for step in stage] for stage in stages] == [["head prepare"], ["head"]]
    assert [stage[0].pixels for stage in stages] == [True, False]
    assert stages[-1][0].folds == tuple(range(K))


def test_folds_that_are_done_are_no_steps(trained: Workspace) -> None:
    again = Training(trained, (ModelRequest("tiny"),))
    assert shape_of(again) == []
    (trained.runs / "tiny" / "fold1" / "scores.json").unlink()
    assert shape_of(again) == [[["tiny prepare"], ["tiny fold 1"]]]


def test_lines_are_commands_in_stages_that_begin_again_once(workspace: Workspace, tmp_path: Path) -> None:
    odd = tmp_path / "my friend's recipes.toml"
    odd.touch()
    training = training_of(workspace, "one", seeds=2, restart=True, no_test=True, skip_broken=True)
    training = replace(training, requests=(replace(training.requests[0], recipes=odd),))
    lines = list(lines_of(training))
    commands = [shlex.split(line) for line in lines if not line.startswith("#")]
    assert sum(line.startswith("# Stage") for line in lines) == 3
    assert len(commands) == 1 + 2 * K + K
    assert ["--restart" in command for command in commands] == [True, *[False] * (3 * K)]
    for command in commands:
        assert command[:2] == ["python", "run.py"]
        assert command[command.index("--recipes") + 1] == str(odd)
        assert {"--no-test", "--skip-broken"} <= {*command}


def test_showing_lines_begins_nothing(trained: Workspace) -> None:
    before = {path: path.stat().st_mtime_ns for path in trained.root.rglob("*")}
    assert len(list(lines_of(Training(trained, (ModelRequest("tiny"),), restart=True)))) == 2 + 1 + K
    assert {path: path.stat().st_mtime_ns for path in trained.root.rglob("*")} == before


def test_folds_that_a_restart_holds_up_come_after_it(trained: Workspace, monkeypatch) -> None:
    for fold in (1, 2):
        shutil.rmtree(trained.runs / f"tiny/fold{fold}")
    with monkeypatch.context() as killed:
        killed.setattr("models.train.train_folds.run_jobs", lambda *_, **__: None)
        train_folds(trained, ModelRequest("tiny", overrides={"epochs": 1, "seeds": 2}), 0, restart=True)
    training, seeds = Training(trained, (ModelRequest("tiny"),)), (0, 1)
    assert shape_of(training) == [
        [
            ["tiny prepare"],
            [f"tiny fold 0 seed {seed}" for seed in seeds],
            ["tiny fold 0"],
            [f"tiny fold {fold} seed {seed}" for fold in (1, 2) for seed in seeds],
            ["tiny fold 1", "tiny fold 2"],
        ]
    ]
    assert sum(line.startswith("# Stage") for line in lines_of(training)) == 5
    train_folds(trained, ModelRequest("tiny"), 0)
    assert shape_of(training)[0][2:] == [["tiny fold 1", "tiny fold 2"]]
