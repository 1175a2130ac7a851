"""Scores made with other labels or folds: the line says which file it is, and what it names brings them back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.common.text import short
from competition.workspace import Workspace
from folds.assign import assign_folds
from folds.store.score_store import ScoreStore
from run import main
from tests.conftest import prepared_again
from tests.folds.store.test_kept import scored
from tests.folds.store.test_score_store import LABELS, fold_scores, make_table


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


def joined(runs: Path, model: str) -> str:
    """Return the line with which a model is refused; "" if its scores are taken."""
    try:
        ScoreStore(runs, LABELS, make_table()).join(model)
    except UserError as error:
        line = str(error)
        assert line.endswith(' --restart".'), "the last advice trains again"
        return line
    return ""


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two models with all their scores."""
    store = ScoreStore(tmp_path / "runs", LABELS, make_table())
    for fold in range(store.table.num_folds):
        for model in ("m", "n"):
            store.write(fold_scores(store.table, fold, model=model))
    return store.root


def exchange(one: Path, other: Path) -> None:
    one.rename(one.with_name("aside"))
    other.rename(one)
    one.with_name("aside").rename(other)


@pytest.mark.parametrize(("one", "other"), [("m/fold0", "m/fold1"), ("m/fold0", "n/fold0"), ("m/fold0", "n/fold2")])
def test_folds_that_were_swapped_are_named_and_swapping_them_back_brings_them_back(
    runs: Path, one: str, other: str
) -> None:
    exchange(runs / one, runs / other)
    line = joined(runs, "m")
    owner = f"'{other[0]}' fold {other[-1]}"
    assert f"{runs / one} holds {owner}, as its scores.json says: the two were swapped. Swap them back" in line
    assert str(runs / other) in line
    exchange(runs / one, runs / other)
    assert not joined(runs, "m")
    assert not joined(runs, "n")


def test_a_model_that_was_renamed_is_told_its_name(runs: Path) -> None:
    (runs / "m").rename(runs / "better")
    assert f"the model was renamed. Rename {runs / 'better'} back to {runs / 'm'}." in joined(runs, "better")
    (runs / "better").rename(runs / "m")
    assert not joined(runs, "m")


def test_models_that_were_swapped_are_told_so(runs: Path) -> None:
    exchange(runs / "m", runs / "n")
    assert "holds 'n' fold 0, as its scores.json says: the two were swapped." in joined(runs, "m")


def test_a_fold_that_was_renamed_is_told_its_place(runs: Path) -> None:
    shutil.rmtree(runs / "m/fold1")
    (runs / "m/fold0").rename(runs / "m/fold1")
    shutil.copytree(runs / "n/fold0", runs / "m/fold0")  # which is another's too
    assert f"holds 'n' fold 0, as its scores.json says: it is a copy of {runs / 'n/fold0'}. Take" in joined(runs, "m")
    shutil.rmtree(runs / "m/fold0")
    with pytest.raises(UserError, match=r"fold1 holds 'm' fold 0, .* it was renamed\. Rename it back to \S+m/fold0\."):
        ScoreStore(runs, LABELS, make_table()).read("m", 1)


def test_folds_in_a_ring_are_each_told_their_place(runs: Path) -> None:
    exchange(runs / "m/fold0", runs / "m/fold1")
    exchange(runs / "m/fold1", runs / "m/fold2")
    assert f"put it back to {runs / 'm/fold1'}, and what lies there to where it belongs." in joined(runs, "m")
