"""The same again: one seed gives the same scores, blends and submissions, to the last bit.

Threads change nothing but networks that TensorFlow trains on pixels: it divides sums among them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHAIN = """
import dataclasses, hashlib, json, os, sys
from pathlib import Path
if sys.argv[3] != "all":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import keras
import numpy as np
from click.testing import CliRunner
import run
from competition.workspace import Workspace
from models.train.run_jobs import run_jobs
from tests.models import samples
from tests.conftest import K

keras.applications.TinyNet = samples.TinyNet
workspace = Workspace.open(sys.argv[1])
frozen = samples.frozen(sys.argv[2])
linear = {**frozen, "dense": (), "head_norm": "none"}
for name, values in {
    "pixels": {"augment": ("d4", "photometric"), "mixup": 0.2},
    "heads": {**frozen, "seeds": 2},
    "ridge": {**linear, "solver": "ridge"},
    "logistic": {**linear, "solver": "logistic"},
}.items():
    jobs = [samples.tiny_job(workspace, fold, **values) for fold in range(K)]
    run_jobs([dataclasses.replace(job, model=name) for job in jobs])
members = ("--members", "heads,ridge,logistic", "--workspace", str(workspace.root))
for arguments in (["auto", "--auto"], ["trees", "--method", "lightgbm"], ["weights", "--method", "optuna"]):
    done = CliRunner().invoke(run.main, ["blend", "--name", *arguments, "--trials", "20", *members])
    assert done.exit_code == 0, done.output
found = {}
for path in sorted([*workspace.runs.glob("*/fold*/*.npz"), *workspace.blends.glob("*/*.npz")]):
    with np.load(path, allow_pickle=False) as file:
        content = b"".join(np.ascontiguousarray(file[name]).tobytes() for name in sorted(file.files))
    found[str(path.relative_to(workspace.root))] = hashlib.sha256(content).hexdigest()
for path in sorted(workspace.submissions.glob("*.csv")):
    found[path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
print(json.dumps(found))
"""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def made(prepared: Path, weights: str, root: Path, cores: str = "all", **environment: str) -> dict[str, str]:
    """Return the digests of what the chain makes in a workspace of its own, by file."""
    shutil.copytree(prepared, root)
    command = [sys.executable, "-c", CHAIN, str(root), weights, cores]
    there = Path(__file__).parents[3]
    run = subprocess.run(
        command, cwd=there, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return dict(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.slow
def test_threads_hash_seed_and_locale_change_no_bit(prepared: Path, tiny_weights: str, tmp_path: Path) -> None:
    first = made(prepared, tiny_weights, tmp_path / "first")
    assert len(first) == 2 * 4 * 3 + 2 * 3 + 3
    assert made(prepared, tiny_weights, tmp_path / "again", PYTHONHASHSEED="7", LC_ALL="C") == first
    alone = made(prepared, tiny_weights, tmp_path / "alone", "one", **dict.fromkeys(THREADS, "1"))
    assert {path for path in first if alone[path] != first[path]} <= {path for path in first if "pixels" in path}
