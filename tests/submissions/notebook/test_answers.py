"""What a notebook writes: at the end what the blend wrote, and before that something valid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _pytest.mark import ParameterSet

from competition.common.errors import UserError
from competition.spec.competition import Competition
from competition.tables.sample import SampleSubmission
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.notebook.answers import Answers, write_answers
from submissions.notebook.known import Known, known_of
from submissions.notebook.plan import plan_of
from submissions.submit.validate import validate_submission
from submissions.submit.write import write_decided
from tests.submissions.samples import add_model, blend_of, draw_truth, make_workspace, one_hot


def said_by(workspace: Workspace, models: str, most: int | None = None) -> dict[str, Known]:
    """Return what some models of a workspace have said of the first chips."""
    said = known_of(workspace, tuple(models))
    for known in said.values():
        known.counts[most or len(known.counts) :] = 0
        for scores in known.folds.values():
            scores[known.counts == 0] = np.nan
    return said


def answers_of(name: str, workspace: Workspace, folder: Path) -> Answers:
    plan = plan_of(name, workspace)
    folder.mkdir()
    values = {key: getattr(plan, key) for key in ("tree", "rule", "models", "shares", "constant")}
    write_answers(folder, workspace.competition, values)
    return Answers.read(folder)


def written_by(workspace: Workspace, name: str, members: Sequence[str], **options: Any) -> bytes:
    """Return the submission that a new blend writes."""
    blend = blend_of(name, members, workspace, **options)
    report = write_decided(blend.test, blend.evaluation.fitted, workspace, blend.provenance)
    return report.path.read_bytes()


def noted(answers: Answers, workspace: Workspace, path: Path, said: dict[str, Known]) -> bytes:
    answers.write(path, workspace.sample, said)
    return path.read_bytes()


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> Workspace:
    """A workspace with the models "a" and "b", and "c" that scores some labels only. Blends are added."""
    workspace = make_workspace(tmp_path_factory.mktemp("three"))
    labels = workspace.competition.labels
    add_model(ScoreStore.of(workspace), "c", workspace.labelled.truth, 5, scored=labels[3:6])
    return workspace


def slow(way: dict[str, object]) -> ParameterSet:
    """Return a way of blending that is fitted for seconds."""
    return pytest.param(way, marks=pytest.mark.slow)


WAYS = [
    {"method": "mean", "rule": "fixed"},
    slow({"method": "mean", "rule": "expected", "exclusive": False}),
    slow({"method": "logit", "rule": "structured", "calibration": "beta"}),
    {"method": "geometric", "rule": "expected", "calibration": "isotonic", "exclusive": False},
    {"method": "vote", "rule": "per-label", "exclusive": False},
    {"method": "vote", "rule": "fixed", "union": ["blow_down"]},
    {"method": "rank", "rule": "shrunk"},
    {"method": "greedy", "rule": "uniform", "union": ["blow_down"]},
    {"method": "log-loss-by-label", "rule": "fixed", "alone": True},
    slow({"method": "optuna", "rule": "optuna"}),
    {"method": "ridge", "rule": "uniform", "extras": ["groups", "entropy", "spread"]},
    slow({"method": "logistic", "rule": "uniform", "extras": ["neighbours"]}),
    slow({"method": "lightgbm", "rule": "fixed"}),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: f"{way['method']}-{way['rule']}")
def test_a_notebook_writes_the_bytes_that_the_blend_wrote(three: Workspace, tmp_path: Path, way: dict) -> None:
    expected = written_by(three, "blend", ["a", "b", "c"], **way)
    answers = answers_of("blend", three, tmp_path / "data")
    said = said_by(three, "".join(answers.models))
    assert noted(answers, three, tmp_path / "submission.csv", said) == expected


def test_blends_of_blends_are_made_down_to_their_models(three: Workspace, tmp_path: Path) -> None:
    written_by(three, "inner", ["a", "c"], method="vote", union=["blow_down"])
    expected = written_by(three, "outer", ["inner", "b"], method="geometric")
    answers = answers_of("outer", three, tmp_path / "data")
    assert set(answers.models) == set("abc")
    assert noted(answers, three, tmp_path / "s.csv", said_by(three, "abc")) == expected


@pytest.mark.parametrize("method", ["mean", "vote", "ridge", "rank", "log-loss"])
def test_what_is_known_so_far_is_a_valid_submission(three: Workspace, tmp_path: Path, method: str) -> None:
    written_by(three, "blend", ["a", "b", "c"], method=method)
    answers, path = answers_of("blend", three, tmp_path / "data"), tmp_path / "s.csv"
    versions = []
    for said in (
        {},
        said_by(three, "a", 11),
        said_by(three, "c", 20),
        {**said_by(three, "a"), **said_by(three, "b", 7)},
    ):
        versions.append(noted(answers, three, path, said))
        report = validate_submission(path, three.competition, three.sample, exclusive=True)
        assert report.is_valid, report.text()
    assert versions[2] == versions[0]  # of a specialist alone nothing can be said
    assert len(set(versions)) == 3
    rows = [text.splitlines() for text in versions]
    assert rows[1][12:] == rows[0][12:]  # not scored yet


def test_chips_that_cannot_be_read_are_answered_as_in_training(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, models=["a"])
    left_out = workspace.test_names[3:5]
    truth = workspace.labelled.truth
    add_model(ScoreStore.of(workspace), "b", truth, 7, left_out=left_out, test_left_out=left_out)
    expected = written_by(workspace, "blend", ["a", "b"])
    answers = answers_of("blend", workspace, tmp_path / "data")
    said = said_by(workspace, "ab")
    assert noted(answers, workspace, tmp_path / "s.csv", said) == expected


def test_other_chips_than_the_known_ones_are_answered(three: Workspace, tmp_path: Path) -> None:
    written_by(three, "blend", ["a", "b"])
    answers = answers_of("blend", three, tmp_path / "data")
    sample = SampleSubmission(("hidden_1", "hidden_2"), three.sample.columns)
    answers.write(tmp_path / "s.csv", sample, {})
    assert [line.split(",")[0] for line in (tmp_path / "s.csv").read_text().splitlines()[1:]] == [
        "hidden_1",
        "hidden_2",
    ]


@pytest.mark.parametrize("name", ["notebook.json", "competition.json", "arrays.npz"])
def test_what_is_damaged_on_the_way_is_named(three: Workspace, tmp_path: Path, name: str) -> None:
    blend_of("blend", ["a", "b"], three)
    answers_of("blend", three, tmp_path / "data")
    path = tmp_path / "data" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(UserError, match=rf"{name} (is damaged|is missing or was changed)"):
        Answers.read(tmp_path / "data")


@pytest.mark.parametrize("rule", ["plain", "calibrated"])
def test_where_scores_are_judged_scores_are_written(tmp_path: Path, rule: str) -> None:
    changed = {"metric": {"name": "log_loss", "average": "macro"}, "submission": {"kind": "scores"}}
    competition = Competition.model_validate({**one_hot(tmp_path).model_dump(), **changed})
    workspace = make_workspace(tmp_path, competition=competition)
    expected = written_by(workspace, "blend", ["a", "b"], rule=rule, exclusive=False)
    answers = answers_of("blend", workspace, tmp_path / "data")
    said = said_by(workspace, "ab")
    assert noted(answers, workspace, tmp_path / "s.csv", said) == expected
    np.testing.assert_allclose(answers.constant, draw_truth(competition, 300).mean(axis=0), rtol=1e-6)
