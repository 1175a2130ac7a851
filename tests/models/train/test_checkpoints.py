"""Checkpoints and finished weights: whole or not at all, whatever comes while they are written."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from competition.common.errors import UserError
from models.predict.stored_heads import read_head
from models.runs.folders import load_weights
from models.runs.training_state import STATE, TrainingState, checkpoints
from models.train import checkpoints as checkpoints_module
from models.train.checkpoints import BEST, LATEST, resume, write_network
from tests.models.samples import fill_weights
from tests.models.train.conftest import recipe_for, train_played, weights_of


def interrupt_saving(monkeypatch, at: int) -> None:
    """Make the kill come in the midst of writing checkpoint `at`, from 1."""
    save, calls = checkpoints_module.write_sealed, []

    def killed(network: keras.Model, path: Path) -> None:
        calls.append(path)
        save(network, path)
        if len(calls) == at:
            path.write_bytes(path.read_bytes()[:50])
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints_module, "write_sealed", killed)


def interrupt_clearing(monkeypatch, at: int) -> None:
    """Make the kill come after checkpoint `at` is there, while the one before is removed."""
    remove, calls = shutil.rmtree, []

    def killed(path: Path, *arguments: Any, **options: Any) -> None:
        if not options and Path(path).name.startswith("epoch"):
            calls.append(path)
            if len(calls) == at - 1:
                (Path(path) / BEST).unlink()
                raise KeyboardInterrupt
        remove(path, *arguments, **options)

    monkeypatch.setattr(checkpoints_module.shutil, "rmtree", killed)


@pytest.mark.parametrize(
    ("interrupt", "kept"), [(interrupt_saving, 2), (interrupt_clearing, 3)], ids=["while saving", "while clearing"]
)
def test_a_kill_while_a_checkpoint_is_written_loses_nothing_before_it(
    network, play, tmp_path, monkeypatch, interrupt, kept
):
    metrics = (0.1, 0.5, 0.3, 0.4, 0.2, 0.9)
    played = play(*metrics)
    with monkeypatch.context() as context:
        interrupt(context, at=3)
        with pytest.raises(KeyboardInterrupt):
            train_played(tmp_path, network, recipe_for(6, patience=3))
    assert TrainingState.read(checkpoints(tmp_path)[-1] / STATE).epochs == kept
    fill_weights(network, 77)
    state = train_played(tmp_path, network, recipe_for(6, patience=3))
    assert played == [0, 1, 2, *range(kept, 5)]
    assert [epoch.heldout_metric for epoch in state.history] == list(metrics[:5])
    assert (state.best, state.waited) == (1, 3)
    assert weights_of(network) == {1.0}


def test_what_a_kill_left_half_written_is_no_checkpoint(network, play, tmp_path):
    play(0.1, 0.2)
    half = tmp_path / "checkpoints/.epoch00001.x"
    half.mkdir(parents=True)
    (half / LATEST).write_bytes(b"half")
    (tmp_path / "checkpoints/epoch00001").mkdir()
    assert train_played(tmp_path, network, recipe_for(2)).epochs == 2


def test_one_checkpoint_lies_on_the_disk(network, play, tmp_path):
    play(0.1, 0.5, 0.3)
    train_played(tmp_path, network, recipe_for(3))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["epoch00003"]
    assert {path.name for path in checkpoints(tmp_path)[0].iterdir()} == {LATEST, BEST, STATE}


def test_a_checkpoint_without_its_best_weights_is_named_before_any_epoch(network, play, tmp_path):
    play(0.1, 0.5, 0.3)
    train_played(tmp_path / "tiny/fold1", network, recipe_for(3))
    (checkpoints(tmp_path / "tiny/fold1")[0] / BEST).unlink()
    with pytest.raises(
        UserError, match=r"best\.weights\.h5 is missing or damaged\. Run .*--model tiny --fold 1 --restart"
    ):
        resume(network, tmp_path / "tiny/fold1", 0, 1)


def test_of_several_best_epochs_each_has_a_file_and_a_lost_one_is_named(network, play, tmp_path):
    play(0.1, 0.5, 0.3, 0.2)
    folder = tmp_path / "tiny/fold1"
    train_played(folder, network, recipe_for(4, swa=2))
    (kept,) = checkpoints(folder)
    assert {path.name for path in kept.iterdir()} == {LATEST, "best00001.weights.h5", "best00002.weights.h5", STATE}
    (kept / "best00002.weights.h5").unlink()
    with pytest.raises(UserError, match=r"best00002\.weights\.h5 is missing or damaged\. Run .*--fold 1 --restart"):
        resume(network, folder, 2, 1)


def test_a_disk_without_hard_links_will_do(network, play, tmp_path, monkeypatch):
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)  # nor modes, as on CIFS
    monkeypatch.setattr(os, "link", refuse)
    play(0.1, 0.5, 0.3)
    train_played(tmp_path, network, recipe_for(3))
    assert weights_of(network) == {1.0}


def test_without_room_on_the_disk_nothing_is_written(network, play, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000, 977, 23))
    with pytest.raises(UserError, match=r"^The network needs 74 kB, but .* has 23 bytes free\."):
        write_network(network, tmp_path / "network.weights.h5")
    play(0.1)
    with pytest.raises(UserError, match=r"^A checkpoint needs \d+ kB, but"):
        train_played(tmp_path, network, recipe_for(1))
    assert not list(tmp_path.rglob("*.h5"))


def test_finished_weights_are_those_of_the_network_without_its_optimizer(network, tmp_path):
    fill_weights(network, 5)
    write_network(network, path := tmp_path / "network.weights.h5")
    copy = keras.Model(network.inputs, network.outputs)
    fill_weights(network, 77)
    copy.load_weights(path)
    assert weights_of(copy) == {5.0}
    with h5py.File(path) as file:
        assert "optimizer" not in file


@pytest.mark.parametrize("layers", [1, 40])
@pytest.mark.parametrize("units", [1, 300])
def test_the_room_that_is_asked_for_is_that_of_the_file_and_little_more(tmp_path, layers, units):
    """A disk that fills up brings HDF5 down, and Python: what HDF5 says of the arrays counts too."""
    network = keras.Sequential([keras.Input((units,)), *(keras.layers.Dense(units) for _ in range(layers))])
    write_network(network, tmp_path / "a.weights.h5")
    size = (tmp_path / "a.weights.h5").stat().st_size
    room = checkpoints_module._size_of(network.variables)
    assert size <= room <= size + 70_000 + 5_000 * len(network.variables)


DAMAGES = {
    "gone": None,
    "emptied": lambda content: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "zeroed": lambda content: bytes(len(content)),
    "one bit flipped": lambda content: content.replace(MARK, MARK[:-1] + bytes([MARK[-1] ^ 1])),
}
MARK = np.float32([1.25, 2.5, 3.75]).tobytes()


def head_in(path: Path) -> keras.Model:
    """Return a head of one layer that was written, with values that are found in the file."""
    head = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3, name="dense")])
    head.layers[0].set_weights([np.float32([[1.25, 2.5, 3.75]]), np.zeros(3, np.float32)])
    write_network(head, path)
    return head


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_weights_are_refused_in_a_line_with_the_command(tmp_path, damage):
    path, change = tmp_path / "tiny/fold2/network.weights.h5", DAMAGES[damage]
    path.parent.mkdir(parents=True)
    head = head_in(path)
    content = path.read_bytes()
    assert content.count(MARK) == 1
    load_weights(head, path)
    assert read_head(path, (3,)) is not None
    path.unlink()
    if change:
        path.write_bytes(change(content))
    with pytest.raises(UserError, match=r"weights\.h5 is missing or damaged\. Run .*--model tiny --fold 2 --restart"):
        load_weights(head, path)
    assert read_head(path, (3,)) is None
