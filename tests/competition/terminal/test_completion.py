"""Completion: of verbs, flags and names, as shells ask for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from run import main


def completed(*words: str) -> list[str]:
    *before, begun = words
    found = BashComplete(main, {}, "planet", "_PLANET_COMPLETE").get_completions(before, begun)
    return [item.value for item in found]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("runs/resnet50", "runs/.hidden", "runs/densenet121", "blends/best", "other/runs/elsewhere"):
        (tmp_path / "workspace" / name).mkdir(parents=True)
    (tmp_path / "workspace" / "submissions").mkdir()
    (tmp_path / "workspace" / "submissions" / "first.csv").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path / "workspace"


def test_verbs_and_flags_are_completed() -> None:
    assert completed("thr") == ["thresholds"]
    assert "--rare-boost" in completed("data", "simulate", "--ra")


def test_names_are_those_of_the_workspace(workspace: Path) -> None:
    assert completed("thresholds", "--model", "") == ["best", "densenet121", "resnet50"]
    assert completed("predict", "--model", "r") == ["resnet50"]
    assert completed("submit", "") == ["first"]
    assert completed("predict", "--workspace", str(workspace / "other"), "--model", "") == ["elsewhere"]


def test_nothing_runs_while_words_are_completed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--workspace" in completed("status", "-v", "--json", "--w")
    assert capsys.readouterr() == ("", "")


def test_the_last_of_several_names_is_completed(workspace: Path) -> None:
    assert completed("blend", "--members", "resnet50,b") == ["resnet50,best"]


def test_what_the_toolkit_brings_is_known_too(workspace: Path) -> None:
    assert {"resnet50", "densenet121"} <= set(completed("train", "--models", ""))
    assert completed("status", "--competition", "planet") == ["planet"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how(shell: str) -> None:
    shown = CliRunner().invoke(main, ["completion", shell])
    assert "_PLANET_COMPLETE" in shown.output
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=shown.output, text=True, check=True)


def test_completing_imports_nothing_heavy() -> None:
    code = "import sys; from tests.competition.terminal.test_completion import completed; completed('train', '--ep'); "
    heavy = "print(sorted({'keras', 'pandas', 'numpy', 'pydantic'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code + heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
