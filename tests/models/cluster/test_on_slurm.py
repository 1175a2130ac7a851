"""Slurm's side is played by programs of its commands' names, which write down what they are given."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import click
import pytest

from competition.common.errors import FLAGS, UserError
from competition.workspace import Workspace
from models.cluster.on_slurm import LOGS, train_on_slurm
from models.train.train_folds import train_models
from tests.benchmarks.bench_cluster import differing
from tests.conftest import K
from tests.models.cluster.samples import training_of
from tests.models.cluster.test_on_ray import ROOT, copied


@pytest.fixture
def sbatch(tmp_path, monkeypatch) -> Path:
    """A folder with what was handed to `sbatch`, in files by the number of the job."""
    handed = tmp_path / "handed"
    handed.mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    count = f'n=$(ls {handed} | wc -l); n=$((n + 100)); cp "$1" {handed}/$n; echo "Submitted batch job $n"'
    for name, does in {"sbatch": count, "srun": "exit 1", "sacct": "exit 0"}.items():
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


def test_no_secret_of_the_environment_is_written(workspace: Workspace, sbatch: Path, monkeypatch) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "not-to-be-seen")
    train_on_slurm(training_of(workspace, "one"))
    assert all(b"not-to-be-seen" not in path.read_bytes() for path in (workspace.root / LOGS).rglob("*.pkl"))


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
