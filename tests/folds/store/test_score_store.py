"""The score store."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.common.errors import UserError
from folds.dealing.table import FoldTable
from folds.store import score_store as scores_module
from folds.store.provenance import Provenance
from folds.store.score_store import FoldScores, ScoreStore
from folds.store.scores import Scores

LABELS = ("sand", "rock", "kelp")
NAMES = tuple(f"dive_{i}" for i in range(12))
TEST = ("t2", "t0", "t1")
K = 3


def make_table(num_repeats: int = 1, shift: int = 0) -> FoldTable:
    """Make folds of which each holds out four chips that do not lie together."""
    chips = np.arange(len(NAMES))
    folds = np.stack([r * K + (chips * (r + 1) + shift + chips // 3) % K for r in range(num_repeats)])
    return FoldTable(NAMES, folds, K)


def value(name: str, fold: int) -> list[float]:
    """Scores that tell chip and fold."""
    return [int(name.removeprefix("dive_").removeprefix("t")) / 100, fold / 10, 0.5]


def fold_scores(table: FoldTable, fold: int, model: str = "m", **change: Any) -> FoldScores:
    held = [name for name, is_held in zip(NAMES, table.heldout(fold), strict=True) if is_held][::-1]
    provenance = Provenance(
        model, fold, LABELS, LABELS, table.digest, "labels", "recipe", ("identity",), (), {"numpy": "2"}
    )
    return FoldScores(
        replace(provenance, **change),
        Scores(tuple(held), np.array([value(name, fold) for name in held], dtype=np.float32)),
        Scores(TEST, np.array([value(name, fold) for name in TEST], dtype=np.float32)),
    )


@pytest.fixture
def store(tmp_path: Path) -> ScoreStore:
    return ScoreStore(tmp_path / "runs", LABELS, make_table())


def fill(store: ScoreStore, folds: Any = range(K), **change: Any) -> None:
    for fold in folds:
        store.write(fold_scores(store.table, fold, **change))


def change_marker(marker: Path, **values: Any) -> None:
    """Change a marker as if it had been written so, by a version that wrote no digest into it."""
    content = json.loads(marker.read_text())
    del content["digest"]
    marker.write_text(json.dumps({**content, **values}))


def test_what_is_written_is_read(store: ScoreStore) -> None:
    written = fold_scores(store.table, 1)
    store.write(written)
    read = store.read("m", 1)
    assert read.provenance == written.provenance
    for ours, theirs in ((read.heldout, written.heldout), (read.test, written.test)):
        assert ours.names == theirs.names
        np.testing.assert_array_equal(ours.values, theirs.values)
        assert ours.values.dtype == np.float32
    assert store.models() == ["m"]
    assert store.folds_of("m") == [1]
    assert sorted(path.name for path in store.folder("m", 1).iterdir()) == ["heldout.npz", "scores.json", "test.npz"]


def test_further_chips_have_a_file_of_their_own_while_there_are_any(store: ScoreStore) -> None:
    written = fold_scores(store.table, 1)
    values = np.array([value("t7", 1)], dtype=np.float32)
    store.write(replace(written, further=Scores(("t7",), values)))
    np.testing.assert_array_equal(store.read("m", 1).further.values, values)
    assert store.read("m", 1).test.names == TEST
    (store.folder("m", 1) / "further.npz").write_bytes(b"?")
    with pytest.raises(UserError, match=r"further\.npz is missing or was changed"):
        store.read("m", 1)
    store.write(written)
    assert store.read("m", 1).further.names == ()
    assert not (store.folder("m", 1) / "further.npz").exists()


@pytest.mark.parametrize("killed_at", ["heldout.npz", "test.npz", "scores.json"])
@pytest.mark.parametrize("again", [False, True])
def test_without_the_marker_the_scores_are_not_there(
    store: ScoreStore, monkeypatch: pytest.MonkeyPatch, killed_at: str, again: bool
) -> None:
    if again:
        fill(store)
    place, name = (scores_module, "write_record") if killed_at == "scores.json" else (Scores, "write")
    original = getattr(place, name)

    def killed(*arguments: Any, **options: Any) -> None:
        if any(isinstance(argument, Path) and argument.name == killed_at for argument in arguments):
            raise KeyboardInterrupt
        original(*arguments, **options)

    monkeypatch.setattr(place, name, killed)
    with pytest.raises(KeyboardInterrupt):
        store.write(fold_scores(store.table, 0))
    assert not store.is_complete("m", 0)
    with pytest.raises(
        UserError, match=r"Fold 0 of 'm' has no scores yet. Run \"python run.py fold --model m --fold 0\""
    ):
        store.read("m", 0)


def test_joined_scores_are_complete_and_in_the_tables_order(store: ScoreStore) -> None:
    fill(store)
    joined = store.join("m")
    assert joined.oof.names == NAMES
    expected = [value(name, fold) for name, fold in zip(NAMES, store.table.folds[0], strict=True)]
    np.testing.assert_allclose(joined.oof.values, expected, rtol=1e-6)
    assert joined.test.names == TEST
    np.testing.assert_allclose(joined.test.values, [value(name, 1) for name in TEST], rtol=1e-6)  # folds 0, 1, 2
    assert sorted(joined.test_by_fold) == [0, 1, 2]
    assert joined.recipe_digest == "recipe"


def test_several_repeats_are_averaged_and_an_unfinished_one_is_not_used(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path, LABELS, make_table(num_repeats=2))
    fill(store, [0, 1, 2, 4])
    first = store.join("m").oof.values
    assert sorted(store.join("m").test_by_fold) == [0, 1, 2]
    fill(store, [3, 5])
    joined = store.join("m")
    by_repeat = [[value(name, fold) for name, fold in zip(NAMES, folds, strict=True)] for folds in store.table.folds]
    np.testing.assert_allclose(first, by_repeat[0], rtol=1e-6)
    np.testing.assert_allclose(joined.oof.values, np.mean(by_repeat, axis=0), rtol=1e-6)
    assert sorted(joined.test_by_fold) == [0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(joined.test.values[:, 1], 0.25, rtol=1e-6)


def test_missing_folds_are_named(store: ScoreStore) -> None:
    fill(store, [1])
    with pytest.raises(UserError, match=r"'m' lacks folds 0, 2 of 3. Run \"python run.py train --models m\""):
        store.join("m")
    fill(store, [0])
    with pytest.raises(UserError, match=r"'m' lacks fold 2 of 3"):
        store.join("m")
    with pytest.raises(UserError, match=r"Unknown model 'n'. Known: m"):
        store.join("n")


def test_scores_of_another_fold_table_are_refused(store: ScoreStore) -> None:
    fill(store)
    other = ScoreStore(store.root, LABELS, make_table(shift=1))
    fix = r"another fold table \(expected .{8}, received .{8}\)\. Restore the folds\.csv .* --restart\"\.$"
    for read in (lambda: other.read("m", 0), lambda: other.join("m"), lambda: other.provenance("m", 0)):
        with pytest.raises(UserError, match=fix):
            read()
    with pytest.raises(ValueError, match="another fold table"):
        other.write(fold_scores(store.table, 0))


def test_scores_of_other_labels_or_another_order_are_refused(store: ScoreStore) -> None:
    fill(store)
    other = ScoreStore(store.root, LABELS[::-1], store.table)
    with pytest.raises(
        UserError,
        match=r"other labels or another order than the competition file: sand rock kelp. Run .*--restart\"\.$",
    ):
        other.join("m")
    with pytest.raises(ValueError, match="other labels"):
        other.write(fold_scores(store.table, 0))


@pytest.mark.parametrize(
    ("change", "what"), [({"recipe_digest": "new"}, "recipe"), ({"views": ("identity", "flip")}, "test-time views")]
)
def test_folds_made_differently_are_refused(store: ScoreStore, change: dict[str, Any], what: str) -> None:
    fill(store)
    fill(store, [2], **change)
    with pytest.raises(UserError, match=rf"Folds 0 and 2 of 'm' differ in {what}. Run .*--models m --restart"):
        store.join("m")


def specialist(table: FoldTable, fold: int, scored: tuple[str, ...] = LABELS[1:]) -> FoldScores:
    """Return scores of some labels only."""
    made = fold_scores(table, fold, scored=scored)
    for scores in (made.heldout, made.test):
        scores.values[:, [label not in scored for label in LABELS]] = np.nan
    return made


def test_labels_that_are_not_scored_stay_so_through_store_and_join(store: ScoreStore) -> None:
    for fold in range(K):
        store.write(specialist(store.table, fold))
    read, joined = store.read("m", 1), store.join("m")
    assert read.provenance.scored == LABELS[1:]
    np.testing.assert_array_equal(read.heldout.values, specialist(store.table, 1).heldout.values)
    for scores in (read.heldout, read.test, joined.oof, joined.test, *joined.test_by_fold.values()):
        assert scores.scored.tolist() == [False, True, True]
        assert np.isnan(scores.values[:, 0]).all()
    assert joined.oof.names == NAMES


def test_folds_that_score_other_labels_are_refused(store: ScoreStore) -> None:
    fill(store)
    store.write(specialist(store.table, 2))
    with pytest.raises(UserError, match=r"Folds 0 and 2 of 'm' differ in labels scored. Run .*--models m --restart"):
        store.join("m")


@pytest.mark.parametrize("said", [LABELS, LABELS[:2], LABELS[2:]])
def test_scores_of_other_labels_than_said_are_neither_written_nor_read(
    store: ScoreStore, said: tuple[str, ...]
) -> None:
    made = specialist(store.table, 1)
    wrong = replace(made, provenance=replace(made.provenance, scored=said))
    with pytest.raises(ValueError, match="do not fit the labels said to be scored"):
        store.write(wrong)
    store.write(made)
    marker = store.folder("m", 1) / "scores.json"
    change_marker(marker, scored=said)
    with pytest.raises(UserError, match=rf"expected {', '.join(said)}. Run .*--fold 1 --restart\"\.$"):
        store.read("m", 1)


@pytest.mark.parametrize("scored", [(), ("sand", "mud"), ("kelp", "sand"), ("sand", "sand")])
def test_labels_scored_are_some_of_the_labels_in_their_order(store: ScoreStore, scored: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="must be some of"):
        fold_scores(store.table, 0, scored=scored)
    fill(store, [0])
    marker = store.folder("m", 0) / "scores.json"
    change_marker(marker, scored=scored)
    with pytest.raises(UserError, match=r"scores.json is damaged"):
        store.read("m", 0)


def test_folds_that_predict_other_chips_are_refused(store: ScoreStore) -> None:
    fill(store)
    made = fold_scores(store.table, 1)
    store.write(replace(made, test=Scores(TEST[::-1], made.test.values)))
    with pytest.raises(UserError, match="Folds 0 and 1 of 'm' differ in test chips"):
        store.join("m")


@pytest.mark.parametrize("lost", [0, -1])
def test_a_fold_that_lacks_a_chip_it_held_out_is_refused(store: ScoreStore, lost: int) -> None:
    fill(store)
    made = fold_scores(store.table, 1)
    keep = [i for i in range(4) if i != lost % 4]
    store.write(replace(made, heldout=Scores(tuple(made.heldout.names[i] for i in keep), made.heldout.values[keep])))
    with pytest.raises(UserError, match="'m' fold 1 does not score the chips it held out"):
        store.join("m")


def test_chips_left_out_as_broken_are_left_out_of_the_whole(store: ScoreStore) -> None:
    fill(store)
    made = fold_scores(store.table, 1, left_out=(fold_scores(store.table, 1).heldout.names[2],))
    keep = [0, 1, 3]
    heldout = Scores(tuple(made.heldout.names[i] for i in keep), made.heldout.values[keep])
    store.write(replace(made, heldout=heldout))
    joined = store.join("m")
    assert joined.left_out == made.provenance.left_out
    assert joined.oof.names == tuple(name for name in NAMES if name not in joined.left_out)


def test_a_broken_chip_to_predict_leaves_out_no_labelled_chip_of_the_same_id(store: ScoreStore) -> None:
    fill(store)
    made = fold_scores(store.table, 1)
    name = made.heldout.names[2]
    store.write(replace(made, provenance=replace(made.provenance, test_left_out=(name,))))
    joined = store.join("m")
    assert (joined.oof.names, joined.left_out, joined.test_left_out) == (NAMES, (), (name,))


@pytest.mark.parametrize("name", ["heldout.npz", "test.npz"])
@pytest.mark.parametrize("damage", ["gone", "short", "empty"])
def test_a_damaged_file_is_noticed(store: ScoreStore, name: str, damage: str) -> None:
    fill(store)
    path = store.folder("m", 1) / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9] if damage == "short" else b"")
    fix = rf'{name} is missing or was changed after it was written. Run "python run.py fold .*--fold 1 --restart"\.'
    with pytest.raises(UserError, match=fix):
        store.join("m")


def test_the_marker_has_what_the_scores_were_made_with(store: ScoreStore) -> None:
    fill(store)
    content = json.loads((store.folder("m", 2) / "scores.json").read_text())
    assert content["fold_digest"] == store.table.digest
    assert content["labels"] == list(LABELS)
    assert content["views"] == ["identity"]


def test_a_model_is_known_by_its_recipe_and_not_by_a_start_that_failed(store: ScoreStore) -> None:
    store.folder("m", 0).mkdir(parents=True)
    assert store.models() == []
    (store.root / "m/recipe.json").write_text("{}")
    assert store.models() == ["m"]
    assert store.folds_of("m") == []
    shutil.rmtree(store.root)
    assert store.models() == []


def test_scores_of_other_labels_of_the_chips_are_refused(store: ScoreStore) -> None:
    fill(store)
    changed = ScoreStore(store.root, LABELS, store.table, label_digest="other")
    with pytest.raises(UserError, match=r"labels were changed since 'm' fold 0 was trained .* --restart"):
        changed.join("m")


def test_a_fold_that_was_copied_to_another_is_refused(store: ScoreStore) -> None:
    fill(store)
    shutil.rmtree(store.folder("m", 1))
    shutil.copytree(store.folder("m", 0), store.folder("m", 1))
    with pytest.raises(
        UserError, match=r"fold1 holds 'm' fold 0, .* it is a copy of \S+fold0\. Take it away\. .*--restart"
    ):
        store.join("m")


def test_a_marker_without_the_files_digests_is_refused(store: ScoreStore) -> None:
    fill(store)
    marker = store.folder("m", 0) / "scores.json"
    change_marker(marker, files={})
    with pytest.raises(UserError, match=r"heldout\.npz is missing or was changed"):
        store.read("m", 0)
