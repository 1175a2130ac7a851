from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from competition.common.errors import UserError
from competition.spec.competition import Competition
from competition.workspace import Workspace
from tests.competition.index.test_layout import JPG, layout_of
from tests.competition.samples import planet, write_planet


def test_a_workspace_can_be_moved(tmp_path: Path) -> None:
    layout = layout_of(write_planet(tmp_path / "old" / "data"))
    layout.write(tmp_path / "old" / "data" / "layout.json")
    shutil.move(tmp_path / "old", tmp_path / "new")
    workspace = Workspace(tmp_path / "new", planet())
    assert len(workspace.layout.files(JPG, "train")) == 6
    assert workspace.labelled.image_names[0] == "train_0"
    assert workspace.test_names == (*(f"test_{i}" for i in range(4)), *(f"file_{i}" for i in range(3)))


def test_without_a_sample_submission_the_test_files_are_in_order(tmp_path: Path) -> None:
    folder = write_planet(tmp_path / "data")
    (folder / "sample_submission_v2.csv").unlink()
    layout_of(folder).write(folder / "layout.json")
    names = Workspace(tmp_path, planet()).test_names
    assert names == ("file_0", "file_1", "file_2", "test_0", "test_1", "test_2", "test_3")


def test_chips_of_a_sample_with_one_row_per_label_come_once(tmp_path: Path) -> None:
    folder = write_planet(tmp_path / "data")
    rows = {"kind": "rows", "row_id": "{id}_{label}", "value_column": "p"}
    competition = Competition.model_validate({**planet().model_dump(exclude_unset=True), "submission": rows})
    names = [f"{chip}_{label},0" for label in ("haze", "partly_cloudy") for chip in ("test_1", "file_0")]
    (folder / "sample_submission_v2.csv").write_text("\n".join(["image_name,p", *names]), encoding="utf-8")
    layout_of(folder).write(folder / "layout.json")
    workspace = Workspace(tmp_path, competition)
    assert workspace.test_names == ("test_1", "file_0")
    assert workspace.sample.keys[2] == ("test_1", "partly_cloudy")


def test_without_a_sample_submission_chips_with_labels_are_not_to_predict_where_one_folder_holds_both(
    tmp_path: Path,
) -> None:
    folder = write_planet(tmp_path / "data", additional=0)
    (folder / "sample_submission_v2.csv").unlink()
    layout_of(folder).write(folder / "layout.json")

    def names(*folders: str) -> tuple[str, ...]:
        images = JPG.model_copy(update={"test": folders})
        competition = planet().model_copy(update={"images": {"jpg": images}})
        return Workspace(tmp_path, competition).test_names

    (folder / "train-jpg" / "train_5.jpg").rename(folder / "train-jpg" / "new_0.jpg")
    assert names("train-jpg") == ("new_0",)
    shutil.copy(folder / "train-jpg" / "train_0.jpg", folder / "test-jpg" / "train_0.jpg")
    assert names("test-jpg") == ("test_0", "test_1", "test_2", "test_3", "train_0")  # another chip of that name


def test_what_a_workspace_keeps_and_what_a_command_is_given_is_no_output(tmp_path: Path) -> None:
    data = write_planet(tmp_path / "delivered")
    layout_of(data).write(tmp_path / "w/data/layout.json")
    workspace = Workspace(tmp_path / "w", planet())
    root, model, images = workspace.root, tmp_path / "m.keras", tmp_path / "chips"
    images.mkdir()
    for path in (model, images / "a.jpg", workspace.fold_table):
        path.touch()
    (tmp_path / "link.csv").symlink_to(workspace.fold_table)
    (images / "linked.png").symlink_to(tmp_path / "elsewhere.png")
    chip = next(path for path in data.rglob("*.jpg"))
    own = [root / "runs/m/recipe.json", root / "folds.json", root / "ledger.json", root / ".swap.lock"]
    own += [workspace.fold_table, workspace.studies, workspace.ledger]
    own += [workspace.data / "a.csv", workspace.cache / "a.csv", workspace.restarted.runs / "a.csv"]
    own += [workspace.blends / "a.csv", workspace.auto / "a.csv", workspace.submissions / "a.csv"]
    own += [workspace.tracked / "a.csv", workspace.downloads / "a.csv", workspace.slurm / "a.csv"]
    for path in (*own, tmp_path / "link.csv", root / "x/../runs/y.csv"):
        with pytest.raises(UserError, match=r"the workspace keeps files of its own there\. Give another path\.$"):
            workspace.check_output(path, model, images)
    for path in (model, images / "../m.keras", data / "train_v2.csv"):
        with pytest.raises(UserError, match=r"the command is given it for something else"):
            workspace.check_output(path, model, images)
    for path in (images / "a.jpg", images / "linked.png", chip):
        with pytest.raises(UserError, match=rf"Cannot write {path}: it is a chip of "):
            workspace.check_output(path, model, images)
    (root / "mine.csv").touch()
    for path in (root / "mine.csv", root / "out/new.csv", images / "scores.csv", images / "new.jpg"):
        workspace.check_output(path, model, images)
    Workspace(tmp_path / "none yet", planet()).check_output(tmp_path / "a.csv")
