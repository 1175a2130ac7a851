"""No damaged file is used in silence, and what the line advises mends it: a sample of `tests.faults.damage`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.conftest import store_of
from tests.faults.damage import damages
from tests.submissions.samples import make_workspace
from tests.test_chain import ROOT, run

FILES = (
    "runs/a/fold0/scores.json",
    "runs/a/fold0/heldout.npz",
    "blends/b/blend.json",
    "blends/b/test.npz",
    "folds.csv",
)
WAYS = ("half", "emptied", "zeroed", "flip 0", "flip 1", "flip 2")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with scores and a blend, as `submissions` knows them."""
    workspace = make_workspace(tmp_path_factory.mktemp("scored"), models=("a",), num_chips=40)
    run("folds", "--k", 3, "--seed", 0, "--workspace", workspace.root)
    assert store_of(workspace).folds_of("a") == [0, 1, 2]
    run("blend", "--members", "a", "--name", "b", "--rule", "fixed", "--workspace", workspace.root)
    return workspace.root


@pytest.mark.parametrize("name", FILES)
def test_damaged_scores_are_named_in_one_line(scored: Path, tmp_path: Path, name: str) -> None:
    member = "b" if name.startswith("blends") else "a"
    for way in WAYS:
        shutil.copytree(scored, tmp_path / "ws", dirs_exist_ok=True)
        damages(tmp_path / "ws" / name)[way]()
        shown = run("scores", "export", member, "--output", tmp_path / "x.npz", "--workspace", tmp_path / "ws", code=2)
        (line,) = (line for line in shown.splitlines() if line.startswith("Error: "))
        assert Path(name).name in line, (way, line)
        assert 'un "python run.py ' in line, (way, line)
        assert len(line) < 1500, way
        assert not (tmp_path / "x.npz").exists()


@pytest.mark.slow
def test_a_share_of_all_files_and_damages_is_as_it_should_be() -> None:
    share = os.environ.get("DAMAGE_SHARE", "0.02")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # pytest's own lets nobody else in, as whom what is unreadable is looked at
        command = [sys.executable, "-m", "tests.faults.damage", "--base", folder, "--share", share]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
