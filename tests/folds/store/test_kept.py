"""A fold table that is damaged: the line names it, and the command in the line brings the very same table back."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.assign import assign_folds, take_folds
from folds.dealing.table import FoldTable
from folds.store.kept import KeptFolds
from folds.store.provenance import Provenance
from folds.store.score_store import FoldScores, ScoreStore
from folds.store.scores import Scores
from run import main
from tests.conftest import prepared_again

LONGEST = 700  # letters of a line


def one_digit(path: Path) -> None:
    text = path.read_text()
    place = re.search(r",(\d)\n", text).start(1)
    path.write_text(f"{text[:place]}{(int(text[place]) + 1) % 3}{text[place + 1 :]}")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "one digit": one_digit,
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "noughts": lambda path: path.write_text("0" * 14_000),
    "cells of noughts": lambda path: path.write_text(re.sub(r",\d", "," + "0" * 3_000, path.read_text())),
    "names of noughts": lambda path: path.write_text(re.sub(r"\ntrain_\d+", "\n" + "0" * 3_000, path.read_text())),
    "bytes": lambda path: path.write_bytes(bytes(range(256)) * 60),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a row less": lambda path: path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1])),
    "emptied": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
}


def scored(workspace: Workspace, model: str = "m", folds: tuple[int, ...] = (0,)) -> ScoreStore:
    """Write scores of some folds, as if they had been trained."""
    store = ScoreStore.of(workspace)
    labels = store.labels
    for fold in folds:
        names = tuple(np.array(store.table.image_names)[store.table.heldout(fold)])
        made = Provenance(
            model, fold, labels, labels, store.table.digest, str(store.label_digest), "recipe", ("identity",), (), {}
        )
        made_of = [Scores(of, np.zeros((len(of), len(labels)), np.float32)) for of in (names, ("t",))]
        store.write(FoldScores(made, *made_of))
    return store


def refused(workspace: Workspace) -> str:
    """Return the line with which the table is refused: one, and short."""
    with pytest.raises(UserError) as caught:
        KeptFolds(workspace).read()
    line = str(caught.value)
    assert len(line) < LONGEST
    assert "\n" not in line
    return line


def run_advice(workspace: Workspace, line: str) -> str:
    """Run the first command of a line; return what it said."""
    command = re.search(r'run "python run\.py (.*?)"', line, re.I)[1]
    result = CliRunner().invoke(main, [*shlex.split(command), "--workspace", str(workspace.root)])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_command_named_brings_the_same_table_back(workspace, damage):
    made = assign_folds(workspace, k=3, seed=8, repeats=2, force=True).table
    store = scored(workspace, folds=(0, 4))
    before = {path.name: path.read_bytes() for path in workspace.root.glob("folds.*")}
    DAMAGES[damage](workspace.fold_table)
    line = refused(workspace)
    assert 'run "python run.py folds --k 3 --seed 8 --repeats 2"' in line
    assert "--force" not in line or "to take it as it is" in line
    assert "These are the folds that were there: 2 finished folds fit them." in run_advice(workspace, line)
    assert {path.name: path.read_bytes() for path in workspace.root.glob("folds.*")} == before
    assert KeptFolds(workspace).read().digest == made.digest
    assert ScoreStore.of(workspace).read("m", 4).provenance.fold_digest == store.table.digest


def test_a_folder_in_its_place_is_to_be_moved_away(workspace):
    assign_folds(workspace, k=3, seed=8, force=True)
    workspace.fold_table.unlink()
    workspace.fold_table.mkdir()
    assert "folds.csv is damaged: it is no ordinary file. To have the same table again" in refused(workspace)
    with pytest.raises(UserError, match=r"folds\.csv: it is a folder\. Give the path of a file, or move it away\."):
        assign_folds(workspace, k=3, seed=8)


@pytest.mark.parametrize("damage", ["one digit", "emptied", "gone"])
@pytest.mark.parametrize("group", ["file", "none"])
def test_groups_are_named_as_they_were_given(workspace, tmp_path, damage, group):
    groups = tmp_path / "my groups.csv"
    names = workspace.labelled.image_names
    groups.write_text("image_name,scene\n" + "".join(f"{name},{i // 4}\n" for i, name in enumerate(names)))
    made = assign_folds(workspace, k=3, group=str(groups) if group == "file" else "", force=True).table
    DAMAGES[damage](workspace.fold_table)
    run_advice(workspace, refused(workspace))
    assert KeptFolds(workspace).read().digest == made.digest


@pytest.mark.parametrize("damage", ["one digit", "zeros", "gone"])
def test_folds_that_were_delivered_are_taken_from_where_they_were(workspace, tmp_path, damage):
    theirs = tmp_path / "their folds.csv"
    names = workspace.labelled.image_names
    theirs.write_text("id,part\n" + "".join(f"{name},{i % 4}\n" for i, name in enumerate(names)))
    made = take_folds(workspace, source=theirs, column="part", force=True).table
    DAMAGES[damage](workspace.fold_table)
    run_advice(workspace, refused(workspace))
    assert KeptFolds(workspace).read().digest == made.digest
    DAMAGES[damage](workspace.fold_table)
    theirs.unlink()
    line = refused(workspace)
    assert "It was taken from their folds.csv, which is needed again: restore folds.csv from a copy." in line
    assert "folds --from FILE --column part" in line


@pytest.mark.parametrize("damage", ["noughts", "gone"])
def test_without_its_record_the_scores_know_the_digest_and_other_folds_are_refused(workspace, damage):
    made = assign_folds(workspace, k=3, seed=8, force=True).table
    scored(workspace, folds=(0, 1))
    (workspace.root / "folds.json").write_text("{")
    DAMAGES[damage](workspace.fold_table)
    line = refused(workspace)
    assert f"its digest was {made.digest[:8]} of 2. Restore folds.csv from a copy." in line
    assert "folds --k K --seed SEED" in line
    for values in ({"k": 5}, {"k": 3, "seed": 7}):
        with pytest.raises(UserError, match=rf"other folds than those of .*expected {made.digest[:8]}, received"):
            assign_folds(workspace, **values)
    assert assign_folds(workspace, k=3, seed=8).remarks[-1].endswith("2 finished folds fit them.")
    assert KeptFolds(workspace).read().digest == made.digest


def test_without_record_and_scores_a_damaged_table_is_replaced(workspace):
    workspace.fold_table.write_text("0")
    assert '"python run.py folds --k 5 --seed 0 --force"' in refused(workspace)
    workspace.fold_table.unlink()
    assert refused(workspace).endswith('Run "python run.py folds --k 5 --seed 0".')


def test_other_labels_are_told_from_the_table_that_was(workspace_of_own_chips):
    """The same --k and --seed of other labels are other folds: they replace nothing."""
    workspace = workspace_of_own_chips
    assign_folds(workspace, k=3, seed=0, force=True)
    table = workspace.layout.table(workspace.competition.tables.train[0])
    table.write_text("\n".join(table.read_text().splitlines()[:-6]))
    workspace.fold_table.unlink()
    scores = workspace.runs / "m/fold0"
    scores.mkdir(parents=True)
    (workspace.root / "folds.csv").write_text("0")
    now = prepared_again(workspace)
    with pytest.raises(UserError, match=r"made of other labels, or with other values\. --force writes them"):
        assign_folds(now, k=3, seed=0)


def test_a_change_that_was_meant_is_taken_as_it_is(workspace):
    assign_folds(workspace, k=3, seed=8, force=True)
    one_digit(workspace.fold_table)
    changed = FoldTable.read(workspace.fold_table).digest
    line = refused(workspace)
    assert f'to take it as it is, run "python run.py folds --from {workspace.fold_table} --force"' in line
    take_folds(workspace, source=workspace.fold_table, force=True)
    assert KeptFolds(workspace).read().digest == changed
    one_digit(workspace.fold_table)
    assert "It was taken from folds.csv, which is needed again" in refused(workspace)  # it is no copy of itself


def test_killed_between_record_and_table_the_old_table_stays_as_scores_vouch_for_it(workspace):
    made = assign_folds(workspace, k=3, seed=8, force=True).table
    text = workspace.fold_table.read_text()
    scored(workspace)
    assign_folds(workspace, k=4, seed=8, force=True)
    workspace.fold_table.write_text(text)
    assert KeptFolds(workspace).read().digest == made.digest


def test_a_table_that_scores_fit_takes_the_place_of_one_that_none_fits(workspace):
    made = assign_folds(workspace, k=3, seed=8, force=True).table
    scored(workspace)
    assign_folds(workspace, k=5, seed=0, force=True)
    with pytest.raises(UserError, match="holds other folds"):
        assign_folds(workspace, k=4)
    assert assign_folds(workspace, k=3, seed=8).table.digest == made.digest
    scored(workspace, "n")
    with pytest.raises(UserError, match="holds other folds"):
        assign_folds(workspace, k=5, seed=0)


def test_a_table_written_by_hand_needs_no_record(workspace):
    (workspace.root / "folds.json").unlink(missing_ok=True)
    assert KeptFolds(workspace).read().k == 3
    assign_folds(workspace, k=3)
    content = json.loads((workspace.root / "folds.json").read_text())
    for record in ({**content, "fold_digest": 3}, [], "x"):
        (workspace.root / "folds.json").write_text(json.dumps(record))
        assert KeptFolds(workspace).read().k == 3
