"""Blends on disk: whole or not at all, and refused where they do not fit."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.common.records import write_record
from folds.store.score_store import ScoreStore
from folds.store.scores import Scores
from submissions.members import blend_files
from submissions.members.blend_files import MARKER, again, blend_names, read_blend, weights_of, write_blend
from submissions.members.members import load_member
from tests.submissions.samples import blend_of, make_workspace

LABELS = ("clear", "haze")
PROVENANCE: dict[str, Any] = {
    "name": "ab",
    "method": "mean",
    "union": [],
    "members": [{"name": "a", "kind": "model"}],
    "labels": list(LABELS),
    "fold_digest": "0" * 64,
    "left_out": [],
}


def scores_of(*names: str, value: float = 0.5) -> Scores:
    return Scores(names, np.full((len(names), len(LABELS)), value, dtype=np.float32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a blend."""
    write_blend(tmp_path / "blends" / "ab", scores_of("x", "y"), scores_of("z"), PROVENANCE)
    return tmp_path / "blends" / "ab"


def read(folder: Path) -> tuple[Scores, Scores, dict[str, Any]]:
    return read_blend(folder, LABELS, "0" * 64)


def change(folder: Path, **changes: object) -> None:
    """Write the record anew, as versions did that gave it no digest."""
    content = json.loads((folder / MARKER).read_text())
    del content["digest"]
    (folder / MARKER).write_text(json.dumps({**content, **changes}))


def test_what_was_written_is_read(folder: Path) -> None:
    oof, test, content = read(folder)
    assert (oof.names, test.names) == (("x", "y"), ("z",))
    np.testing.assert_array_equal(oof.values, 0.5)
    assert {key: content[key] for key in PROVENANCE} == PROVENANCE
    assert content["made"].endswith("+00:00")
    assert "format" not in content
    change(folder)
    assert read(folder)[2] == content


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"fold_digest": "other"},
            r"with another fold table \(expected 00000000, received other\)\..*, or restore folds",
        ),
        ({"labels": ["haze", "clear"]}, "has other labels or another order"),
        ({"format": 1}, "was written by another version of the toolkit: expected format 2, received 1"),
        ({"files": 1}, "is damaged"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_makes_it_again(
    changes: dict[str, object], text: str, folder: Path
) -> None:
    change(folder, **changes)
    with pytest.raises(UserError, match=rf"{text}.*") as caught:
        read(folder)
    assert "python run.py blend --members MEMBERS --name ab" in str(caught.value)
    assert "python run.py scores import FILES --name ab" in str(caught.value)


def test_how_a_blend_is_made_again_is_known_from_its_own_record_or_its_submissions(folder: Path) -> None:
    made = {
        "method": "ridge",
        "rule": "optuna",
        "members": [{"name": "a", "kind": "model"}, {"name": "b's", "kind": "blend", "members": []}],
        "union": [],
        "extras": ["stats"],
        "exclusive": False,
        "alone": True,
        "calibration": "platt",
        "trials": 7,
    }
    command = (
        "blend --members 'a,b'\"'\"'s' --name ab --method ridge --rule optuna --extras stats --any-of-group --alone "
        "--calibration platt --trials 7"
    )
    (folder / MARKER).unlink()
    write_record(folder.parent.parent / "submissions" / "ab.json", made, version=2)
    assert again(folder) == {"to make it again": command}
    write_record(folder / MARKER, {**made, "trials": None, "method": "mean"}, version=2)
    assert again(folder)["to make it again"].endswith(
        "--method mean --rule optuna --extras stats --any-of-group --alone --calibration platt"
    )
    write_record(folder / MARKER, {"method": "imported"}, version=2)
    assert again(folder) == {"to import it again": "scores import FILES --name ab"}


def test_another_blend_under_its_name_is_not_taken_for_it_nor_made_in_its_place(folder: Path) -> None:
    other = folder.with_name("cd")
    shutil.copytree(folder, other)
    with pytest.raises(UserError, match=r"cd holds the blend 'ab'\. It is a copy .*ab\. .*--members MEMBERS --name cd"):
        read(other)
    read(folder)
    shutil.rmtree(folder)
    with pytest.raises(UserError, match=r"cd holds the blend 'ab'\. Rename it back to \S+ab\. To make it again"):
        read(other)


def test_a_change_by_hand_is_noticed(folder: Path) -> None:
    scores_of("x", "y", value=0.9).write(folder / "oof.npz")
    with pytest.raises(UserError, match=r"oof\.npz is missing or was changed after it was written"):
        read(folder)
    content = (folder / MARKER).read_text()
    (folder / MARKER).write_text(content.replace('"clear"', '"cloudy"'))
    with pytest.raises(UserError, match="is damaged: its digest is that of another content"):
        read(folder)


def test_scores_of_no_fold_table_of_ours_fit_any(folder: Path) -> None:
    change(folder, fold_digest=None)
    assert read_blend(folder, LABELS, "1" * 64)[0].names == ("x", "y")


@pytest.mark.parametrize("name", [MARKER, "oof.npz"])
def test_a_blend_that_has_lost_a_file_is_named_with_what_makes_it_again(tmp_path: Path, name: str) -> None:
    workspace = make_workspace(tmp_path)
    blend_of("m", ["a", "b"], workspace)
    (workspace.blends / "m" / name).unlink()
    with pytest.raises(UserError, match=rf'{name} is missing.* run "python run\.py blend --members .* --name m'):
        load_member("m", workspace, ScoreStore.of(workspace))


def test_the_old_blend_stays_until_the_new_one_is_complete(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(blend_files, "write_record", killed)
        with pytest.raises(KeyboardInterrupt):
            write_blend(folder, scores_of("new"), scores_of("z"), PROVENANCE)
    assert read(folder)[0].names == ("x", "y")
    write_blend(folder, scores_of("new"), scores_of("z"), PROVENANCE)
    assert read(folder)[0].names == ("new",)
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == ["ab"]


def test_a_blend_that_a_killed_process_moved_aside_comes_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.with_name(".ab.old"))
    assert blend_names(folder.parent) == []
    monkeypatch.setattr(blend_files, "write_record", None)
    with pytest.raises(TypeError):
        write_blend(folder, scores_of("new"), scores_of("z"), PROVENANCE)
    assert blend_names(folder.parent) == ["ab"]
    assert read(folder)[0].names == ("x", "y")


@pytest.mark.parametrize(
    "spoilt",
    [{"labels": None}, {"left_out": 5}, {"left_out": [[1]]}, {"members": [{}]}, {"fold_digest": 5}, {"files": 5}],
)
def test_a_record_of_other_kinds_of_values_is_damaged(tmp_path: Path, spoilt: dict[str, Any]) -> None:
    workspace = make_workspace(tmp_path)
    blend_of("m", ["a", "b"], workspace)
    path = workspace.blends / "m" / MARKER
    content = json.loads(path.read_text())
    del content["digest"]
    path.write_text(json.dumps({**content, **spoilt}))
    with pytest.raises(UserError, match=r"blend\.json is damaged: .*To make it again, run"):
        load_member("m", workspace, ScoreStore.of(workspace))


def test_weights_are_told_where_they_are_kept(folder):
    assert weights_of(folder) == {}, "of a mean"
    assert weights_of(folder.with_name("none")) == {}
    change(folder, weights={"a": 0.75, "b": 0.25})
    assert weights_of(folder) == {"a": 0.75, "b": 0.25}
