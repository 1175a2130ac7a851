"""Checkpoints of heads: interrupted anywhere and resumed, training is to the bit the uninterrupted one."""

from __future__ import annotations

import shutil
from collections import namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from competition.common.errors import UserError
from models.heads import checkpoints as checkpoints_module
from models.heads.checkpoints import SECONDS, SHARE, SUM, WEIGHTS, Keeper
from models.heads.group import HeadGroup
from models.heads.together import train_together
from models.runs.event_log import HELDOUT_RUN, LEARNT_RUN
from models.runs.training_state import STATE, TrainingState, checkpoints
from tests.models.event_files import read_events
from tests.models.heads.samples import NUM_FOLDS, group_of, state_of

SETTINGS = [
    {"seeds": 2, "ema": 0.9, "schedule": "cosine", "warmup": 1.0, "weight_decay": 0.1, "mixup": 0.3},
    {"members": 3, "optimizer": "adamw"},
    {"optimizer": "sgd", "sampling": "balanced", "patience": 2, "seeds": 3},
    {"swa": 3, "seeds": 2, "ema": 0.9, "learning_rate": 0.1},
]


@pytest.fixture
def at_once(monkeypatch) -> None:
    """Write a checkpoint after every epoch."""
    monkeypatch.setattr(checkpoints_module, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoints_module, "SHARE", 0)


def resumed(folder: Path, **values: Any) -> tuple[HeadGroup, Keeper]:
    """Return a group as another process would have it."""
    group = group_of(**values)
    keeper = Keeper(group, folder)
    keeper.resume()
    return group, keeper


def interrupted(folder: Path, after: int, steps: int = 0, **values: Any) -> None:
    """Train up to an epoch, and perhaps some steps of the next one, which are lost."""
    group, keeper = resumed(folder, **values)

    def after_epoch(_: HeadGroup) -> None:
        keeper.after_epoch()
        if group.epochs == after and not steps:
            raise KeyboardInterrupt

    def after_step() -> None:
        nonlocal left
        left -= group.epochs == after
        if not left:
            raise KeyboardInterrupt

    left = steps
    with pytest.MonkeyPatch.context() as context:
        if steps:
            context.setattr("models.heads.together.check", after_step)
        with pytest.raises(KeyboardInterrupt):
            train_together([group], after_epoch, quiet=True)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("values", SETTINGS, ids=str)
def test_interrupted_after_any_epoch_and_resumed_it_is_the_uninterrupted_training(values, tmp_path, lines):
    values = {"epochs": 4, "batch_size": 16, **values}
    train_together([expected := group_of(**values)], quiet=True)
    for epochs in range(1, expected.epochs):
        for steps in (0, 2):
            folder = tmp_path / f"{epochs}-{steps}"
            interrupted(folder, epochs, steps, **values)
            group, keeper = resumed(folder, **values)
            assert group.epochs == epochs
            assert lines[-1].startswith(f"Going on after epoch {epochs}; best F2 so far 0.")
            train_together([group], lambda _, keeper=keeper: keeper.after_epoch(), quiet=True)
            assert state_of(group) == state_of(expected)


@pytest.mark.usefixtures("at_once")
def test_interrupted_after_every_epoch_it_is_the_same_too(tmp_path):
    train_together([expected := group_of(**SETTINGS[0])], quiet=True)
    for epochs in range(1, 4):
        interrupted(tmp_path, epochs, **SETTINGS[0])
    group, _ = resumed(tmp_path, **SETTINGS[0])
    train_together([group], quiet=True)
    assert state_of(group) == state_of(expected)


@pytest.mark.usefixtures("at_once")
def test_interrupted_and_resumed_each_epoch_of_each_seed_is_logged_once(tmp_path):
    interrupted(tmp_path, 1, **SETTINGS[0])
    interrupted(tmp_path, 2, steps=2, **SETTINGS[0])
    group, keeper = resumed(tmp_path, **SETTINGS[0])
    train_together([group], lambda _: keeper.after_epoch(), quiet=True)
    for folder, state in zip((tmp_path, tmp_path / "seed1"), group.states, strict=True):
        learnt, heldout = read_events(folder / LEARNT_RUN), read_events(folder / HELDOUT_RUN)
        assert [step for step, _ in learnt["loss"]] == [step for step, _ in heldout["F2"]] == [1, 2, 3, 4]
        np.testing.assert_allclose(
            [value for _, value in heldout["F2"]], [epoch.heldout_metric for epoch in state.history], atol=1e-6
        )


@pytest.mark.usefixtures("at_once")
def test_what_a_kill_kept_from_the_log_is_there_after_the_next_start(tmp_path, monkeypatch):
    with monkeypatch.context() as context:
        context.setattr(Keeper, "_log", lambda _: None)
        interrupted(tmp_path, 2)
    assert not (tmp_path / HELDOUT_RUN).exists()
    resumed(tmp_path)
    assert [step for step, _ in read_events(tmp_path / HELDOUT_RUN)["loss"]] == [1, 2]


@pytest.mark.usefixtures("at_once")
def test_a_training_that_is_over_is_read_and_not_trained_again(tmp_path):
    group, keeper = resumed(tmp_path, epochs=2)
    train_together([group], lambda _: keeper.after_epoch(), quiet=True)
    again, _ = resumed(tmp_path, epochs=2)
    assert again.is_over
    assert state_of(again) == state_of(group)


def test_checkpoints_come_every_few_seconds_take_a_small_share_of_the_time_and_the_last_one_always(
    tmp_path, monkeypatch
):
    group, written, now, cost = group_of(epochs=10**6), [], [0.0], [0.0]
    monkeypatch.setattr(checkpoints_module.time, "monotonic", lambda: now[0])
    keeper = Keeper(group, tmp_path)

    def write() -> None:
        written.append(now[0])
        now[0] += cost[0]

    monkeypatch.setattr(keeper, "_write", write)
    for cost[0], apart in ((0.0, SECONDS), (SECONDS / 2, SHARE * SECONDS / 2)):
        written.clear()
        while len(written) < 4:
            now[0] += 0.5
            keeper.after_epoch()
        assert np.diff(written[1:]) == pytest.approx(apart, abs=0.5)
    monkeypatch.setattr(HeadGroup, "is_over", True)
    keeper.after_epoch()
    assert len(written) == 5


@pytest.mark.usefixtures("at_once")
def test_one_checkpoint_of_a_group_lies_on_the_disk_and_groups_have_their_own(tmp_path):
    groups = [group_of(fold, seeds=2, epochs=3) for fold in range(NUM_FOLDS)]
    keepers = {id(group): Keeper(group, tmp_path / f"fold{fold}") for fold, group in enumerate(groups)}
    train_together(groups, lambda group: keepers[id(group)].after_epoch(), quiet=True)
    for fold, group in enumerate(groups):
        (path,) = (tmp_path / f"fold{fold}/checkpoints").iterdir()
        assert path.name == "epoch00003"
        assert {file.name for file in path.iterdir()} == {WEIGHTS, SUM, STATE, "state1.json"}
        assert TrainingState.read(path / STATE) == group.states[0]


def killed_while_saving(monkeypatch) -> None:
    def kill(path: Path, *_: Any, **__: Any) -> None:
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoints_module.np, "save", kill)


def killed_while_clearing(monkeypatch) -> None:
    remove = shutil.rmtree

    def kill(path: Path, *arguments: Any, **options: Any) -> None:
        if not options:
            (Path(path) / WEIGHTS).unlink()
            raise KeyboardInterrupt
        remove(path, *arguments, **options)

    monkeypatch.setattr(checkpoints_module.shutil, "rmtree", kill)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(
    ("kill", "kept"), [(killed_while_saving, 2), (killed_while_clearing, 3)], ids=["while saving", "while clearing"]
)
def test_a_kill_while_a_checkpoint_is_written_loses_nothing_before_it(tmp_path, monkeypatch, kill, kept):
    train_together([expected := group_of()], quiet=True)
    interrupted(tmp_path, 2)
    group, keeper = resumed(tmp_path)
    with monkeypatch.context() as context:
        kill(context)
        with pytest.raises(KeyboardInterrupt):
            train_together([group], lambda _: keeper.after_epoch(), quiet=True)
    group, keeper = resumed(tmp_path)
    assert group.epochs == kept
    train_together([group], lambda _: keeper.after_epoch(), quiet=True)
    assert state_of(group) == state_of(expected)
    assert [path.name for path in checkpoints(tmp_path)] == ["epoch00004"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("damage", ["cut", "of another size", "of another kind", "no numbers", "a bit"])
def test_a_damaged_checkpoint_is_named_with_what_mends_it(tmp_path, damage):
    folder = tmp_path / "tiny/fold1"
    interrupted(folder, 1)
    path = checkpoints(folder)[0] / WEIGHTS
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "no numbers":
        path.write_bytes(b"half")
    elif damage == "a bit":
        content = bytearray(path.read_bytes())
        content[-9] ^= 1
        path.write_bytes(content)
    else:
        rows = np.load(path)
        np.save(path, rows[:-1] if "size" in damage else rows.astype(np.float64))
    command = r"python run\.py fold --model tiny --fold 1 --restart"
    with pytest.raises(UserError, match=rf'weights\.npy is damaged\. Run "{command}"\.$'):
        resumed(folder)


def test_what_an_earlier_version_began_begins_again(tmp_path, lines):
    group = group_of()
    folder = tmp_path / "checkpoints/epoch00001"
    folder.mkdir(parents=True)
    train_together([group_of(epochs=1)], lambda done: done.states[0].write(folder / STATE), quiet=True)
    again, _ = resumed(tmp_path)
    assert state_of(again) == state_of(group)
    assert lines == ["What an earlier version of this project began cannot be gone on with: it begins again."]
    assert not checkpoints(tmp_path)


@pytest.mark.usefixtures("at_once")
def test_without_room_on_the_disk_nothing_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000, 977, 23))
    group = group_of()
    keeper = Keeper(group, tmp_path)
    with pytest.raises(UserError, match=r"^A checkpoint needs .*, but .* has 23 bytes free\."):
        train_together([group], lambda _: keeper.after_epoch(), quiet=True)
    assert not list(tmp_path.rglob("*.npy"))
