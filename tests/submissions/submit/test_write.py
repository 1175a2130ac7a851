"""The submission writer."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.workspace import Workspace
from folds.scores import Scores
from submissions.decide.cut_rules import FixedRule
from submissions.decide.decisions import Obedient
from submissions.submit.provenance import read_provenance
from submissions.submit.validate import SubmissionReport, validate_submission
from submissions.submit.write import submission_path, write_decided, write_submission
from tests.submissions.samples import (
    NUM_TEST,
    draw_scores,
    draw_truth,
    ids_to_predict,
    make_workspace,
    one_hot,
    planet,
)

PLANET = planet()
NAMES = ids_to_predict()
DECISIONS = draw_truth(PLANET, NUM_TEST)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, models=())


@pytest.fixture
def path(workspace: Workspace) -> Path:
    return workspace.submissions / "ab.csv"


def write(path: Path, workspace: Workspace, decisions: NDArray[np.bool_] = DECISIONS) -> SubmissionReport:
    return write_submission(path, decisions, workspace, {"method": "mean"})


def content(path: Path) -> list[tuple[str, set[str]]]:
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert rows[0] == ["image_name", "tags"]
    return [(name, set(tags.split())) for name, tags in rows[1:]]


def expected(decisions: NDArray[np.bool_]) -> list[tuple[str, set[str]]]:
    rows = zip(NAMES, decisions, strict=True)
    return [(name, {PLANET.labels[i] for i in np.flatnonzero(row)}) for name, row in rows]


def test_every_chip_has_its_row_in_the_samples_order(path: Path, workspace: Workspace) -> None:
    report = write(path, workspace)
    assert content(path) == expected(DECISIONS)
    assert (report.path, report.num_rows) == (path, NUM_TEST)


def test_how_it_was_made_lies_beside_the_file_and_knows_it(path: Path, workspace: Workspace) -> None:
    write(path, workspace)
    provenance = read_provenance(path)
    assert provenance["method"] == "mean"
    assert provenance["sha256"] == digest_file(path)
    assert provenance["rows"] == NUM_TEST
    assert provenance["exclusive"] is True
    assert provenance["made"].endswith("+00:00")
    assert {file.name for file in path.parent.iterdir()} == {"ab.csv", "ab.json"}


@pytest.mark.parametrize("kind", ["empty", "two of a group"])
def test_what_is_not_valid_is_not_written_and_a_good_file_stays(path: Path, workspace: Workspace, kind: str) -> None:
    write(path, workspace)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    decisions = DECISIONS.copy()
    if kind == "empty":
        decisions[3], text = False, r"rows without a label: 1 \(line 5"
    else:
        decisions[3, [5, 6]], text = True, r"more than one of clear, cloudy.*: 1 \(line 5"
    with pytest.raises(UserError, match=rf"ab.csv is not a valid submission. .*{text}"):
        write(path, workspace, decisions)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_several_labels_of_a_group_are_written_where_asked_for(path: Path, workspace: Workspace) -> None:
    decisions = DECISIONS.copy()
    decisions[3, [5, 6]] = True
    write_submission(path, decisions, workspace, {}, exclusive=False)
    assert read_provenance(path)["exclusive"] is False
    assert not validate_submission(path, PLANET, NAMES).is_valid


def test_one_column_for_each_label_where_the_competition_has_such(tmp_path: Path) -> None:
    competition = one_hot(tmp_path)
    workspace = make_workspace(tmp_path, models=(), competition=competition)
    decisions = draw_truth(competition, NUM_TEST)
    decisions[~decisions.any(axis=1), 0] = True
    path = tmp_path / "s.csv"
    write_submission(path, decisions, workspace, {})
    header, *rows = path.read_text().splitlines()
    assert header == "id,sand,rock,kelp"
    assert rows == [
        f"{name},{','.join(map(str, row))}" for name, row in zip(NAMES, decisions.astype(int).tolist(), strict=True)
    ]


def test_decisions_must_fit_the_chips_to_predict(path: Path, workspace: Workspace) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        write(path, workspace, DECISIONS[:-1])
    with pytest.raises(ValueError, match="do not fit"):
        write(path, workspace, DECISIONS[:, :-1])


def by_cut(value: float) -> Obedient:
    return Obedient(FixedRule(value), PLANET).fit(draw_scores(draw_truth(PLANET, 10)), draw_truth(PLANET, 10))


def test_scores_become_a_valid_submission_of_the_workspace(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = draw_scores(draw_truth(PLANET, NUM_TEST))
    report = write_decided(Scores(NAMES, scores), by_cut(0.2), workspace, {"name": "ab"})
    assert report.path == workspace.submissions / "ab.csv" == submission_path("ab", workspace)
    assert report.is_valid
    assert capsys.readouterr().out == ""
    assert read_provenance(report.path)["without_scores"] == []
    water = PLANET.label_index["water"]
    assert report.shares[water] == (scores[:, water] >= np.float32(0.2)).mean()


def test_chips_without_scores_are_decided_by_label_shares_and_said(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = np.array([i not in (2, 30) for i in range(NUM_TEST)])
    names = tuple(name for name, keep in zip(NAMES, kept, strict=True) if keep)
    scores = draw_scores(draw_truth(PLANET, NUM_TEST))[kept]
    with pytest.raises(ValueError, match=rf"1 of {NUM_TEST} test chips have no scores: {NAMES[30]}\."):
        write_decided(Scores(names, scores), by_cut(0.26), workspace, {"name": "ab", "left_out": [NAMES[2]]})
    broken = {"name": "ab", "left_out": [NAMES[2], NAMES[30]]}
    report = write_decided(Scores(names, scores), by_cut(0.26), workspace, broken)
    share = workspace.labelled.truth.mean(axis=0)
    top = max(PLANET.exclusive[0], key=lambda label: share[PLANET.label_index[label]])
    group = set(PLANET.exclusive[0])
    ground = {label for label, part in zip(PLANET.labels, share, strict=True) if part >= 0.26} - group
    rows = dict(content(report.path))
    assert rows[NAMES[2]] == rows[NAMES[30]] == ground | {top}
    assert ground
    assert capsys.readouterr().out == (
        f"2 of {NUM_TEST} chips have no scores and are decided by the share of each label among the labelled chips: "
        f"{NAMES[2]}, {NAMES[30]}.\n"
    )
    assert json.loads(report.path.with_suffix(".json").read_text())["without_scores"] == [NAMES[2], NAMES[30]]
