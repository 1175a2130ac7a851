from __future__ import annotations

import shutil
from pathlib import Path

import fsspec
import pytest
from click.testing import CliRunner

import submissions.share.push as pushing
from competition.artefacts.looked import Looked
from competition.common.errors import UserError
from competition.common.locks import BusyError
from competition.remote.places import Place
from competition.workspace import Workspace
from folds.store.alone import alone
from run import main
from submissions.share.artefacts import Artefact, Choice
from submissions.share.push import push
from submissions.share.pushed import Files
from tests.submissions.samples import make_workspace, one_hot

URL = "memory://team"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    fsspec.filesystem("memory").store.clear()
    return make_workspace(tmp_path, models=("a",))


def test_what_is_there_is_not_sent_again(workspace: Workspace) -> None:
    first = push(workspace, URL, Choice())
    assert (len(first.moved), first.there) == (4, 0)
    before = dict(fsspec.filesystem("memory").store)
    again = push(workspace, URL, Choice())
    assert (again.moved, again.there, again.size) == ((), 4, 0)
    assert fsspec.filesystem("memory").store == before


def test_an_interrupted_push_shows_nothing_and_goes_on(workspace: Workspace, monkeypatch) -> None:
    put, sent = pushing.put, []

    def breaking(*arguments, **options) -> bool:
        if len(sent) == 5:
            raise KeyboardInterrupt
        sent.append(put(*arguments, **options))
        return sent[-1]

    with monkeypatch.context() as patch:
        patch.setattr("submissions.share.pushed.AT_ONCE", 1)
        patch.setattr(pushing, "put", breaking)
        with pytest.raises(KeyboardInterrupt):
            push(workspace, URL, Choice())
    store = fsspec.filesystem("memory")
    assert not store.glob("/team/pushes/*")
    sends = []
    monkeypatch.setattr(pushing, "put", lambda *a, **o: sends.append(put(*a, **o)))
    push(workspace, URL, Choice())
    assert sends.count(False) == 5
    assert len(store.glob("/team/pushes/*")) == 1


def test_what_is_there_and_differs_stays_unless_forced(workspace: Workspace) -> None:
    push(workspace, URL, Choice())
    log = workspace.runs / "a/fold1/train.log"
    log.write_text("trained again")
    moved = push(workspace, URL, Choice())
    assert (moved.moved, moved.differing) == ((), ("runs/a/fold1",))
    with pytest.raises(UserError, match=r"Left as it is there, as there and here differ: runs/a/fold1.*--force"):
        moved.check()
    assert "runs/a/fold1" in push(workspace, URL, Choice(), force=True).moved
    assert push(workspace, URL, Choice()).there == 4


def test_an_unfinished_fold_that_is_at_work_is_not_sent(workspace: Workspace) -> None:
    fold = workspace.runs / "new/fold0"
    (fold / "seed1").mkdir(parents=True)
    (fold / "job.json").write_text("begun")
    for folder in (fold, fold / "seed1"):
        with alone(folder), pytest.raises(BusyError, match="Another process is at 'new' fold 0"):
            push(workspace, URL, Choice(unfinished=True))
    assert "runs/new/fold0/unfinished" in push(workspace, URL, Choice(unfinished=True)).moved


def test_a_fold_that_is_replaced_while_it_is_looked_at_is_not_mixed(workspace: Workspace, monkeypatch) -> None:
    read = pushing.contents
    (workspace.runs / "a/fold1/train.log").write_text("trained")

    def late(root: Path, artefact: Artefact) -> Files:
        found = read(root, artefact)
        if artefact.key == "runs/a/fold1":
            (root / "runs/a/fold1/train.log").write_bytes(b"trained again")
        return found

    monkeypatch.setattr(pushing, "contents", late)
    with pytest.raises(UserError, match=r"train\.log was changed while it was sent"):
        push(workspace, URL, Choice())
    assert not fsspec.filesystem("memory").glob("/team/pushes/*")


def test_the_verbs_say_what_was_moved(workspace: Workspace, tmp_path: Path) -> None:
    flags = ["--workspace", str(workspace.root)]
    said = CliRunner().invoke(main, ["workspace", "push", str(tmp_path / "place"), *flags])
    assert said.exit_code == 0
    assert "Pushed 4 artefacts" in said.output
    assert f"python run.py workspace pull {tmp_path / 'place'}" in said.output
    assert "There, if it has no data yet: python run.py data prepare --from DIR" in said.output
    said = CliRunner().invoke(main, ["workspace", "pull", str(tmp_path / "place"), "--what", "tokens", *flags])
    assert said.exit_code == 2
    assert "Unknown kind 'tokens'" in said.output
    said = CliRunner().invoke(main, ["workspace", "push", "memory://x", *flags])
    assert said.exit_code == 2
    assert "memory:// ends with this process" in said.output


def test_what_is_lost_there_is_sent_again(workspace: Workspace, tmp_path: Path) -> None:
    for url in (URL, str(tmp_path / "place")):
        push(workspace, url, Choice())
        place = Place.of(url)
        for part in ("folds.", "runs/a/fold1/test."):
            before = place.walk()
            place.remove(*(name for name in before if name.startswith(part)))
            assert len(push(workspace, url, Choice()).moved) == 1
            assert {*before} < {*place.walk()}  # and one record more
        assert push(workspace, url, Choice()).there == 4


def test_no_workspace_is_pushed_to(workspace: Workspace, tmp_path: Path) -> None:
    other = make_workspace(tmp_path / "other", models=("b",))
    for url in (workspace.root, workspace.root / "runs/new", other.root, f"file://{other.root}"):
        with pytest.raises(UserError, match=r"(is a workspace|lies in this workspace): .* Give another folder"):
            push(workspace, str(url), Choice())
    assert not (workspace.root / "pushes").exists()
    workspace.submissions.mkdir()
    (workspace.submissions / "a.csv").write_text("")
    (workspace.root / "runs/a/recipe.json").write_text("{}")
    for there in (0, 6):  # what was pushed is no workspace
        assert push(workspace, str(tmp_path / "place"), Choice()).there == there


def test_a_file_in_place_of_the_records_is_named_before_anything_is_sent(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "place/pushes").write_text("")
    with pytest.raises(UserError, match=r"place/pushes is a file, where a folder is needed: move it away"):
        push(workspace, str(tmp_path / "place"), Choice())
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["pushes"]


def test_what_is_damaged_here_does_not_replace_what_is_there(workspace: Workspace) -> None:
    push(workspace, URL, Choice())
    (workspace.runs / "a/fold1/heldout.npz").write_bytes(b"?")
    with pytest.raises(UserError, match=r"Damaged: runs/a/fold1, in this workspace.*pull.*--models a --force"):
        push(workspace, URL, Choice()).check()


def test_what_is_damaged_here_is_not_sent_and_what_mends_it_is_said(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.runs / "a/fold1/test.npz").write_bytes(b"?")
    (workspace.runs / "a/fold2").rename(workspace.runs / "a/fold0.1")
    shutil.copytree(workspace.runs / "a/fold0", workspace.runs / "a/fold2")
    flags = ["--workspace", str(workspace.root)]
    for force in ([], ["--force"]):
        said = CliRunner().invoke(main, ["workspace", "push", str(tmp_path / "place"), *force, *flags])
        assert (said.exit_code, "Traceback" in said.output) == (2, False)
        line = said.output.splitlines()[-1]
        assert "Not sent, as it is damaged in this workspace: runs/a/fold1, runs/a/fold2." in line
        assert (
            'fold1/test.npz is missing or was changed after it was written. Run "python run.py fold --model a ' in line
        )
        assert f'--fold 1 --restart --workspace {workspace.root}"' in line  # though threads have looked
        assert "holds 'a' fold 0, as its scores.json says: it is a copy" in line
    assert not [name for name in Place.of(str(tmp_path / "place")).walk() if "fold1" in name or "fold2" in name]
    assert "runs/a/fold0" in push(workspace, URL, Choice()).moved
    (workspace.runs / "a/recipe.json").write_text("{}")  # which this room does not know
    said = CliRunner().invoke(main, ["workspace", "push", str(tmp_path / "place"), *flags])
    assert "this workspace: runs/a, runs/a/fold1, runs/a/fold2. " in said.output
    assert "recipe.json is damaged" in said.output


def test_a_model_whose_recipe_is_damaged_is_not_sent(workspace: Workspace) -> None:
    def look(path: Path, model: str) -> Looked | None:
        assert model == "a"
        return Looked(path, "records", "damaged", "The recipe is damaged.") if path.name == "recipe.json" else None

    (workspace.runs / "a/recipe.json").write_text("{}")
    moved = push(workspace, URL, Choice(), look=look)
    assert moved.moved == ("folds",)
    assert set(moved.unsent) == {"runs/a", "runs/a/fold0", "runs/a/fold1", "runs/a/fold2"}
    with pytest.raises(UserError, match=r"^Not sent, .*: runs/a, runs/a/fold0, .*\. The recipe is damaged\.$"):
        moved.check()


def test_the_command_names_the_competition(tmp_path: Path) -> None:
    workspace, file = make_workspace(tmp_path, competition=one_hot(tmp_path)), tmp_path / "seabed.toml"
    flags = ["--workspace", str(workspace.root), "--competition", str(file)]
    said = CliRunner().invoke(main, ["workspace", "push", str(tmp_path / "place"), *flags])
    assert said.exit_code == 0, said.output
    assert f"workspace pull {tmp_path / 'place'} --competition {file}\n" in said.output
    assert f"data prepare --from DIR --competition {file}\n" in said.output
