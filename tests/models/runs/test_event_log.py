"""TensorBoard's event files: whatever happens between two epochs, each step is there once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from models.runs.event_log import HELDOUT_RUN, LEARNT_RUN, PREFIX, log_epochs
from models.runs.training_state import Epoch, TrainingState
from tests.models.event_files import read_events


def state_of(*metrics: float) -> TrainingState:
    """Return the state after epochs with these held-out metrics."""
    state = TrainingState()
    for number, metric in enumerate(metrics):
        state.add(Epoch(number, 0.5, metric + 0.25, 0.75, metric, 0.125, 2.0, 16))
    return state


def file_in(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_curves_of_one_tag_are_two_runs_that_lie_on_each_other(tmp_path: Path) -> None:
    log_epochs(tmp_path, state_of(0.25, 0.5), "F2")
    learnt, heldout = read_events(tmp_path / LEARNT_RUN), read_events(tmp_path / HELDOUT_RUN)
    assert learnt == {
        "loss": [(1, 0.5), (2, 0.5)],
        "F2": [(1, 0.5), (2, 0.75)],
        "learning_rate": [(1, 0.125), (2, 0.125)],
    }
    assert heldout == {"loss": [(1, 0.75), (2, 0.75)], "F2": [(1, 0.25), (2, 0.5)]}


def test_chips_set_aside_are_not_called_held_out(tmp_path: Path) -> None:
    log_epochs(tmp_path, state_of(0.25), "F2", "inner")
    assert {path.name for path in tmp_path.iterdir()} == {LEARNT_RUN, "inner"}
    assert read_events(tmp_path / "inner")["F2"] == [(1, 0.25)]


def test_before_the_first_epoch_there_is_no_file(tmp_path: Path) -> None:
    log_epochs(tmp_path, TrainingState(), "F2")
    assert not list(tmp_path.iterdir())


def test_a_file_is_continued_and_not_replaced(tmp_path: Path) -> None:
    log_epochs(tmp_path, state_of(0.25), "F2")
    path = file_in(tmp_path / HELDOUT_RUN)
    inode, before = path.stat().st_ino, path.read_bytes()
    for _ in range(2):
        log_epochs(tmp_path, state_of(0.25, 0.5), "F2")
    assert (file_in(tmp_path / HELDOUT_RUN), path.stat().st_ino) == (path, inode)
    assert path.read_bytes().startswith(before)
    assert read_events(tmp_path / HELDOUT_RUN)["F2"] == [(1, 0.25), (2, 0.5)]


def test_wherever_a_kill_has_cut_a_file_it_becomes_whole(tmp_path: Path) -> None:
    log_epochs(tmp_path, state_of(0.25, 0.5), "F2")
    path = file_in(tmp_path / HELDOUT_RUN)
    content = path.read_bytes()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        log_epochs(tmp_path, state_of(0.25, 0.5), "F2")
        assert file_in(tmp_path / HELDOUT_RUN) == path
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content + b"\0\0\0",  # as a power cut may leave it
        lambda content: b"\0" * len(content),
        lambda content: content[:60] + b"x" + content[61:],
    ],
)
def test_a_damaged_file_is_made_anew(spoil, tmp_path: Path) -> None:
    log_epochs(tmp_path, state_of(0.25, 0.5), "F2")
    path = file_in(tmp_path / HELDOUT_RUN)
    path.write_bytes(spoil(path.read_bytes()))
    log_epochs(tmp_path, state_of(0.25, 0.5, 0.75), "F2")
    assert read_events(tmp_path / HELDOUT_RUN)["F2"] == [(1, 0.25), (2, 0.5), (3, 0.75)]


def test_another_training_has_another_file(tmp_path: Path) -> None:
    log_epochs(tmp_path, state_of(0.25, 0.5, 0.75), "F2")
    log_epochs(tmp_path, state_of(0.5), "F2")  # begun again, or gone on from an earlier epoch
    assert read_events(tmp_path / HELDOUT_RUN)["F2"] == [(1, 0.5)]


def test_files_that_we_did_not_name_give_way(tmp_path: Path) -> None:
    (tmp_path / HELDOUT_RUN).mkdir()
    (tmp_path / HELDOUT_RUN / f"{PREFIX}x").write_bytes(b"")
    log_epochs(tmp_path, state_of(0.5), "F2")
    assert read_events(tmp_path / HELDOUT_RUN)["F2"] == [(1, 0.5)]
    assert not (tmp_path / HELDOUT_RUN / f"{PREFIX}x").exists()


def test_what_cannot_be_written_is_said_once_and_stops_nothing(tmp_path: Path, monkeypatch, capsys) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(Path, "mkdir", full)
        for _ in range(3):
            log_epochs(tmp_path, state_of(0.5), "F2")
    said = capsys.readouterr().err.splitlines()
    assert said == ["No TensorBoard logs: No space left on device. Training goes on."]
    log_epochs(tmp_path, state_of(0.5, 0.75), "F2")
    assert read_events(tmp_path / HELDOUT_RUN)["F2"] == [(1, 0.5), (2, 0.75)]


def test_no_backend_is_needed(tmp_path: Path) -> None:
    """Nor is any loaded by what writes: a log costs a training with JAX no TensorFlow."""
    script = (
        "import sys; from pathlib import Path; from tests.models.runs.test_event_log import log_epochs, state_of;"
        "log_epochs(Path(sys.argv[1]), state_of(.5), 'F2');"
        "loaded = {'keras', 'tensorflow', 'jax', 'torch', 'tensorboard', 'matplotlib'} & {*sys.modules};"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert file_in(tmp_path / LEARNT_RUN).stat().st_size
