"""Groups trained at once: each as if it were alone, and all of them ended by whatever ends one."""

from __future__ import annotations

import gc
import itertools
import os
import re
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.common.interrupts import heeded
from models.heads import stack, together
from models.heads.group import HeadGroup
from models.heads.stack import one_by_one
from models.heads.together import train_together
from models.heads.training import Training
from models.runs.training_state import DivergedError, Epoch
from tests.models.heads.samples import NUM_FOLDS, bank_of, group_of, state_of


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = left()
    yield
    if left() - before:
        gc.collect()  # of an epoch that was ended, which an exception still holds
    assert not left() - before


def left() -> set[threading.Thread]:
    """Return the threads of pools; other tests may have left some that last."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")}


@pytest.fixture(params=[1, 2, 5])
def cores(request, monkeypatch) -> int:
    monkeypatch.setattr(together, "cpu_count", lambda: request.param)
    return request.param


def folds(**values: Any) -> list[HeadGroup]:
    return [group_of(fold, **values) for fold in range(NUM_FOLDS)]


# Alone and together


@pytest.mark.parametrize(
    "values",
    [{"seeds": 2, "dense": (300,)}, {"members": 3}, {"optimizer": "sgd", "sampling": "balanced", "patience": 1}],
    ids=str,
)
def test_a_fold_trained_alone_is_to_the_bit_the_one_trained_with_all(values, cores, monkeypatch):
    monkeypatch.setattr(stack, "COLUMNS", 64)
    every = folds(**values)
    train_together(every, quiet=True)
    for fold, group in enumerate(every):
        train_together([alone := group_of(fold, **values)], quiet=True)
        assert state_of(alone) == state_of(group)
        assert alone.is_over
    assert not np.array_equal(every[0].values, every[1].values)


@pytest.mark.parametrize("number", [1, 2, 3, 9])
def test_shared_work_is_done_once_on_each_thing(number):
    with together.ThreadPoolExecutor(number) as pool:
        done: list[int] = []
        each = together._each(pool, number)
        each(done.append, range(0, 50, 10))
        assert sorted(done) == [0, 10, 20, 30, 40]
        meeting = threading.Barrier(number)  # of so many threads at the same time
        each(lambda _: meeting.wait(10), range(number))


def test_those_that_have_come_least_far_go_first(monkeypatch):
    monkeypatch.setattr(together, "cpu_count", lambda: 1)
    every, order = folds(epochs=4), []
    for _ in range(2):
        Training(every[1]).epoch()
    train_together(every, lambda group: order.append(every.index(group)), quiet=True)
    assert order[:4] == [0, 2] * 2
    assert [sorted(order[4:7]), sorted(order[7:])] == [[0, 1, 2]] * 2


def test_what_is_over_is_not_trained_again(lines):
    group = group_of(epochs=1)
    train_together([group])
    before, _ = state_of(group), lines.clear()
    train_together([group])
    assert state_of(group) == before
    assert not lines


# What is shown


def test_each_epoch_has_one_line_with_the_means_and_the_range_of_all_heads(lines, cores):
    every = folds(epochs=3, seeds=2)
    train_together(every)
    assert len(lines) == 3
    states = [state for group in every for state in group.states]
    for number, line in enumerate(lines):
        held, *before = ([s.history[epoch].heldout_metric for s in states] for epoch in range(number, -1, -1))
        loss = np.mean([state.history[number].loss for state in states])
        assert line.startswith(f"epoch   {number + 1}/3  loss {loss:.4f}  F2 0.")
        assert f"F2 {np.mean(held):.4f} ({min(held):.4f} to {max(held):.4f})" in line
        assert (" *" in line) == any(now > max(then, default=0) for now, *then in zip(held, *before, strict=True))
        assert re.search(r"rate \d\.\de-0\d  \d+ s$", line)


def test_a_single_head_has_no_range_and_nothing_is_said_where_it_is_to_be_quiet(lines):
    train_together([group_of(epochs=1)])
    assert re.fullmatch(r"epoch +1/1  loss \S+  F2 \S+  held-out loss \S+  F2 0\.\d{4} \*  rate \S+  \d+ s", lines[0])
    train_together([group_of(epochs=1)], quiet=True)
    assert len(lines) == 1


def test_lines_go_on_where_heads_end_early_or_had_come_further(lines, cores):
    every = folds(epochs=4, patience=1)
    train_together(every[:1], quiet=True)
    every[1].states[0].add(Epoch(0, 0.5, 0.5, 0.5, 2.0, 0.1, 1.0, 0))  # of which no epoch is better
    train_together(every)
    assert every[1].states[0].epochs == 2
    shown = [int(line[5:9]) for line in lines]
    assert shown == [*range(1, max(group.epochs for group in every) + 1)]


# What ends it


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Have Python's own handler of Ctrl-C, which a shell in the background may have taken away."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pressing(monkeypatch, press: Callable[[], None]) -> None:
    """Press Ctrl-C after 50 steps."""
    counted, check = itertools.count(1), together.check

    def after_step() -> None:
        if next(counted) == 50:
            press()
        check()

    monkeypatch.setattr(together, "check", after_step)


def in_this_thread() -> None:
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


def in_any_thread() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("press", [in_this_thread, in_any_thread])
def test_ctrl_c_ends_all_threads_quickly_whichever_the_system_tells(cores, monkeypatch, press):
    every = folds(epochs=3000, batch_size=8)
    pressing(monkeypatch, press)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), heeded():
        train_together(every, quiet=True)
    assert time.monotonic() - started < 5


def test_a_ctrl_c_that_python_lost_ends_it_too(cores, monkeypatch):
    seen: list[int] = []

    def pressed() -> None:
        seen.append(1)
        if len(seen) > 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(together, "check", pressed)
    with pytest.raises(KeyboardInterrupt):
        train_together(folds(epochs=1000), quiet=True)
    assert len(seen) < 40


@pytest.mark.parametrize("fold", range(NUM_FOLDS))
def test_an_error_of_one_fold_ends_the_others_and_is_raised(fold, cores):
    every = folds(epochs=1000)

    def fail(group: HeadGroup) -> None:
        if group is every[fold] and group.epochs == 3:
            raise UserError("no room")

    with pytest.raises(UserError, match="no room"):
        train_together(every, fail, quiet=True)
    assert max(group.epochs for group in every) < 100


def test_an_error_while_a_step_is_shared_is_raised(cores, monkeypatch):
    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("models.heads.steps._adam", fail)
    with pytest.raises(MemoryError):
        train_together(folds(dense=(300,)), quiet=True)


@pytest.mark.parametrize("count", [1, NUM_FOLDS])
def test_a_loss_that_is_no_number_ends_all_in_one_line(cores, monkeypatch, count):
    monkeypatch.setattr(stack, "COLUMNS", 2)  # shared where cores are left over
    with pytest.raises(DivergedError, match=r"^The loss became (nan|inf) in epoch 1, at a learning rate of 1e\+30\.$"):
        train_together(folds(learning_rate=1e30, optimizer="sgd", members=2)[:count], quiet=True)


# Memory


def test_nothing_of_a_training_stays_in_memory():
    bank = bank_of()
    every = [group_of(fold, bank, seeds=2) for fold in range(NUM_FOLDS)]
    alive = [weakref.ref(bank), *map(weakref.ref, every), *(weakref.ref(group.values) for group in every)]
    train_together(every, lambda _: None, quiet=True)
    del bank, every
    gc.collect()
    assert [one() for one in alive] == [None] * len(alive)


def test_one_by_one_keeps_the_order():
    seen: list[int] = []
    one_by_one(seen.append, [3, 1, 2])
    assert seen == [3, 1, 2]
