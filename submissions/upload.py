"""Bringing a submission to Kaggle. For now by hand: the exact command."""

from __future__ import annotations

import shlex
from pathlib import Path

from competition.spec import Competition


def kaggle_command(path: Path, competition: Competition, message: str) -> str:
    """Return the command that submits `path`, quoted for a shell."""
    return shlex.join(["kaggle", "competitions", "submit", "-c", competition.slug, "-f", str(path), "-m", message])
