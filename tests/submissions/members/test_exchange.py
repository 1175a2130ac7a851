"""Scores from and for team mates."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competition.common.errors import UserError
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.members.coverage import lack_of_test_scores
from submissions.members.exchange import export_scores, import_scores
from submissions.members.members import load_member
from tests.submissions.samples import NUM_CHIPS, NUM_TEST, add_model, blend_of, make_workspace, one_hot


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


@pytest.mark.parametrize("suffix", ["csv", "npz", "CSV"])
def test_what_is_exported_comes_back_and_can_be_blended(workspace: Workspace, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    export_scores("a", path, workspace)
    oof, test = import_scores("theirs", [path], workspace)
    own = load_member("a", workspace, ScoreStore.of(workspace))
    np.testing.assert_allclose(oof.aligned(own.oof.names), own.oof.values, atol=1e-6)
    np.testing.assert_allclose(test.aligned(own.test.names), own.test.values, atol=1e-6)
    assert (len(oof.names), len(test.names)) == (NUM_CHIPS, NUM_TEST)
    blend = blend_of("both", ["theirs", "b"], workspace, rule="fixed")
    assert (
        blend.evaluation.cross_fitted == blend_of("same", ["a", "b"], workspace, rule="fixed").evaluation.cross_fitted
    )
    import_scores("theirs", [path], workspace)  # again replaces


def test_scores_survive_a_new_fold_table(workspace: Workspace, tmp_path: Path) -> None:
    export_scores("a", tmp_path / "a.npz", workspace)
    import_scores("theirs", [tmp_path / "a.npz"], workspace)
    rows = workspace.fold_table.read_text().splitlines()
    workspace.fold_table.write_text("\n".join([rows[0], *reversed(rows[1:])]) + "\n")
    fresh = Workspace(workspace.root, workspace.competition)
    assert len(load_member("theirs", fresh, ScoreStore.of(fresh)).oof.names) == NUM_CHIPS


def test_a_specialists_missing_labels_stay_missing(workspace: Workspace, tmp_path: Path) -> None:
    add_model(ScoreStore.of(workspace), "rare", workspace.labelled.truth, scored=["blow_down", "water"])
    for suffix in ("csv", "npz"):
        export_scores("rare", tmp_path / f"rare.{suffix}", workspace)
        oof, _ = import_scores(f"rare-{suffix}", [tmp_path / f"rare.{suffix}"], workspace)
        assert oof.scored.sum() == 2


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_labels_with_empty_columns_are_not_scored(workspace: Workspace, tmp_path: Path, suffix: str) -> None:
    scores, path = load_member("a", workspace, ScoreStore.of(workspace)).oof, tmp_path / f"a.{suffix}"
    frame = scores.frame(workspace.competition).rename_axis("image_name")
    frame[["water", "haze"]] = np.nan
    if suffix == "csv":
        frame.astype({"water": object}).fillna({"water": " NaN"}).to_csv(path)  # the other's cells are blank
    else:
        np.savez(path, names=np.array(frame.index, dtype=np.str_), scores=frame.to_numpy(), labels=list(frame.columns))
    oof, _ = import_scores("theirs", [path], workspace)
    labels = workspace.competition.labels
    assert {label for label, has in zip(labels, oof.scored, strict=True) if not has} == {"water", "haze"}
    np.testing.assert_allclose(oof.values[:, oof.scored], scores.values[:, oof.scored], atol=1e-6)
    frame[:] = np.nan
    frame.to_csv(tmp_path / "none.csv")
    with pytest.raises(UserError, match=r"none\.csv scores no label: its cells are empty\."):
        import_scores("none", [tmp_path / "none.csv"], workspace)


def test_two_files_make_one_member_and_oof_alone_is_enough_for_figures(workspace: Workspace, tmp_path: Path) -> None:
    export_scores("a", tmp_path / "a.csv", workspace)
    table = pd.read_csv(tmp_path / "a.csv")
    is_train = table.image_name.str.startswith("train")
    table[is_train].to_csv(tmp_path / "oof.csv", index=False)
    table[~is_train].to_csv(tmp_path / "test.csv", index=False)
    oof, test = import_scores("two", [tmp_path / "oof.csv", tmp_path / "test.csv"], workspace)
    assert (len(oof.names), len(test.names)) == (NUM_CHIPS, NUM_TEST)
    import_scores("half", [tmp_path / "oof.csv"], workspace)
    lacking = lack_of_test_scores([load_member("half", workspace, ScoreStore.of(workspace))], workspace)
    assert 'To import these too, run "python run.py scores import FILES --name half".' in str(lacking)
    with pytest.raises(UserError, match="needs out-of-fold scores"):
        import_scores("none", [tmp_path / "test.csv"], workspace)


def changed(workspace: Workspace, folder: Path, how: str) -> Path:
    path = folder / "a.csv"
    export_scores("a", path, workspace)
    table = pd.read_csv(path)
    if how == "nan":
        table.loc[3, "water"] = np.nan
    elif how == "range":
        table.loc[3, "water"] = 1.5
    elif how == "word":
        table["water"] = table["water"].astype(object)
        table.loc[3, "water"] = "wet"
    elif how == "label":
        table = table.rename(columns={"water": "watr"})
    elif how == "id":
        table.loc[3, "image_name"] = "train_x"
    elif how == "twice":
        table.loc[3, "image_name"] = table.loc[4, "image_name"]
    elif how == "column":
        table = table.drop(columns="image_name")
    elif how == "empty":
        table = table.iloc[:0]
    table.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ("nan", r"cells that are no score from 0 to 1: 1 \(line 5: water ''\)"),
        ("range", r"cells that are no score from 0 to 1: 1 \(line 5: water '1.5'\)"),
        ("word", r"cells that are no score from 0 to 1: 1 \(line 5: water 'wet'\)"),
        ("label", r"unknown labels: 'watr'. Known: agriculture, .* and 12 more"),
        ("id", r"1 of 340 ids are neither of the fold table nor of the sample submission: train_x\."),
        ("twice", r"repeated ids: 1 \(line 6: "),
        ("column", "lacks column 'image_name' of the ids; it has"),
        ("empty", "of 0 ids"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_and_nothing_is_kept(
    workspace: Workspace, tmp_path: Path, how: str, line: str
) -> None:
    with pytest.raises(UserError, match=line):
        import_scores("theirs", [changed(workspace, tmp_path, how)], workspace)
    assert not (workspace.blends / "theirs").exists()


def test_names_and_files_that_cannot_be_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    export_scores("a", tmp_path / "a.npz", workspace)
    blend_of("mine", ["a", "b"], workspace, rule="fixed")
    for name in ("a", "mine"):
        with pytest.raises(UserError, match=f"'{name}' is a model or blend of this workspace"):
            import_scores(name, [tmp_path / "a.npz"], workspace)
    with pytest.raises(UserError, match=r"ends in \.csv or \.npz"):
        export_scores("a", tmp_path / "a.txt", workspace)
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"Cannot read .*bad.npz"):
        import_scores("theirs", [tmp_path / "bad.npz"], workspace)
    with pytest.raises(UserError, match="No file"):
        import_scores("theirs", [tmp_path / "no.csv"], workspace)
    np.savez(tmp_path / "pickled.npz", names=np.array([{}], dtype=object), scores=np.zeros((1, 17)))
    with pytest.raises(UserError, match=r"Cannot read .*pickled.npz"):
        import_scores("theirs", [tmp_path / "pickled.npz"], workspace)
    export_scores("a", tmp_path / "turned.npz", workspace)
    content = bytearray((tmp_path / "turned.npz").read_bytes())
    content[0] ^= 1  # NumPy takes that for a pickle, and says how to load it unsafely
    (tmp_path / "turned.npz").write_bytes(content)
    with pytest.raises(
        UserError, match=r"turned.npz, which is damaged, or no file of scores: .*scores export"
    ) as wrong:
        import_scores("theirs", [tmp_path / "turned.npz"], workspace)
    assert "pickle" not in str(wrong.value)


@pytest.mark.parametrize("damage", ["[]", '{"a'])
def test_imported_scores_that_are_damaged_are_imported_again(workspace: Workspace, tmp_path: Path, damage: str) -> None:
    export_scores("a", tmp_path / "a.npz", workspace)
    import_scores("theirs", [tmp_path / "a.npz"], workspace)
    (workspace.blends / "theirs" / "oof.npz").write_bytes(b"")
    import_scores("theirs", [tmp_path / "a.npz"], workspace)
    (workspace.blends / "theirs" / "blend.json").write_text(damage)
    import_scores("theirs", [tmp_path / "a.npz"], workspace)
    assert load_member("theirs", workspace, ScoreStore.of(workspace)).name == "theirs"


def test_a_file_of_which_any_byte_is_wrong_is_one_line(workspace: Workspace, tmp_path: Path) -> None:
    export_scores("a", path := tmp_path / "a.npz", workspace)
    whole = path.read_bytes()
    for position in [*range(0, 400, 3), *range(len(whole) - 400, len(whole), 3)]:
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x41]) + whole[position + 1 :])
        with contextlib.suppress(UserError):
            import_scores("theirs", [path], workspace)


def test_ids_of_labelled_chips_and_of_chips_to_predict_may_be_alike(tmp_path: Path) -> None:
    """As where both are numbered from 0, in folders of their own."""
    workspace = make_workspace(tmp_path, models=())
    path = workspace.layout.table("sample_submission_v2.csv")
    path.write_text("image_name,tags\n" + "".join(f"train_{i},clear\n" for i in range(NUM_TEST)))
    labels, random = workspace.competition.labels, np.random.default_rng(0)
    values = {"oof": random.random((NUM_CHIPS, 17)), "test": random.random((NUM_TEST, 17))}
    for name, of in values.items():
        frame = pd.DataFrame(of, index=pd.Index([f"train_{i}" for i in range(len(of))], name="image_name"))
        frame.set_axis(list(labels), axis=1).to_csv(tmp_path / f"{name}.csv")
    with pytest.raises(
        UserError, match=r"cannot be told apart: train_0, .*Give those of chips to predict .* --test FILE\."
    ):
        import_scores("theirs", [tmp_path / "oof.csv"], workspace)
    oof, test = import_scores("theirs", [tmp_path / "oof.csv"], workspace, test=[tmp_path / "test.csv"])
    for scores, name in ((oof, "oof"), (test, "test")):
        np.testing.assert_allclose(scores.values, values[name], atol=1e-6)
    with pytest.raises(UserError, match=r"one file cannot hold both: train_0, .* --test FILE\."):
        export_scores("theirs", tmp_path / "both.npz", workspace)
    for split, name in (("train", "oof"), ("test", "test")):
        export_scores("theirs", tmp_path / f"{name}.npz", workspace, split=split)
    again = import_scores("again", [tmp_path / "oof.npz"], workspace, test=[tmp_path / "test.npz"])
    np.testing.assert_array_equal(again[1].values, test.values)
    with pytest.raises(UserError, match=r"260 of 300 ids are not of the sample submission: train_40"):
        import_scores("swapped", [tmp_path / "test.npz"], workspace, test=[tmp_path / "oof.npz"])


def test_labels_with_blanks_and_commas_are_columns(tmp_path: Path) -> None:
    competition = one_hot(tmp_path).model_copy(update={"labels": ("wet sand", "rock, big", "kelp")})
    workspace = make_workspace(tmp_path, models=(), competition=competition)
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.random((NUM_CHIPS, 3)), columns=list(competition.labels))
    frame.insert(0, "id", [f"train_{i}" for i in range(NUM_CHIPS)])
    frame.assign(tags="x").to_csv(tmp_path / "theirs.csv", index=False)
    oof, _ = import_scores("theirs", [tmp_path / "theirs.csv"], workspace)
    np.testing.assert_allclose(oof.values, frame[list(competition.labels)], atol=1e-6)


def test_a_file_with_other_delimiters_is_told_so(workspace: Workspace, tmp_path: Path) -> None:
    export_scores("a", path := tmp_path / "a.csv", workspace)
    path.write_text(path.read_text().replace(",", ";"))
    with pytest.raises(
        UserError, match=r"lacks column 'image_name' .* parted by ';': write it with ',' between them\."
    ):
        import_scores("theirs", [path], workspace)
