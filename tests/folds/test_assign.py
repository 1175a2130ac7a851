"""Assigning the chips of a workspace to folds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.assign import assign_folds, default_folds, take_folds
from folds.dealing.table import FoldTable
from tests.conftest import prepared_again


def test_the_labelled_chips_are_assigned_and_written(workspace):
    workspace.fold_table.unlink()
    assigned = assign_folds(workspace, k=4, seed=3, repeats=2)
    table = FoldTable.read(workspace.fold_table)
    assert table.digest == assigned.table.digest
    assert table.image_names == workspace.labelled.image_names
    assert (table.k, table.num_repeats) == (4, 2)
    lines = assigned.text().splitlines()
    assert not any("together" in line for line in lines)
    assert lines[-1] == f"Wrote {workspace.fold_table}, digest {table.digest[:8]}."
    assert json.loads(json.dumps(assigned.as_dict(), allow_nan=False))["digest"] == table.digest


def test_another_table_is_replaced_by_force_only(workspace):
    before = FoldTable.read(workspace.fold_table)
    with pytest.raises(UserError, match=r"folds.csv holds other folds. Keep them, or replace them with --force"):
        assign_folds(workspace, k=before.k, seed=1)
    assert FoldTable.read(workspace.fold_table).digest == before.digest
    assert assign_folds(workspace, k=before.k, seed=0).table.digest == before.digest
    assign_folds(workspace, k=before.k, seed=1, force=True)
    assert FoldTable.read(workspace.fold_table).digest != before.digest


@pytest.mark.parametrize("in_file", [False, True])
def test_chips_of_a_group_stay_together(workspace_of_own_chips, tmp_path, in_file):
    workspace = workspace_of_own_chips
    path = workspace.layout.table(workspace.competition.tables.train[0])
    header, *rows = path.read_text().splitlines()
    lines = [f"{header},scene", *(f"{row},scene {i // 4}" for i, row in enumerate(rows))]
    group = tmp_path / "scenes.csv" if in_file else path
    columns = (0, 2) if in_file else (0, 1, 2)
    group.write_text("\n".join(",".join(line.split(",")[column] for column in columns) for line in lines))
    workspace = prepared_again(workspace)
    assigned = assign_folds(workspace, k=3, group=str(group) if in_file else "scene", force=True)
    what = f"group in {group}" if in_file else "'scene'"
    assert f"Chips of one {what} stay together: 15 groups." in assigned.text().splitlines()
    folds = assigned.table.folds[0].reshape(-1, 4)
    np.testing.assert_array_equal(folds, folds[:, :1].repeat(4, axis=1))


# Folds that were delivered


def deliver(workspace, path, header, numbers, extra=""):
    rows = [f"{name},{number}\n" for name, number in zip(workspace.labelled.image_names, numbers, strict=True)]
    path.write_text("".join([f"{header}\n", *reversed(rows), extra]))
    return path


@pytest.mark.parametrize(("header", "start"), [("image_name,fold", 0), ("id,fold", 1), (",fold", 0)])
def test_delivered_folds_are_taken_as_they_are(workspace, tmp_path, header, start):
    count = len(workspace.labelled.image_names)
    path = deliver(workspace, tmp_path / "theirs.csv", header, [start + i % 4 for i in range(count)], "test_0,-1\n")
    table = take_folds(workspace, source=path, force=True).table
    assert table.image_names == workspace.labelled.image_names
    np.testing.assert_array_equal(table.folds, [np.arange(count) % 4])
    assert FoldTable.read(workspace.fold_table).digest == table.digest


def test_a_team_mates_table_gives_the_same_folds_and_digest(workspace, tmp_path):
    made = assign_folds(workspace, k=3, seed=8, repeats=2, force=True).table
    theirs = tmp_path / "theirs.csv"
    workspace.fold_table.rename(theirs)
    assert take_folds(workspace, source=theirs).table.digest == made.digest


@pytest.mark.parametrize("starts", [(0, 3), (1, 4), (0, 0), (1, 1)])
def test_repeats_are_counted_from_0_or_1_anew_or_on(workspace, tmp_path, starts):
    made = assign_folds(workspace, k=3, seed=8, repeats=2, force=True).table
    numbers = made.folds - [[0], [3]] + np.array(starts)[:, None]
    path = deliver(workspace, tmp_path / "theirs.csv", "id,fold,fold_repeat1", [f"{a},{b}" for a, b in numbers.T])
    assert take_folds(workspace, source=path).table.digest == made.digest


def test_folds_stand_in_the_training_table(workspace_of_own_chips):
    workspace = workspace_of_own_chips
    path = workspace.layout.table(workspace.competition.tables.train[0])
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},part", *(f"{row},{i % 2}.0" for i, row in enumerate(rows))]))
    table = take_folds(prepared_again(workspace), column="part", force=True).table
    np.testing.assert_array_equal(table.folds, [np.arange(len(rows)) % 2])


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("column", r"theirs.csv: no columns 'image_name' and 'fold'; received 'image_name', 'part'\."),
        ("lacking", r"theirs.csv has no fold for 1 of 60 chips: train_59\."),
        ("word", r"column 'fold' must hold whole numbers from 0; it holds 'x'\."),
        ("gap", r"theirs.csv: column 'fold' has a gap: fold 1 of 0 to 2 holds no chip\."),
        ("twice", r"chips with several values of fold: 1 \(line 62: 'train_0' with '1', before with '0'\)"),
    ],
)
def test_folds_that_are_not_right_are_one_line(workspace, tmp_path, how, line):
    numbers = [i % 2 for i in range(len(workspace.labelled.image_names))]
    header, extra = "image_name,part" if how == "column" else "image_name,fold", ""
    if how == "word":
        numbers[3] = "x"
    elif how == "gap":
        numbers = [2 * number for number in numbers]
    elif how == "lacking":
        numbers[-1] = ""
    elif how == "twice":
        extra = "train_0,1\n"
    path = deliver(workspace, tmp_path / "theirs.csv", header, numbers, extra)
    with pytest.raises(UserError, match=line):
        take_folds(workspace, source=path, force=True)


def test_the_competitions_groups_are_kept_unless_asked_otherwise(workspace_of_own_chips):
    workspace = workspace_of_own_chips
    path = workspace.layout.table(workspace.competition.tables.train[0])
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},scene", *(f"{row},{i // 4}" for i, row in enumerate(rows))]))
    workspace = prepared_again(workspace)
    tables = workspace.competition.tables.model_copy(update={"group_column": "scene"})
    grouped = Workspace(workspace.root, workspace.competition.model_copy(update={"tables": tables}))
    folds = assign_folds(grouped, k=3, force=True).table.folds[0].reshape(-1, 4)
    assert (folds == folds[:, :1]).all()
    alone = assign_folds(grouped, k=3, group="", force=True).table
    assert alone.digest == assign_folds(workspace, k=3, force=True).table.digest


def with_column(workspace, name, cells, **tables):
    """Return the workspace with a further column in its training table, and what its competition file says of it."""
    path = workspace.layout.table(workspace.competition.tables.train[0])
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},{name}", *map(",".join, zip(rows, cells, strict=True))]))
    workspace = prepared_again(workspace)
    tables = workspace.competition.tables.model_copy(update=tables)
    return Workspace(workspace.root, workspace.competition.model_copy(update={"tables": tables}))


def test_delivered_folds_that_are_not_used_are_named(workspace_of_own_chips):
    cells = [str(i % 2) for i in range(60)]
    workspace = with_column(workspace_of_own_chips, "part", cells, fold_column="part")
    line = "The delivered folds in column 'part' are not used."
    assert line in assign_folds(workspace, k=3, force=True).text().splitlines()
    assert line not in take_folds(workspace, force=True).text()


def test_a_chip_without_a_group_names_the_remedy(workspace_of_own_chips):
    cells = ["" if i < 7 else str(i // 4) for i in range(60)]
    workspace = with_column(workspace_of_own_chips, "scene", cells, group_column="scene")
    with pytest.raises(
        UserError, match=r"column 'scene', has no group for 7 of 60 .* or give --group '' for no groups"
    ):
        assign_folds(workspace, k=3, force=True)
    assert assign_folds(workspace, k=3, group="", force=True).remarks == ()


def test_by_default_folds_are_five_or_those_delivered_and_are_made_once(workspace_of_own_chips):
    workspace_of_own_chips.fold_table.unlink()
    made = default_folds(workspace_of_own_chips)
    assert made is not None
    assert made.table.k == 5
    assert default_folds(workspace_of_own_chips) is None
    for name in ("folds.csv", "folds.json"):
        (workspace_of_own_chips.root / name).unlink()
    workspace = with_column(workspace_of_own_chips, "part", [str(i % 2) for i in range(60)], fold_column="part")
    taken = default_folds(workspace)
    assert taken is not None
    assert taken.table.k == 2


@pytest.mark.parametrize("delivered", [False, True])
def test_by_default_folds_that_are_gone_are_made_again_as_they_were(workspace, tmp_path, delivered):
    if delivered:
        path = deliver(workspace, tmp_path / "theirs.csv", "id,fold", [i % 4 for i in range(60)])
        made = take_folds(workspace, source=path, force=True)
    else:
        made = assign_folds(workspace, k=3, seed=8, repeats=2, force=True)
    workspace.fold_table.unlink()
    again = default_folds(workspace)
    assert again is not None
    assert again.table.digest == made.table.digest == FoldTable.read(workspace.fold_table).digest
