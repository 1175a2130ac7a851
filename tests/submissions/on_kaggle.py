"""Verbs run against our own Kaggle, with nothing secret in what they show or leave."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from competition.workspace import Workspace
from run import main
from tests.kaggle_server import KEY, SIGNATURE, TOKEN

SECRETS = (TOKEN, KEY, SIGNATURE, "blob-token")


def run(workspace: Workspace, *arguments: str, code: int = 0) -> str:
    """Run a verb and return what it prints; nothing secret is in that, nor in what is kept of notebooks."""
    command = [*arguments, "--workspace", str(workspace.root)]
    done = CliRunner().invoke(main, command, catch_exceptions=False)
    assert done.exit_code == code, done.output
    assert not [secret for secret in SECRETS if secret in done.output]
    check_no_secret_in(workspace.notebooks)
    return done.output


def check_no_secret_in(folder: Path) -> None:
    for path in folder.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        assert not [secret for secret in SECRETS if secret.encode() in content], path
