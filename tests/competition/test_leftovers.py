"""Nothing that a killed process was writing stays for ever, and nothing that a living one is writing goes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from competition.common import files, locks
from competition.common.files import TEMPORARY, check_writable, remove_leftovers, scratch_folder
from competition.leftovers import sweep
from competition.workspace import Workspace

WRITER = """
import sys, time
from pathlib import Path
from competition.common.files import replace_atomically, replace_folder, scratch_folder
root = Path(sys.argv[1])
with (
    replace_atomically(root / "runs/m/fold0/network.weights.h5") as file,
    replace_atomically(root / "data/layout.json"),
    replace_folder(root / "blends/b") as folder,
    replace_folder(root / "runs/m/fold0/checkpoints/epoch00001") as checkpoint,
    replace_atomically(root / "out/amazon.keras"),
    scratch_folder() as scratch,
):
    for written in (folder, checkpoint, scratch):
        (written / "half").write_text("half")
    print(file.suffixes[-2:], flush=True)
    time.sleep(60)
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """Return a workspace, with a folder for scratch files of its own."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr(files.tempfile, "tempdir", None)
    return Workspace.open(tmp_path / "w")


@pytest.fixture
def writer(workspace: Workspace):
    """Yield a process that is in the middle of writing everywhere."""
    command = [sys.executable, "-c", WRITER, str(workspace.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "['.weights', '.h5']\n"  # which Keras looks at
        yield process
        process.kill()


def temporaries(workspace: Workspace) -> list[Path]:
    """Return what lies under temporary names."""
    return sorted(path for path in workspace.root.parent.rglob(f"{TEMPORARY}*"))


def test_what_a_killed_process_left_is_removed_and_what_it_writes_alive_is_not(
    workspace: Workspace, writer: subprocess.Popen[str]
) -> None:
    before = temporaries(workspace)
    assert len(before) == 6

    def look_everywhere() -> None:
        sweep(workspace)
        check_writable(workspace.root / "out/amazon.keras")
        with scratch_folder():
            pass

    look_everywhere()
    assert temporaries(workspace) == before
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    look_everywhere()
    assert temporaries(workspace) == []


def test_beside_an_output_only_what_was_to_have_its_name_is_removed(
    workspace: Workspace, writer: subprocess.Popen[str]
) -> None:
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    out = workspace.root / "out"
    check_writable(out / "other.keras")
    assert len(list(out.iterdir())) == 1
    check_writable(out / "amazon.keras")
    assert list(out.iterdir()) == []


def test_what_another_machine_is_writing_goes_after_a_week_without_a_word_from_it(workspace: Workspace) -> None:
    file, folder = (workspace.root / f"{TEMPORARY}0123abcd-1-k3_x.{name}" for name in ("a.csv", "b"))
    folder.mkdir(parents=True)
    for path in (file, folder / "part"):
        path.write_text("half")
    week = time.time() - files.SAFE_SECONDS - 60
    os.utime(folder, (week, week))
    sweep(workspace)
    assert (file.exists(), folder.exists()) == (True, True)  # something in the folder is young
    for path in (file, folder / "part", folder):
        os.utime(path, (week, week))
    sweep(workspace)
    assert (file.exists(), folder.exists()) == (False, False)


def test_what_an_interrupted_pull_has_brought_stays_for_a_week(workspace: Workspace) -> None:
    brought = workspace.pulled / "runs/m/fold0/test.npz"
    brought.parent.mkdir(parents=True)
    brought.touch()
    sweep(workspace)
    assert brought.exists()
    week = time.time() - files.SAFE_SECONDS - 60
    for path in (brought, *list(brought.parents)[:4]):
        os.utime(path, (week, week))
    sweep(workspace)
    assert not workspace.pulled.exists()


def test_names_of_others_and_what_links_lead_to_are_left_alone(workspace: Workspace, tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    mark = locks.own_mark().split("-")[0] + f"-{dead.pid}"
    kept, names = (
        tmp_path / "kept",
        (".tmp-notes.txt", ".eslintrc.json", f"{TEMPORARY}{mark}", f"a{TEMPORARY}{mark}-x.b"),
    )
    (kept / "inside").mkdir(parents=True)
    workspace.root.mkdir()
    for name in names:
        (workspace.root / name).touch()
    (workspace.root / f"{TEMPORARY}{mark}-x.link").symlink_to(kept)
    (workspace.root / f"{TEMPORARY}{mark}-x.gone").touch()
    sweep(workspace)
    assert {path.name for path in workspace.root.iterdir()} == set(names)
    assert (kept / "inside").is_dir()


def test_processes_that_do_not_know_each_other_by_number_have_other_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    machine, number = locks.own_mark().split("-")
    assert locks.is_dead(machine, int(number)) is False
    assert locks.is_dead("01234567", int(number)) is None
    assert locks.is_dead(machine, 10**30) is False
    monkeypatch.setattr(os, "readlink", lambda path: "pid:[1]")  # of another container
    monkeypatch.setattr(locks, "_machine", locks._machine.__wrapped__)
    assert locks.own_mark().split("-")[0] != machine


def test_a_folder_that_is_not_there_or_not_ours_is_no_mistake(tmp_path: Path) -> None:
    remove_leftovers(tmp_path / "none")
    sweep(Workspace.open(tmp_path / "none"))
    assert not (tmp_path / "none").exists()
