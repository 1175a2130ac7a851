"""Entries say what they are without a tracker at hand."""

from __future__ import annotations

import subprocess
import sys


def test_what_describes_a_result_needs_no_tracker() -> None:
    script = (
        "import sys, competition.tracking.tracker, competition.tracking.flag;"
        "sys.exit(len({'mlflow', 'keras', 'tensorboardX'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
