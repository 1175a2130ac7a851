from __future__ import annotations

import os
import shutil
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner

import submissions.share.pull as pulling
from competition.common.errors import UserError
from competition.common.records import write_record
from competition.workspace import Workspace
from folds.store.chip_weights import read_weights
from folds.store.kept import KeptFolds
from folds.store.pseudo_labels import PseudoLabels
from folds.store.score_store import ScoreStore
from run import main
from submissions.pseudo.make import make_pseudo
from submissions.share.artefacts import Choice
from submissions.share.pull import pull
from submissions.share.push import push
from tests.object_store import KEY, SECRET, object_store
from tests.submissions.samples import add_model, blend_of, draw_truth, make_workspace, planet
from tests.submissions.shift.samples import weigh

URL = "memory://team"


@pytest.fixture(autouse=True)
def _empty() -> None:
    fsspec.filesystem("memory").store.clear()


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Two workspaces of the same chips and folds; one has two models."""
    root = tmp_path_factory.mktemp("made")
    make_workspace(root / "ours", models=("a", "b"))
    make_workspace(root / "theirs", models=())
    return root


@pytest.fixture
def ours(made: Path, tmp_path: Path) -> Workspace:
    return Workspace(Path(shutil.copytree(made / "ours/workspace", tmp_path / "ours")), planet())


@pytest.fixture
def theirs(made: Path, tmp_path: Path) -> Workspace:
    return Workspace(Path(shutil.copytree(made / "theirs/workspace", tmp_path / "theirs")), planet())


def train(workspace: Workspace, model: str, seed: int, folds: list[int] | None = None) -> None:
    add_model(ScoreStore.of(workspace), model, draw_truth(planet(), 300), seed, folds=folds)


def files_of(root: Path) -> dict[str, bytes]:
    """What a workspace has, without locks."""
    found = (path for path in root.rglob("*") if path.is_file() and not path.name.endswith(".lock"))
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def exchange(url: str, ours: Workspace, theirs: Workspace) -> None:
    push(ours, url, Choice())
    assert pull(theirs, url, Choice()).there == 1  # the folds
    train(theirs, "c", 7)
    assert [key for key in push(theirs, url, Choice()).moved if "c" not in key] == []
    assert pull(ours, url, Choice()).moved == ("runs/c/fold0", "runs/c/fold1", "runs/c/fold2")
    assert blend_of("all", ["a", "b", "c"], ours).oof.values.shape[0] == 300
    assert [move(theirs, url, Choice()).moved for move in (pull, push)] == [(), ()]


def test_two_people_share_their_models_and_blend_them_all(ours: Workspace, theirs: Workspace) -> None:
    exchange(URL, ours, theirs)
    for model in "abc":
        here, there = (ScoreStore.of(workspace).join(model) for workspace in (ours, theirs))
        assert (here.oof.values == there.oof.values).all()
    assert not theirs.pulled.exists()


def test_an_object_store_serves_as_well_and_its_secrets_are_not_shown(
    ours: Workspace, theirs: Workspace, monkeypatch, capfd
) -> None:
    with object_store() as bucket:
        exchange(f"{bucket}/planet", ours, theirs)
        for url in ("s3://no-such-bucket/x", "s3://team/nothing"):
            with pytest.raises(UserError) as refused:
                pull(theirs, url, Choice())
            assert SECRET not in str(refused.value)
            assert KEY not in str(refused.value)
    assert SECRET not in "".join(capfd.readouterr())


def test_a_new_workspace_gets_the_fold_table_too(ours: Workspace, tmp_path: Path) -> None:
    push(ours, URL, Choice())
    fresh = Workspace(tmp_path / "fresh", ours.competition)
    pull(fresh, URL, Choice())
    assert fresh.fold_table.read_bytes() == ours.fold_table.read_bytes()


@pytest.mark.parametrize("killed", ["pull", "folds"])
def test_a_pull_goes_on_where_the_fold_table_was_not_written(killed: str, ours: Workspace, tmp_path: Path) -> None:
    digest, fresh = KeptFolds(ours).read().digest, Workspace(tmp_path / "fresh", ours.competition)
    for workspace, noted in ((ours, digest), (fresh, digest if killed == "pull" else "8" * 64)):
        content = {"fold_digest": noted, "settings": {"k": 3, "seed": 0}}
        write_record(workspace.root / "folds.json", content, version=1)
    push(ours, URL, Choice())
    pull(fresh, URL, Choice())
    assert files_of(fresh.runs) == files_of(ours.runs)
    assert KeptFolds(fresh).read().digest == digest


def test_what_is_there_and_differs_stays_unless_forced(ours: Workspace, theirs: Workspace) -> None:
    train(theirs, "a", 9, folds=[1])
    push(ours, URL, Choice())
    before = files_of(theirs.runs / "a/fold1")
    moved = pull(theirs, URL, Choice())
    assert moved.differing == ("runs/a/fold1",)
    with pytest.raises(UserError, match=r"Left as it is here, as here and there differ: runs/a/fold1.*--force"):
        moved.check()
    assert files_of(theirs.runs / "a/fold1") == before
    assert len(moved.moved) == 5
    assert pull(theirs, URL, Choice(), force=True).moved == ("runs/a/fold1",)
    assert files_of(theirs.runs) == files_of(ours.runs)


def test_folds_of_a_model_with_another_recipe_are_left_alone(ours: Workspace, theirs: Workspace) -> None:
    for workspace in (ours, theirs):
        (workspace.runs / "a").mkdir(parents=True, exist_ok=True)
        (workspace.runs / "a/recipe.json").write_text(str(workspace.root))
    push(ours, URL, Choice())
    assert pull(theirs, URL, Choice()).differing == ("runs/a", "runs/a/fold0", "runs/a/fold1", "runs/a/fold2")
    assert not (theirs.runs / "a/fold0").exists()


def test_only_what_is_named_comes(ours: Workspace, theirs: Workspace) -> None:
    blend_of("mean", ["a", "b"], ours)
    push(ours, URL, Choice())
    pull(theirs, URL, Choice(models=("b",)))
    assert ScoreStore.of(theirs).models() == ["b"]
    pull(theirs, URL, Choice(blends=("mean",)))
    assert files_of(theirs.blends) == files_of(ours.blends)
    with pytest.raises(UserError, match=r"Unknown model 'z'. Known: a, b\."):
        pull(theirs, URL, Choice(models=("z",)))


def test_an_interrupted_pull_shows_nothing_half_and_goes_on(ours: Workspace, theirs: Workspace, monkeypatch) -> None:
    push(ours, URL, Choice())
    fetch, fetched = pulling.fetch, []

    def breaking(place, name, content, target, on_bytes) -> None:
        fetched.append(name)
        if len(fetched) == 8:
            raise KeyboardInterrupt
        fetch(place, name, content, target, on_bytes)

    monkeypatch.setattr("submissions.share.pushed.AT_ONCE", 1)
    monkeypatch.setattr(pulling, "fetch", breaking)
    with pytest.raises(KeyboardInterrupt):
        pull(theirs, URL, Choice())
    store = ScoreStore.of(theirs)
    whole = [(model, fold) for model in store.models() for fold in store.folds_of(model)]
    assert 2 <= len(whole) < 6
    assert all(store.read(*each).heldout.names for each in whole)
    pull(theirs, URL, Choice())
    assert len(fetched) == 18 + 1  # each file once, and the one in which it was interrupted
    assert files_of(theirs.runs) == files_of(ours.runs)


def test_a_damaged_file_is_named_and_does_not_come(ours: Workspace, theirs: Workspace) -> None:
    push(ours, URL, Choice())
    store = fsspec.filesystem("memory")
    (path,) = store.glob("/team/runs/a/fold1/test.*")
    whole = store.cat(path)
    for content in (whole[:-1], whole[:-1] + b"?", whole + b"?" * 1000):
        store.pipe(path, content)
        with pytest.raises(UserError, match=r"runs/a/fold1/test\.\w+\.npz is damaged.*--force"):
            pull(theirs, URL, Choice())
        assert not ScoreStore.of(theirs).is_complete("a", 1)
    push(ours, URL, Choice(), force=True)
    pull(theirs, URL, Choice())
    assert files_of(theirs.runs) == files_of(ours.runs)


def test_other_folds_are_refused(ours: Workspace, theirs: Workspace, tmp_path: Path) -> None:
    push(ours, URL, Choice())
    other = make_workspace(tmp_path / "other", models=("d",), num_chips=200)
    for move in (pull, push):
        with pytest.raises(UserError, match=r"another fold table: expected .*, received"):
            move(other, URL, Choice())


def test_an_empty_place_says_so(theirs: Workspace) -> None:
    with pytest.raises(UserError, match="Nothing was pushed to memory://team"):
        pull(theirs, URL, Choice())


def test_a_fold_that_is_being_trained_here_is_not_touched(ours: Workspace, theirs: Workspace) -> None:
    push(ours, URL, Choice())
    log = theirs.runs / "a/fold0/train.log"
    log.parent.mkdir(parents=True)
    log.write_text("begun")
    assert pull(theirs, URL, Choice()).differing == ("runs/a/fold0",)
    assert os.listdir(log.parent) == ["train.log"]


def test_an_unfinished_fold_goes_on_elsewhere_where_that_is_asked_for(ours: Workspace, theirs: Workspace) -> None:
    begun = ours.runs / "new/fold0"
    for name in ("job.json", "history.json", "checkpoints/epoch00001/state.json", "checkpoints/epoch00001/weights.npy"):
        (begun / name).parent.mkdir(parents=True, exist_ok=True)
        (begun / name).write_text(name)
    assert "runs/new/fold0/unfinished" not in push(ours, URL, Choice()).moved
    push(ours, URL, Choice(unfinished=True))
    pull(theirs, URL, Choice())
    assert not (theirs.runs / "new").exists()
    pull(theirs, URL, Choice(unfinished=True))
    assert files_of(theirs.runs / "new") == files_of(ours.runs / "new")


def test_what_is_damaged_here_is_named_and_can_be_had_back_alone(ours: Workspace, theirs: Workspace) -> None:
    blend_of("mean", ["a", "b"], ours)
    push(ours, URL, Choice())
    pull(theirs, URL, Choice())
    for name in ("runs/a/fold1/heldout.npz", "blends/mean/oof.npz"):
        (theirs.root / name).write_bytes(b"?")
    train(theirs, "b", 9, folds=[2])
    moved = pull(theirs, URL, Choice())
    assert (moved.damaged, len(moved.differing)) == (("runs/a/fold1", "blends/mean"), 3)
    with pytest.raises(UserError, match=r"Damaged: runs/a/fold1, blends/mean, in this workspace.*--force") as said:
        moved.check()
    assert "--what runs,blends --models a --blends mean --force" in str(said.value)
    pull(theirs, URL, Choice(("runs", "blends"), ("a",), ("mean",)), force=True)
    assert pull(theirs, URL, Choice()).differing == ("runs/b/fold2",)


def test_what_comes_next_is_the_data_where_there_are_none(ours: Workspace, tmp_path: Path) -> None:
    push(ours, str(tmp_path / "place"), Choice())
    for root, following in ((tmp_path / "fresh", "data prepare --from DIR"), (ours.root, "status")):
        flags = ["--workspace", str(root)]
        said = CliRunner().invoke(main, ["workspace", "pull", str(tmp_path / "place"), *flags]).output
        assert f"Next: python run.py {following} --workspace {root}" in said


def test_what_labels_and_weighs_chips_for_training_comes_and_serves(ours: Workspace, theirs: Workspace) -> None:
    make_pseudo("p", "a", ours)
    make_pseudo("q", "b", ours)
    weigh(ours, "primary")
    push(ours, URL, Choice())
    assert "shift" in pull(theirs, URL, Choice(models=("a",))).moved  # which is of all models
    assert not theirs.pseudo.exists()
    assert pull(theirs, URL, Choice(pseudo=("p",))).moved == ("pseudo/p",)
    assert (read_weights(theirs).values == read_weights(ours).values).all()
    assert (PseudoLabels.open(theirs, "p").of_fold(1).targets == PseudoLabels.open(ours, "p").of_fold(1).targets).all()
    pull(theirs, URL, Choice())
    assert files_of(theirs.pseudo) == files_of(ours.pseudo)
    with pytest.raises(UserError, match=r"Unknown pseudo-labels 'z'. Known: p, q\."):
        pull(theirs, URL, Choice(pseudo=("z",)))


def test_pseudo_labels_that_are_damaged_anywhere_neither_come_nor_go(ours: Workspace, theirs: Workspace) -> None:
    make_pseudo("p", "a", ours)
    weigh(ours)
    push(ours, URL, Choice())
    store = fsspec.filesystem("memory")
    (path,) = store.glob("/team/pseudo/p/fold1.*")
    store.pipe(path, store.cat(path)[:-1])
    with pytest.raises(UserError, match=r"pseudo/p/fold1\.\w+\.npz is damaged.*--force"):
        pull(theirs, URL, Choice())
    assert not (theirs.pseudo / "p").exists()
    push(ours, URL, Choice(), force=True)
    pull(theirs, URL, Choice())
    (theirs.pseudo / "p/fold2.npz").write_bytes(b"?")
    (theirs.root / "shift.json").write_text("{")
    moved = pull(theirs, URL, Choice())
    assert moved.damaged == ("shift", "pseudo/p")
    with pytest.raises(UserError, match=r"pull memory://team --what shift,pseudo --pseudo p --force"):
        moved.check()
    assert push(theirs, "memory://other", Choice(("shift", "pseudo"))).unsent.keys() == {"shift", "pseudo/p"}
    pull(theirs, URL, Choice(("shift", "pseudo"), pseudo=("p",)), force=True)
    assert files_of(theirs.pseudo) == files_of(ours.pseudo)
    assert read_weights(theirs).values.any()
