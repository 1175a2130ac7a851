"""The submission writer."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.tables.sample import SampleSubmission
from competition.workspace import Workspace
from folds.store.scores import Scores
from submissions.decide.cut_rules import FixedRule
from submissions.decide.decisions import Obedient
from submissions.submit.provenance import read_provenance, write_provenance
from submissions.submit.validate import SubmissionReport, validate_submission
from submissions.submit.write import sort_submission, submission_path, write_decided, write_submission
from tests.submissions.samples import (
    NUM_TEST,
    draw_scores,
    draw_truth,
    ids_to_predict,
    make_workspace,
    one_hot,
    planet,
)
from tests.submissions.submit.samples import prepared, scored

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
    assert not validate_submission(path, PLANET, workspace.sample).is_valid


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
    of_training = {"name": "ab", "left_out": [NAMES[2], NAMES[30]], "test_left_out": []}
    with pytest.raises(ValueError, match=rf"2 of {NUM_TEST} test chips have no scores"):
        write_decided(Scores(names, scores), by_cut(0.26), workspace, of_training)
    broken = {"name": "ab", "test_left_out": [NAMES[2], NAMES[30]]}
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


# Submissions of every kind

LABELS = ("wet sand", "a,b", "b", "a_b")
KINDS: dict[str, dict[str, Any]] = {
    "tags": {"kind": "tags", "tags_column": "Predicted", "separator": "|", "none": "nothing"},
    "columns": {"kind": "columns"},
    "decided rows": {"kind": "rows", "value_column": "carried", "label_column": "label"},
    "scores": {"kind": "scores", "decimals": 3},
    "exact scores": {"kind": "scores"},
    "rows": {"kind": "rows", "value_column": "p", "row_id": "ID_{id}_{label}", "decimals": 2},
}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.sampled_from(["007", "x_1", "a", "é", "1.0", "NA"]), min_size=1, max_size=4, unique=True),
    st.integers(0, 2**32 - 1),
)
def test_a_submission_of_each_kind_is_valid_and_read_by_pandas(kind: str, names: list[str], seed: int) -> None:
    random = np.random.default_rng(seed)
    judged = "log_loss" if "scores" in kind or kind == "rows" else "f_beta"
    competition = scored(KINDS[kind], metric=judged, labels=LABELS).model_copy(update={"unlabelled": True})
    sample = SampleSubmission.of(names, competition)
    columns = tuple(random.permutation(np.array(sample.columns, dtype=object)))
    pairs = None if sample.pairs is None else tuple(sample.pairs[i] for i in random.permutation(len(sample.pairs)))
    names = list(sample.names if pairs is None else dict.fromkeys(name for name, _ in pairs))
    answers = random.random((len(names), 4)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        workspace = prepared(Path(folder), competition, "", "")
        workspace.__dict__["sample"] = replace(sample, names=tuple(names), columns=columns, pairs=pairs)
        decided = answers < 0.4
        report = write_submission(workspace.root / "s.csv", decided if judged == "f_beta" else answers, workspace, {})
        table = pd.read_csv(workspace.root / "s.csv", dtype=str, keep_default_na=False)
    assert report.is_valid
    assert tuple(table.columns) == columns
    if kind == "tags":
        read = np.array([[label in text.split("|") for label in LABELS] for text in table["Predicted"]])
        assert (table["Predicted"] == "nothing").tolist() == (~decided.any(axis=1)).tolist()
    elif pairs is not None:
        keys = zip(table["id"], table["label"], strict=True) if kind == "decided rows" else table["id"]
        values = dict(zip(keys, table["carried" if kind == "decided rows" else "p"].astype(float), strict=True))
        assert len(values) == len(pairs)
        named = "{0}\0{1}" if kind == "decided rows" else "ID_{0}_{1}"
        values = {key if isinstance(key, str) else "\0".join(key): value for key, value in values.items()}
        read = np.array([[values[named.format(name, label)] for label in LABELS] for name in names])
    else:
        assert table["id"].tolist() == names
        read = table[list(LABELS)].to_numpy(dtype=np.float64)
    decimals = KINDS[kind].get("decimals")
    if judged == "f_beta":
        np.testing.assert_array_equal(read.astype(bool), decided)
    elif decimals is None:
        np.testing.assert_array_equal(read.astype(np.float32), answers)
    else:
        np.testing.assert_allclose(read, answers, atol=0.5000001 * 10.0**-decimals)


def test_what_is_judged_is_what_is_written(path: Path, workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="F2 judges decisions; received float64"):
        write_submission(path, DECISIONS.astype(float), workspace, {})
    seabed = prepared(tmp_path / "other", scored({}), "id,wet sand,rock\n", "id,wet sand,rock\nx,0,0\n")
    with pytest.raises(ValueError, match="log loss judges scores; received bool"):
        write_submission(path, np.ones((1, 2), dtype=bool), seabed, {})
    with pytest.raises(UserError, match=r"no score from 0 to 1: 1 \(line 2: rock 'nan'\)"):
        write_submission(path, np.array([[0.5, np.nan]]), seabed, {})
    assert not path.exists()


def test_a_file_out_of_order_is_sorted_and_its_record_knows_it(
    path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    write(path, workspace)
    good = path.read_text()
    header, *rows = good.splitlines(keepends=True)
    path.write_text("".join([header, *rows[10:], *rows[:10]]))
    write_provenance(path, {"method": "mean"})
    report = validate_submission(path, PLANET, workspace.sample)
    assert report.is_disordered
    assert sort_submission(report, workspace).is_valid
    assert path.read_text() == good
    assert read_provenance(path)["method"] == "mean"
    assert capsys.readouterr().out == "Brought 10 of 40 rows into the sample submission's order.\n"


def test_a_file_with_other_faults_is_not_sorted(path: Path, workspace: Workspace) -> None:
    write(path, workspace)
    header, *rows = path.read_text().splitlines(keepends=True)
    path.with_suffix(".json").unlink()
    path.write_text("".join([header, *rows[:0:-1]]))
    before = path.read_bytes()
    with pytest.raises(UserError, match="missing ids: 1"):
        sort_submission(validate_submission(path, PLANET, workspace.sample), workspace)
    assert path.read_bytes() == before
    path.write_text("".join([header, *reversed(rows)]))
    sort_submission(validate_submission(path, PLANET, workspace.sample), workspace)
    assert not path.with_suffix(".json").exists()
