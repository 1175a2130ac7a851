"""A report of all of Planet's labelled chips."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from competition.data.prepare import prepare
from competition.spec.load import load
from competition.workspace import Workspace
from folds.dealing.table import make_table
from folds.store.score_store import ScoreStore
from submissions.report.page import FILE
from tests.submissions.samples import add_model

ROOT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("PLANET_SHARED_DATA", ROOT.parent / "shared" / "data"))
# Of a process, the system keeps the most memory since it began to run this: what `resource` says of a child may be what
# its parent had.
MEASURED = """
import sys
from pathlib import Path
import run
run.main(sys.argv[1:], standalone_mode=False)
print(Path("/proc/self/status").read_text())
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SHARED / "planet32").is_dir(), reason=f"no real data in {SHARED}; set PLANET_SHARED_DATA"),
    pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the memory of a process is read from /proc"),
]


def test_a_report_of_four_models_of_36037_chips_is_small_and_takes_little_memory(tmp_path):
    workspace = Workspace(tmp_path / "workspace", load("planet"))
    prepare(workspace, SHARED / "planet32")
    labelled = workspace.labelled
    make_table(labelled.image_names, labelled.truth, k=5, seed=0).write(workspace.fold_table)
    for seed, model in enumerate("abcd"):
        add_model(ScoreStore.of(workspace), model, labelled.truth, seed)
    command = [sys.executable, "-c", MEASURED, "report", "--workspace", str(workspace.root)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (workspace.root / FILE).stat().st_size < 5_000_000
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert int(peak) < 1_500_000
