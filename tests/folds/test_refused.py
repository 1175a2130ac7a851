"""Scores made with other labels or folds: the line says which file it is, and what it names brings them back."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.common.text import short
from competition.workspace import Workspace
from folds.assign import assign_folds
from folds.score_store import ScoreStore
from run import main
from tests.conftest import prepared_again
from tests.folds.test_kept import scored


def run(workspace: Workspace, command: str) -> str:
    result = CliRunner().invoke(main, [*command.split(), "--workspace", str(workspace.root)])
    assert result.exit_code == 0, result.output
    return result.output


def refused(workspace: Workspace) -> str:
    """Return the line with which finished scores are refused, of a workspace that was just opened."""
    with pytest.raises(UserError) as caught:
        ScoreStore.of(Workspace(workspace.root, workspace.competition)).read("m", 0)
    line = str(caught.value)
    assert "\n" not in line
    if "--restart" in line:
        assert line.index("--restart") > len(line) - 40, "not the last advice"
    return line


def relabelled(workspace: Workspace, *rows: int) -> None:
    """Turn the label water of some chips."""
    column = workspace.competition.label_index["water"]
    now = Workspace(workspace.root, workspace.competition).labelled
    wrong = workspace.root / "wrong.csv"
    cells = [f"{now.image_names[row]},water,{int(now.truth[row, column])}\n" for row in rows]
    wrong.write_text("id,label,says\n" + "".join(cells))
    run(workspace, f"data relabel --from {wrong}")


def with_made(workspace: Workspace) -> ScoreStore:
    """Write scores that say which labels were delivered, as those that are trained do."""
    opened = Workspace(workspace.root, workspace.competition)
    store, made = ScoreStore.of(opened), scored(opened).read("m", 0)
    values = {**vars(made.provenance), "delivered_digest": store.delivered_digest}
    store.write(type(made)(type(made.provenance)(**values), made.heldout, made.test))
    return store


def test_a_table_of_labels_that_was_changed_is_named_and_prepared_again(workspace_of_own_chips, tmp_path):
    workspace = workspace_of_own_chips
    table, kept = workspace.layout.table(workspace.competition.tables.train[0]), tmp_path / "kept"
    with_made(workspace)
    kept.mkdir()
    shutil.copy(table, kept)
    table.write_text(table.read_text().replace(" primary", "", 1))
    line = refused(prepared_again(workspace))
    assert "The labels were changed since 'm' fold 0 was trained on them: the table of labels is another." in line
    assert 'To have them as they were delivered, run "python run.py data prepare --from DIR"' in line
    run(workspace, f"data prepare --from {kept}")
    assert ScoreStore.of(Workspace(workspace.root, workspace.competition)).read("m", 0)


@pytest.mark.parametrize("damage", ["zeros", "half", "noughts", "gone"])
def test_a_table_of_labels_that_is_damaged_is_prepared_again(workspace_of_own_chips, tmp_path, damage):
    workspace = workspace_of_own_chips
    table, kept = workspace.layout.table(workspace.competition.tables.train[0]), tmp_path / "kept"
    with_made(workspace)
    kept.mkdir()
    content = table.read_bytes()
    shutil.move(table, kept)
    if damage != "gone":
        changed = {"zeros": bytes(len(content)), "half": content[:-9], "noughts": b"0" * 14_000}
        table.write_bytes(changed[damage])
    line = refused(workspace)
    assert str(table) in line
    assert "data prepare --from DIR" in line
    assert "--restart" not in line
    assert len(line) < 500
    run(workspace, f"data prepare --from {kept}")
    assert ScoreStore.of(Workspace(workspace.root, workspace.competition)).read("m", 0)


def test_corrections_that_came_later_are_taken_back(workspace):
    with_made(workspace)
    relabelled(workspace, 3)
    assert 'To take the corrections back, run "python run.py data relabel --clear"' in refused(workspace)
    run(workspace, "data relabel --clear")
    assert ScoreStore.of(Workspace(workspace.root, workspace.competition)).read("m", 0)


@pytest.mark.parametrize("how", ["gone", "another"])
def test_corrections_that_are_lost_are_told_from_the_table_of_labels(workspace, how):
    relabelled(workspace, 3)
    with_made(workspace)
    if how == "gone":
        run(workspace, "data relabel --clear")
    else:
        kept = workspace.corrections.with_suffix(".old.csv")
        shutil.copy(workspace.corrections, kept)
        relabelled(workspace, 4)
    assert f"data/corrections.csv is {how}. Restore it from a copy" in refused(workspace)
    shutil.copy(workspace.data / "corrections.old.csv", workspace.corrections)
    assert ScoreStore.of(Workspace(workspace.root, workspace.competition)).read("m", 0)


def test_corrections_that_are_damaged_are_made_again(workspace):
    relabelled(workspace, 3)
    with_made(workspace)
    workspace.corrections.write_text("id,label,is\nnobody,water,1\n")
    line = refused(workspace)
    assert line.index("data relabel --clear") < line.index("data relabel --from FILE")
    run(workspace, "data relabel --clear")
    relabelled(workspace, 3)
    assert ScoreStore.of(Workspace(workspace.root, workspace.competition)).read("m", 0)


def test_scores_of_earlier_versions_leave_open_which_of_both_it_was(workspace):
    scored(workspace)
    relabelled(workspace, 3)
    assert "restore the table of labels, or data/corrections.csv" in refused(workspace)


def test_scores_of_other_folds_say_how_to_have_these_back_before_training_again(workspace):
    made = assign_folds(workspace, k=3, seed=8, force=True).table
    with_made(workspace)
    there = assign_folds(workspace, k=3, seed=9, force=True).table
    line = refused(workspace)
    assert f"(expected {short(there.digest)}, received {short(made.digest)}). Restore the folds.csv" in line
    assert line.index("folds --k K --seed SEED") < line.index("--restart")
    run(workspace, "folds --k 3 --seed 8")
    assert ScoreStore.of(Workspace(workspace.root, workspace.competition)).read("m", 0)
