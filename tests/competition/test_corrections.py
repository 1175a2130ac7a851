"""Corrections of labels, kept beside the data."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from click.testing import CliRunner

import run
from competition.common.errors import UserError
from competition.workspace import Workspace


def write(path, rows, header=("id", "label", "says", "score")):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def relabel(workspace, *arguments):
    return CliRunner().invoke(run.main, ["data", "relabel", *arguments, "--workspace", str(workspace.root)])


@pytest.fixture
def turned(workspace, tmp_path):
    """Rows that turn two labels of the first chip, and one of the second: with what the table says."""
    names, truth = workspace.labelled.image_names, workspace.labelled.truth
    labels = workspace.competition.labels
    clear = [row for row in range(len(names)) if not truth[row, labels.index("cloudy")]]
    cells = [(clear[0], labels.index("blooming")), (clear[0], labels.index("road")), (clear[1], labels.index("water"))]
    return [(names[row], labels[column], int(truth[row, column]), "0.5") for row, column in cells], cells


def test_labels_are_turned_beside_the_data_and_turned_back(workspace, turned, tmp_path):
    rows, cells = turned
    before, tables = workspace.labelled, [path.read_bytes() for path in workspace.training_tables]
    result = relabel(workspace, "--from", str(write(tmp_path / "wrong.csv", rows)))
    assert result.exit_code == 0, result.output
    assert "3 labels turned" in result.output
    after = Workspace(workspace.root, workspace.competition).labelled
    changed = np.argwhere(before.truth != after.truth)
    assert changed.tolist() == [list(cell) for cell in cells]
    assert after.digest != before.digest
    assert [path.read_bytes() for path in workspace.training_tables] == tables
    again = relabel(workspace, "--from", str(tmp_path / "wrong.csv"))
    assert "its rows are turned already" in again.output
    one_back = [(*rows[0][:2], 1 - rows[0][2], "0.5")]
    assert "2 corrections" in relabel(workspace, "--from", str(write(tmp_path / "back.csv", one_back))).output
    assert np.argwhere(before.truth != Workspace(workspace.root, workspace.competition).labelled.truth).tolist() == [
        list(cell) for cell in cells[1:]
    ]
    assert "corrections.old.csv" in relabel(workspace, "--clear").output
    assert Workspace(workspace.root, workspace.competition).labelled.digest == before.digest


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda row: ("nobody", *row[1:]), "names chips that are not labelled: nobody"),
        (lambda row: (row[0], "meadow", *row[2:]), "names unknown labels: meadow"),
        (lambda row: (*row[:2], 1 - row[2], row[3]), "says otherwise than the labels do of 1 label"),
        (lambda row: (*row[:2], "yes", row[3]), "column says is to hold 0 or 1, received"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_turned(workspace, turned, tmp_path, change, said):
    (first, *others), _ = turned
    result = relabel(workspace, "--from", str(write(tmp_path / "wrong.csv", [change(first), *others])))
    assert result.exit_code == 2
    assert said in result.output
    assert len(result.output.splitlines()) == 1
    assert not workspace.corrections.exists()


def test_a_chip_is_left_with_no_labels_that_the_competition_does_not_allow(workspace, tmp_path):
    names, truth, labels = workspace.labelled.image_names, workspace.labelled.truth, workspace.competition.labels
    row = next(row for row in range(len(names)) if truth[row, labels.index("clear")])
    wrong = [(names[row], "clear", 1, "")]
    refused = relabel(workspace, "--from", str(write(tmp_path / "wrong.csv", wrong)))
    assert f"would have not just one of clear, partly_cloudy, haze and 1 more: {names[row]}." in refused.output
    whole = [*wrong, (names[row], "haze", 0, "")]
    assert relabel(workspace, "--from", str(write(tmp_path / "whole.csv", whole))).exit_code == 0


def test_a_file_of_another_kind_is_refused(workspace, turned, tmp_path):
    rows, _ = turned
    for path, said in [
        (write(tmp_path / "a.csv", rows, ("id", "label", "is", "score")), "has no column says"),
        (write(tmp_path / "b.csv", []), "holds no row"),
        (write(tmp_path / "c.csv", [rows[0], (*rows[0][:2], 1 - rows[0][2], "")]), "says both 0 and 1"),
    ]:
        assert said in relabel(workspace, "--from", str(path)).output
    (tmp_path / "e.csv").write_text("id;label;says\n" + f"{rows[1][0]};{rows[1][1]};{rows[1][2]}\n")
    assert "1 label turned" in relabel(workspace, "--from", str(tmp_path / "e.csv")).output
    (tmp_path / "d.csv").write_bytes(bytes(range(256)))
    result = relabel(workspace, "--from", str(tmp_path / "d.csv"))
    assert result.exit_code == 2
    assert "cannot be read: it is no text." in result.output
    assert "Give --from FILE, or --clear." in relabel(workspace).output


def test_damaged_corrections_name_the_command_that_takes_them_back(workspace):
    workspace.corrections.write_text("id,label,is\nnobody,water,1\n")
    with pytest.raises(UserError, match="data relabel --clear"):
        _ = Workspace(workspace.root, workspace.competition).labelled
