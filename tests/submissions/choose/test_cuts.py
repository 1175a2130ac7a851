"""Cuts of one model, kept while they fit."""

import json
from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.score_store import ScoreStore
from folds.scores import Scores
from submissions.choose.cuts import cuts_of, make_cuts, read_cuts
from submissions.choose.report import cuts_text
from submissions.members.members import load_member
from tests.submissions.samples import add_model, blend_of, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def read(name: str, workspace: Workspace) -> list[float]:
    member = load_member(name, workspace, ScoreStore.of(workspace))
    return read_cuts(member.folder, name, member.oof, workspace.competition).tolist()


def test_cuts_are_kept_beside_the_scores_by_label(workspace: Workspace) -> None:
    made = make_cuts("a", workspace, trials=5)
    assert made.path == workspace.runs / "a" / "cuts.json"
    content = json.loads(made.path.read_text())
    assert list(content["cuts"]) == list(workspace.competition.labels)
    assert [each["name"] for each in content["figures"]] == [
        "fixed 0.2",
        "fixed 0.5",
        "uniform",
        "shrunk",
        "per-label",
        "optuna",
    ]
    assert read("a", workspace) == cuts_of("a", workspace).tolist() == made.cuts.tolist()
    assert cuts_of("b", workspace).tolist() == [0.2] * 17
    assert workspace.studies.is_file()
    text = cuts_text(made, workspace.competition)
    assert f"* {made.evaluations[made.rule].name}" in text
    assert "blow_down" in text


def test_a_blend_can_have_cuts(workspace: Workspace) -> None:
    blend_of("ab", ["a", "b"], workspace, cuts="fixed")
    assert make_cuts("ab", workspace, trials=5).path == workspace.blends / "ab" / "cuts.json"
    assert len(read("ab", workspace)) == 17


def test_cuts_of_other_scores_are_refused(workspace: Workspace) -> None:
    make_cuts("a", workspace, trials=5)
    add_model(ScoreStore.of(workspace), "a", workspace.labelled.truth, seed=9)
    fix = r"were made for other scores \(expected .{8}, received .{8}\). Run \"python run.py thresholds --model a\"."
    with pytest.raises(UserError, match=fix):
        read("a", workspace)
    make_cuts("a", workspace, trials=5)
    assert len(read("a", workspace)) == 17


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"metric": "macro F1"}, "were made for other metric"),
        ({"cuts": {"water": 0.2}}, "were made for other labels"),
        ({"format": 99}, "is damaged"),
    ],
)
def test_cuts_that_do_not_fit_are_refused(workspace: Workspace, change: dict[str, object], text: str) -> None:
    path = make_cuts("a", workspace, trials=5).path
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UserError, match=rf'{text}.*Run "python run.py thresholds --model a"'):
        read("a", workspace)


def test_missing_cuts_say_how_to_make_them(tmp_path: Path, workspace: Workspace) -> None:
    scores = Scores(("x",), np.zeros((1, 17), dtype=np.float32))
    with pytest.raises(UserError, match=r"'a' has no cuts yet. Run \"python run.py thresholds --model a\""):
        read_cuts(tmp_path, "a", scores, workspace.competition)
