"""Assigning the chips of a workspace to folds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from competition.common.errors import UserError
from folds.assign import assign_folds
from folds.table import FoldTable


def test_the_labelled_chips_are_assigned_and_written(workspace):
    workspace.fold_table.unlink()
    assigned = assign_folds(workspace, k=4, seed=3, repeats=2)
    table = FoldTable.read(workspace.fold_table)
    assert table.digest == assigned.table.digest
    assert table.image_names == workspace.labelled.image_names
    assert (table.k, table.num_repeats) == (4, 2)
    lines = assigned.text().splitlines()
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
    table = assign_folds(workspace, k=3, group=str(group) if in_file else "scene", force=True).table
    folds = table.folds[0].reshape(-1, 4)
    np.testing.assert_array_equal(folds, folds[:, :1].repeat(4, axis=1))
