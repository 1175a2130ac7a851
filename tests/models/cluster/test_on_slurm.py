"""Slurm's side is played by programs of its commands' names, which write down what they are given."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import click
import pytest
from submitit.core.utils import DelayedSubmission

from competition.common.errors import FLAGS, UserError
from competition.common.locks import BusyError
from competition.workspace import Workspace
from models.cluster.on_slurm import train_on_slurm
from models.cluster.steps import Training
from models.runs.model_recipe import ModelRequest
from models.train.train_folds import train_models
from tests.benchmarks.bench_cluster import differing
from tests.conftest import K
from tests.models import samples
from tests.models.cluster.samples import training_of
from tests.models.cluster.test_on_ray import ROOT, copied


@pytest.fixture
def sbatch(tmp_path, monkeypatch) -> Path:
    """A folder with what was handed to `sbatch`, in files by the number of the job."""
    handed = tmp_path / "handed"
    handed.mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    queue = tmp_path / "queue"
    queue.touch()
    count = f'n=$(ls {handed} | wc -l); n=$((n + 100)); cp "$1" {handed}/$n; echo "Submitted batch job $n"'
    for name, does in {"sbatch": count, "srun": "exit 1", "sacct": "exit 0", "squeue": f"cat {queue}"}.items():
        path = programs / name
        path.write_text(f"#!/bin/sh\n{does}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return handed


def test_each_stage_is_an_array_that_waits_for_the_one_before(workspace: Workspace, sbatch: Path) -> None:
    jobs = train_on_slurm(training_of(workspace, "one", "two", seeds=2), cpus=2, asked="partition=gpu,time=60")
    assert len(jobs) == 2 * (1 + 2 * K + K)
    handed = [path.read_text() for path in sorted(sbatch.iterdir())]
    assert len(handed) == 6
    waits = [re.findall(r"--dependency=(\S+)", text) for text in handed]
    assert waits == [[], ["afterok:100"], ["afterok:101"], [], ["afterok:103"], ["afterok:104"]]
    for text in handed:
        assert "--partition=gpu" in text
        assert "--time=60" in text
        assert "--cpus-per-task=2" in text
    assert [re.findall(r"--array=0-(\d+)", text) for text in handed[:3]] == [[], [str(2 * K - 1)], [str(K - 1)]]


def names_of(sbatch: Path) -> list[str]:
    """Return the names of the jobs that were handed over, each behind its number, as `squeue` lists them."""
    found = ((path.name, re.search(r"--job-name=(\S+)", path.read_text())) for path in sorted(sbatch.iterdir()))
    return [f"{number} {name[1]}" for number, name in found if name]


def test_what_is_in_the_queue_is_not_handed_over_twice(workspace: Workspace, sbatch: Path, capsys) -> None:
    queue = sbatch.parent / "queue"
    train_on_slurm(training_of(workspace, "one"))
    queue.write_text("\n".join([*names_of(sbatch), "99 two-01234567-train", "98 bash"]))  # of other workspaces
    assert len(train_on_slurm(training_of(workspace, "one", "two"))) == 1 + K
    assert (
        "'one' is in Slurm's queue already: 2 jobs, 100, 101. It is not handed over again." in capsys.readouterr().out
    )
    assert [name.split()[1].rsplit("-", 2)[0] for name in names_of(sbatch)] == ["one", "one", "two", "two"]
    with pytest.raises(BusyError, match=r"'one' is in Slurm's queue already.* by 'scancel 100 101'"):
        train_on_slurm(training_of(workspace, "one", restart=True))
    queue.write_text("")  # they have ended, whatever came of them
    assert len(train_on_slurm(training_of(workspace, "one"))) == 1 + K
    assert len(list(sbatch.iterdir())) == 6


def test_what_was_handed_over_long_ago_is_removed_and_its_logs_are_not(workspace: Workspace, sbatch: Path) -> None:
    train_on_slurm(training_of(workspace, "one"))
    old = {path.name for path in workspace.slurm.iterdir()}
    (workspace.slurm / "100_0_log.out").touch()
    for path in workspace.slurm.iterdir():
        os.utime(path, (1e9, 1e9), follow_symlinks=False)
    train_on_slurm(training_of(workspace, "two"))
    now = {path.name for path in workspace.slurm.iterdir()}
    assert old
    assert (old & now, "100_0_log.out" in now) == (set(), True)


def test_a_job_computes_with_as_many_threads_as_this_machine(workspace: Workspace, sbatch: Path, monkeypatch) -> None:
    monkeypatch.setenv("PLANET_THREADS", "3")
    train_on_slurm(training_of(workspace, "one"))
    pickles = list(workspace.slurm.glob("*_submitted.pkl"))
    assert len(pickles) == 1 + K
    commands = [DelayedSubmission.load(path).function.command for path in pickles]
    assert all(command[command.index("--threads") + 1] == "3" for command in commands)


@pytest.mark.parametrize("gpus", ["gpus_per_node=1", "gres=gpu:a100:1"])
def test_what_learns_from_features_asks_for_no_gpu(
    gpus: str, workspace: Workspace, sbatch: Path, tiny_net, tiny_weights
) -> None:
    values = samples.frozen(tiny_weights, **samples.TINY, backbone=tiny_net)
    training = Training(workspace, (ModelRequest("baseline", "head", values),))
    train_on_slurm(training, asked=f"{gpus},partition=long")
    prepare, heads = (path.read_text() for path in sorted(sbatch.iterdir()))
    assert gpus.replace("_", "-") in prepare
    assert "gpu" not in heads
    assert "--partition=long" in heads


def test_no_secret_of_the_environment_is_written(workspace: Workspace, sbatch: Path, monkeypatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "not-to-be-seen")
    train_on_slurm(training_of(workspace, "one"))
    assert all(b"not-to-be-seen" not in path.read_bytes() for path in (workspace.slurm).rglob("*.pkl"))


@pytest.mark.parametrize("asked", ["gpu", "dependency=afterok:1", "no_such=1"])
def test_what_slurm_does_not_take_is_refused(workspace: Workspace, sbatch: Path, asked: str) -> None:
    with pytest.raises(UserError, match="--slurm"):
        train_on_slurm(training_of(workspace, "one"), asked=asked)
    assert not list(sbatch.iterdir())


def test_without_slurm_one_line_names_the_other_way(workspace: Workspace, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="--print-jobs"):
        train_on_slurm(training_of(workspace, "one"))


@pytest.mark.slow
def test_its_jobs_make_the_scores_of_one_process(workspace: Workspace, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    alone = copied(workspace, tmp_path / "alone")
    train_models(alone, training_of(alone, "one", seeds=2).requests)
    with click.Context(click.Command("train")) as context:
        context.meta[FLAGS] = ["--workspace", str(workspace.root)]
        train_on_slurm(training_of(workspace, "one", seeds=2), executor="local")
    assert differing(alone, workspace) == (2 * K, 0)
