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
from submissions.decide.decisions import Obedient
from submissions.decide.thresholds import FixedCut
from submissions.submit.validate import validate_submission
from submissions.submit.write import read_recipe, submission_path, write_decided, write_submission
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
def path(tmp_path: Path) -> Path:
    return tmp_path / "submissions" / "ab.csv"


def write(path: Path, names: tuple[str, ...] = NAMES, decisions: NDArray[np.bool_] = DECISIONS) -> None:
    write_submission(path, names, decisions, PLANET, NAMES, {"method": "mean"})


def content(path: Path) -> list[tuple[str, set[str]]]:
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert rows[0] == ["image_name", "tags"]
    return [(name, set(tags.split())) for name, tags in rows[1:]]


def expected(names: tuple[str, ...], decisions: NDArray[np.bool_]) -> dict[str, set[str]]:
    rows = zip(names, decisions, strict=True)
    return {name: {PLANET.labels[i] for i in np.flatnonzero(row)} for name, row in rows}


def test_rows_are_written_in_the_samples_order_whatever_theirs(path: Path) -> None:
    order = np.random.default_rng(0).permutation(NUM_TEST)
    names = tuple(NAMES[i] for i in order)
    write(path, names, DECISIONS[order])
    assert [name for name, _ in content(path)] == list(NAMES)
    assert dict(content(path)) == expected(NAMES, DECISIONS)


def test_the_recipe_lies_beside_the_file_and_knows_it(path: Path) -> None:
    write(path)
    recipe = read_recipe(path)
    assert recipe["method"] == "mean"
    assert recipe["sha256"] == digest_file(path)
    assert recipe["rows"] == NUM_TEST
    assert recipe["exclusive"] is True
    assert recipe["made"].endswith("+00:00")
    assert {each.name for each in path.parent.iterdir()} == {"ab.csv", "ab.json"}


@pytest.mark.parametrize("kind", ["missing", "extra", "repeated", "empty", "weather"])
def test_what_is_not_valid_is_not_written_and_a_good_file_stays(path: Path, kind: str) -> None:
    write(path)
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    names, decisions = NAMES, DECISIONS.copy()
    if kind == "missing":
        names, decisions, text = NAMES[:-1], decisions[:-1], rf"missing ids: 1 \({NAMES[-1]}\)"
    elif kind == "extra":
        names, decisions, text = (*NAMES, "new"), np.vstack([decisions, decisions[:1]]), r"not in the sample.*: 1 .*new"
    elif kind == "repeated":
        names, text = (NAMES[1], *NAMES[1:]), rf"repeated ids: 1 .*{NAMES[1]}"
    elif kind == "empty":
        decisions[3], text = False, r"rows without a label: 1 \(line 5"
    else:
        decisions[3, [5, 6]], text = True, r"more than one of clear, cloudy.*: 1 \(line 5"
    with pytest.raises(UserError, match=rf"ab.csv is not a valid submission. .*{text}"):
        write(path, names, decisions)
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


def test_several_weather_labels_are_written_where_asked_for(path: Path) -> None:
    decisions = DECISIONS.copy()
    decisions[3, [5, 6]] = True
    write_submission(path, NAMES, decisions, PLANET, NAMES, {}, exclusive=False)
    assert read_recipe(path)["exclusive"] is False
    assert not validate_submission(path, PLANET, NAMES).is_valid


def test_one_column_a_label_where_the_competition_has_such(tmp_path: Path) -> None:
    competition = one_hot(tmp_path)
    decisions = np.array([[True, False, True], [False, True, False]])
    path = tmp_path / "s.csv"
    write_submission(path, ["007", "8"], decisions, competition, ["8", "007"], {})
    assert path.read_text() == "id,sand,rock,kelp\n8,0,1,0\n007,1,0,1\n"


def test_decisions_must_fit_the_ids(path: Path) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        write(path, NAMES, DECISIONS[:-1])
    with pytest.raises(ValueError, match="do not fit"):
        write(path, NAMES, DECISIONS[:, :-1])


@pytest.mark.parametrize("change", ["file", "recipe"])
def test_a_file_that_was_changed_is_noticed(path: Path, change: str) -> None:
    write(path)
    (path if change == "file" else path.with_suffix(".json")).write_text("{}")
    with pytest.raises(UserError, match="was changed after it was written" if change == "file" else "is damaged"):
        read_recipe(path)


def test_a_file_of_other_making_has_no_recipe(path: Path) -> None:
    assert read_recipe(path) == {}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, models=())


def by_cut(value: float) -> Obedient:
    return Obedient(FixedCut(value), PLANET).fit(draw_scores(draw_truth(PLANET, 10)), draw_truth(PLANET, 10))


def test_scores_become_a_valid_submission_of_the_workspace(workspace: Workspace) -> None:
    scores = draw_scores(draw_truth(PLANET, NUM_TEST))
    report, notes = write_decided("ab", Scores(NAMES, scores), by_cut(0.2), workspace, {"method": "mean"})
    assert report.path == workspace.submissions / "ab.csv" == submission_path("ab", workspace)
    assert report.is_valid
    assert notes == []
    assert read_recipe(report.path)["without_scores"] == []
    water = PLANET.label_index["water"]
    assert report.shares[water] == (scores[:, water] >= np.float32(0.2)).mean()


def test_chips_without_scores_are_decided_by_label_shares_and_said(workspace: Workspace) -> None:
    kept = np.array([i not in (2, 30) for i in range(NUM_TEST)])
    names = tuple(name for name, keep in zip(NAMES, kept, strict=True) if keep)
    scores = draw_scores(draw_truth(PLANET, NUM_TEST))[kept]
    with pytest.raises(ValueError, match=rf"1 of {NUM_TEST} test chips have no scores: {NAMES[30]}\."):
        write_decided("ab", Scores(names, scores), by_cut(0.26), workspace, {"left_out": [NAMES[2]]})
    broken = {"left_out": [NAMES[2], NAMES[30]]}
    report, notes = write_decided("ab", Scores(names, scores), by_cut(0.26), workspace, broken)
    share = workspace.labelled.truth.mean(axis=0)
    top = max(PLANET.exclusive[0], key=lambda label: share[PLANET.label_index[label]])
    weather = set(PLANET.exclusive[0])
    ground = {label for label, part in zip(PLANET.labels, share, strict=True) if part >= 0.26} - weather
    rows = dict(content(report.path))
    assert rows[NAMES[2]] == rows[NAMES[30]] == ground | {top}
    assert ground
    assert notes == [
        f"2 of {NUM_TEST} chips have no scores and are decided by the share of each label among the labelled chips: "
        f"{NAMES[2]}, {NAMES[30]}."
    ]
    assert json.loads(report.path.with_suffix(".json").read_text())["without_scores"] == [NAMES[2], NAMES[30]]
