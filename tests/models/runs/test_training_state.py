"""How far training has come: best epoch, patience, and what counts as a checkpoint."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from competition.common.errors import UserError
from models.runs import training_state
from models.runs.training_state import (
    HEAD,
    STATE,
    DivergedError,
    Epoch,
    TrainingState,
    checkpoints,
    has_begun,
    state_of,
)


def epoch(number: int, heldout_metric: float, size: int = 0) -> Epoch:
    return Epoch(number, 0.5, 0.6, 0.4, heldout_metric, 1e-3, 1.5, size)


def after(*metrics: float) -> TrainingState:
    state = TrainingState()
    for number, metric in enumerate(metrics):
        state.add(epoch(number, metric))
    return state


@given(st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3]), min_size=1, max_size=8))
def test_the_best_epoch_is_the_first_of_the_highest(metrics):
    state = after(*metrics)
    assert state.best == metrics.index(max(metrics))
    assert state.best_epochs(1) == [state.best]
    assert state.best_epochs(3) == sorted(range(len(metrics)), key=lambda number: (-metrics[number], number))[:3]
    assert state.best_metric == max(metrics)
    assert state.waited == len(metrics) - 1 - state.best
    assert state.epochs == len(metrics)


def test_add_says_whether_the_epoch_is_better():
    state = TrainingState()
    assert [state.add(epoch(i, metric)) for i, metric in enumerate([0.2, 0.2, 0.1, 0.3])] == [True, False, False, True]


def test_of_a_loss_the_lowest_is_the_best():
    state = TrainingState()
    assert [state.add(epoch(i, loss), sign=-1) for i, loss in enumerate([0.3, 0.4, 0.2, 0.2])] == [
        True, False, True, False,
    ]  # fmt: skip
    assert (state.best, state.best_metric, state.waited) == (2, 0.2, 1)
    assert state.best_epochs(3, sign=-1) == [2, 3, 0]


def test_epochs_at_another_size_are_not_among_the_best():
    state = TrainingState()
    for number, size in enumerate([8, 8, 16, 16, 8]):
        state.add(epoch(number, 0.9 - number / 10, size))
    assert state.best_epochs(9) == [state.best] == [4]


def test_training_is_over_at_the_last_epoch_or_out_of_patience():
    state = after(0.5, 0.3, 0.4)
    assert not state.is_over(epochs=4, patience=3)
    assert state.is_over(epochs=4, patience=2)
    assert state.is_over(epochs=3, patience=3)
    assert not state.is_over(epochs=4, patience=0)
    assert not TrainingState().is_over(epochs=1, patience=1)


def test_epochs_at_another_size_do_not_compete_for_the_best():
    state = TrainingState()
    played = [(0.5, 8), (0.9, 8), (0.3, 16), (0.2, 16), (0.4, 16), (0.4, 16)]
    assert [state.add(epoch(i, metric, size)) for i, (metric, size) in enumerate(played)] == [
        True, True, True, False, True, False,
    ]  # fmt: skip
    assert (state.best, state.best_metric, state.waited) == (4, 0.4, 1)


def test_a_written_state_comes_back_as_it_was(tmp_path):
    state = after(0.2, 0.4, 0.3)
    state.write(tmp_path / STATE)
    assert TrainingState.read(tmp_path / STATE) == state


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"history": [{"number": 0}], "best": 0}', '{"history": []}'])
def test_a_damaged_state_is_named_with_what_mends_it(tmp_path, text):
    path = tmp_path / "tiny/fold2/seed1/head/checkpoints/epoch00001" / STATE
    path.parent.mkdir(parents=True)
    path.write_text(text)
    command = "python run.py fold --model tiny --fold 2 --restart"
    with pytest.raises(UserError, match=rf'state\.json is damaged: .*\. Run "{command}"\.$'):
        TrainingState.read(path)


def test_only_complete_checkpoints_count_and_the_latest_comes_last(tmp_path):
    for name in ("epoch00010", "epoch00009", ".epoch00011.half"):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        after(0.1).write(tmp_path / "checkpoints" / name / STATE)
    (tmp_path / "checkpoints/epoch00012").mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == ["epoch00009", "epoch00010"]


def test_the_state_of_a_fold_is_that_of_its_job_or_of_its_latest_checkpoint(tmp_path):
    assert state_of(tmp_path) == TrainingState()
    for number in (1, 2):
        (tmp_path / f"checkpoints/epoch0000{number}").mkdir(parents=True)
        after(*[0.1] * number).write(tmp_path / f"checkpoints/epoch0000{number}" / STATE)
    assert state_of(tmp_path).epochs == 2
    after(0.1, 0.2, 0.3).write(tmp_path / "history.json")
    assert state_of(tmp_path).epochs == 3


def test_the_state_of_another_job_is_refused(tmp_path):
    for name in ("a/fold0", "a/fold0/seed1", "a/fold1", "b/fold0"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        after(0.1).write(tmp_path / name / "history.json")
        assert state_of(tmp_path / name).epochs == 1
    for name in ("a/fold0/seed1", "a/fold1", "b/fold0"):
        (tmp_path / "a/fold0/history.json").write_bytes((tmp_path / name / "history.json").read_bytes())
        with pytest.raises(
            UserError, match=r"history\.json is damaged: it is that of model '[ab]', fold [01], seed [01]"
        ):
            state_of(tmp_path / "a/fold0")


def test_a_fold_has_begun_with_the_first_epoch_of_its_head(tmp_path):
    assert not has_begun(tmp_path)
    checkpoint = tmp_path / HEAD / "checkpoints/epoch00001"
    checkpoint.mkdir(parents=True)
    assert not has_begun(tmp_path)
    after(0.1).write(checkpoint / STATE)
    assert has_begun(tmp_path)
    assert state_of(tmp_path).epochs == 0


def test_it_is_read_without_keras():
    code = "import sys, models.runs.status, models.inputs.views, models.verbs; sys.exit('keras' in sys.modules)"
    root = Path(training_state.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, timeout=60, check=False).returncode == 0


def test_what_diverged_on_another_machine_is_told_here():
    error = DivergedError("The loss became nan", 0.1, "tiny", 2)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301
    assert pickle.loads(pickle.dumps(error)).fold == 2  # noqa: S301
