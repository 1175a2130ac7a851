"""Cuts of one model, kept while they fit."""

import json
from pathlib import Path

import optuna
import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.choose.cuts import cuts_of, make_cuts, read_cuts
from submissions.members.members import load_member
from tests.submissions.samples import add_model, blend_of, make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def read(name: str, workspace: Workspace) -> list[float]:
    member = load_member(name, workspace, ScoreStore.of(workspace))
    return read_cuts(member, workspace.competition).tolist()


def test_cuts_are_kept_beside_the_scores_by_label(workspace: Workspace) -> None:
    chosen = make_cuts("a", workspace, trials=5)
    assert chosen.path == workspace.runs / "a" / "cuts.json"
    content = json.loads(chosen.path.read_text())
    assert list(content["cuts"]) == list(workspace.competition.labels)
    assert len(content["figures"]) == 6
    assert content["rule"] == chosen.rule
    assert read("a", workspace) == cuts_of("a", workspace).tolist() == chosen.cuts.tolist()
    assert cuts_of("b", workspace).tolist() == [0.2] * 17
    assert workspace.studies.is_file()
    text = chosen.text()
    assert f"* {chosen.evaluations[chosen.rule].name}" in text
    assert "blow_down" in text


def test_a_blend_can_have_cuts(workspace: Workspace) -> None:
    blend_of("ab", ["a", "b"], workspace, rule="fixed")
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
        ({"format": 99}, "was written by another version"),
        ({"cuts": {"water": 2}}, "is damaged: a cut is not in"),
    ],
)
def test_cuts_that_do_not_fit_are_refused(workspace: Workspace, change: dict[str, object], text: str) -> None:
    path = make_cuts("a", workspace, trials=5).path
    content = json.loads(path.read_text())
    del content["digest"]  # as of someone who knows what he does
    path.write_text(json.dumps({**content, **change}))
    with pytest.raises(UserError, match=rf'{text}.*Run "python run.py thresholds --model a"'):
        read("a", workspace)


def test_missing_cuts_say_how_to_make_them(workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"'a' has no cuts yet. Run \"python run.py thresholds --model a\""):
        read("a", workspace)


def test_cuts_of_an_earlier_version_are_read(workspace: Workspace) -> None:
    path = make_cuts("a", workspace, trials=5).path
    before = read("a", workspace)
    content = json.loads(path.read_text())
    del content["digest"]  # which records did not carry
    path.write_text(json.dumps(content))
    assert read("a", workspace) == before


def test_all_rules_are_compared_with_the_prior_cut(workspace: Workspace) -> None:
    chosen = make_cuts("a", workspace, trials=10)
    figures = chosen.evaluations
    assert [evaluation.name for evaluation in figures.values()] == [
        "fixed 0.2",
        "fixed 0.5",
        "uniform",
        "shrunk",
        "per-label",
        "optuna",
    ]
    assert figures["fixed"].optimism == figures["fixed 0.5"].optimism == 0
    assert figures["per-label"].in_sample >= figures["uniform"].in_sample >= figures["fixed"].in_sample
    (study,) = optuna.get_all_study_summaries(f"sqlite:///{workspace.studies}")
    assert (study.study_name.split()[0], study.n_trials) == ("a", 10)  # only the cuts that will be used are kept
