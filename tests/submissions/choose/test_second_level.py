"""The verbs of the second level, as they are typed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from competition.workspace import Workspace
from run import main
from tests.submissions.samples import make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def run(workspace: Workspace, words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, [*shlex.split(words), "--workspace", str(workspace.root)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def test_a_comparison_ends_with_the_command_that_submits_its_choice(workspace: Workspace) -> None:
    shown = run(
        workspace,
        "compare --methods mean,ridge --cuts expected --calibration beta --extras entropy --public 0.34 --top 3",
    )
    assert "Shake-up: 1,000 random splits, 34% of the chips public" in shown
    assert "Next: python run.py blend --auto --members a,b --name best --extras entropy --calibration beta" in shown
    assert shown.count(" alone, ") >= 1


def test_the_automatic_choice_becomes_a_valid_submission(workspace: Workspace) -> None:
    shown = run(workspace, "blend --auto --members a,b --name best --trials 3")
    assert "Chosen: " in shown
    assert "--one-weather asks for it" in shown
    recipe = json.loads((workspace.submissions / "best.json").read_text())
    assert recipe["exclusive"] is False
    assert "valid" in run(workspace, "validate best")
    bound = run(workspace, "blend --auto --one-weather --members a,b --name bound --trials 3")
    assert "--any-weather allows several" in bound
    assert json.loads((workspace.submissions / "bound.json").read_text())["exclusive"] is True


@pytest.mark.parametrize(
    "how", ["--method ridge --cuts structured", "--method greedy --cuts shrunk", "--method optuna --cuts expected"]
)
def test_any_method_with_any_rule_becomes_a_submission(workspace: Workspace, how: str) -> None:
    run(workspace, f"blend --members a,b --name x --trials 3 {how}")
    method, rule = how.split()[1::2]
    recipe = json.loads((workspace.submissions / "x.json").read_text())
    assert (recipe["method"], recipe["rule"]) == (method, rule)
    assert "x.csv" in run(workspace, "validate x")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("blend --auto --method mean --members a,b --name x", "--auto chooses the method and the cuts"),
        ("blend --members a,b --name x --method vote --cuts expected", "A vote is by its members' cuts"),
        ("blend --members a,b --name x --extras wether", "Unknown extra column 'wether'"),
        ("compare --methods meen", "Unknown method of blending 'meen'"),
        ("compare --cuts best", "Unknown decision rule 'best'"),
        ("compare --members a,c", "Unknown model or blend 'c'"),
        ("scores import none.csv --name x", "No file none.csv"),
        ("scores import none.txt --name x", "ends in .csv or .npz"),
        ("scores export c --output x.csv", "Unknown model or blend 'c'"),
        ("scores export a --output x.txt", "ends in .csv or .npz"),
    ],
)
def test_a_mistake_is_one_line(workspace: Workspace, words: str, line: str) -> None:
    shown = run(workspace, words, code=1)
    assert shown.startswith("Error: ")
    assert line in shown
    assert shown.count("\n") == 1


def test_scores_go_out_and_come_in(workspace: Workspace, tmp_path: Path) -> None:
    assert "scores of 340 chips" in run(workspace, f"scores export a --output {tmp_path / 'a.npz'}")
    shown = run(workspace, f"scores import {tmp_path / 'a.npz'} --name theirs")
    assert "scores of 300 labelled chips, 40 others" in shown
    assert "Next: python run.py thresholds --model theirs" in shown
    assert "theirs alone, " in run(workspace, "compare --methods none --cuts fixed")
    assert "Next: python run.py blend --members theirs --name theirs-alone" in run(
        workspace, "thresholds --model theirs --trials 2"
    )
