"""Ctrl-C is heard even where Python drops the exception."""

from __future__ import annotations

import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable

import pytest

from competition.common.interrupts import SOON, check, deferred, exit_code, heeded, watched
from competition.common.progress import reporter
from models.predict.scorer import Scorer
from models.train.fit import Watch


class Dying:
    """Does something where Python drops the exception."""

    def __init__(self, last: Callable[[], object]) -> None:
        self.last = last

    def __del__(self) -> None:
        self.last()


@pytest.fixture(autouse=True)
def reported(monkeypatch):
    """The handler of a process started from a terminal; the exceptions that Python dropped and reported."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    reported: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: reported.append(dropped.exc_type))
    yield reported
    signal.signal(signal.SIGINT, before)


def unheard(number: int = signal.SIGINT, *, then: Callable[[], object]) -> None:
    """Press Ctrl-C, or send another signal, where Python drops the exception, and go on."""
    Dying(lambda: signal.raise_signal(number))
    then()


def test_an_interrupt_that_was_lost_is_raised_at_the_next_batch_and_not_reported(reported):
    with pytest.raises(KeyboardInterrupt), heeded():
        unheard(then=check)
    check()
    assert reported == []


class Kept:
    """Something that a weak dictionary can hold."""


def work_without_looking(lost: int) -> None:
    """Press Ctrl-C within a weak reference's callback, lose it there so many times, and work on for ten seconds."""

    def press(_: object) -> None:
        presses.append(None)
        if len(presses) == 1:
            signal.raise_signal(signal.SIGINT)
        until = time.monotonic() + 10
        while len(presses) <= lost and time.monotonic() < until:  # where the next one is lost too
            time.sleep(0.001)

    presses: list[None] = []
    until = time.monotonic() + 10
    while time.monotonic() < until:
        kept = Kept()
        watch = weakref.ref(kept, press) if len(presses) < lost else None
        del kept, watch
        time.sleep(0.001)


@pytest.mark.parametrize("lost", [1, 3])
def test_one_that_was_lost_where_nobody_looks_for_it_ends_the_work_all_the_same(reported, lost):
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), heeded():
        work_without_looking(lost)
    assert time.monotonic() - started < 5
    assert reported == []
    time.sleep(2 * SOON)  # none is sent once the block is over, or another has been heard


def test_one_that_was_heard_is_not_sent_again():
    def clean_up() -> None:
        try:
            unheard(then=check)
        finally:
            time.sleep(2 * SOON)
            cleaned.append(True)

    cleaned: list[bool] = []
    with pytest.raises(KeyboardInterrupt), heeded():
        clean_up()
    assert cleaned == [True]


def test_other_exceptions_that_were_dropped_are_reported(reported):
    with heeded():
        Dying(lambda: 1 / 0)
    Dying(lambda: int("x"))
    assert reported == [ZeroDivisionError, ValueError]


def test_one_that_is_heard_at_once_is_raised_at_once():
    with pytest.raises(KeyboardInterrupt), heeded():
        signal.raise_signal(signal.SIGINT)
    check()


def test_training_and_prediction_look_for_it_at_every_batch():
    watch = Watch(reporter.bar(3))
    with pytest.raises(KeyboardInterrupt), heeded():
        unheard(then=lambda: watch.on_train_batch_end(0))
    with pytest.raises(KeyboardInterrupt), heeded():
        unheard(then=lambda: Scorer([])([[]]))
    with pytest.raises(KeyboardInterrupt), heeded():
        unheard(then=lambda: watch.on_test_batch_end(0))


def press(
    times: int, came_to: list[str], then: Callable[[], object] = lambda: None, *, number: int = signal.SIGINT
) -> None:
    """Press Ctrl-C within native code, or send another signal, and note how far it goes on."""
    with deferred():
        for _ in range(times):
            signal.raise_signal(number)
        came_to.append("what is left of the native code")
        then()
    came_to.append("what follows")


@pytest.mark.parametrize("then", [check, lambda: None])
def test_within_native_code_it_waits_for_the_next_batch_or_the_end(then):
    came_to: list[str] = []
    with pytest.raises(KeyboardInterrupt), heeded():
        press(1, came_to, then)
    assert came_to == ["what is left of the native code"]
    with pytest.raises(KeyboardInterrupt), heeded():
        signal.raise_signal(signal.SIGINT)  # nothing is deferred any more


def test_a_second_one_does_not_wait():
    came_to: list[str] = []
    with pytest.raises(KeyboardInterrupt), heeded():
        press(2, came_to)
    assert came_to == []


def test_handlers_are_put_back_and_those_of_others_left_alone():
    with heeded():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        with heeded():
            pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with heeded():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_other_threads_do_without():
    entered = []

    def enter() -> None:
        with heeded():
            entered.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == [signal.default_int_handler]


def test_a_watch_looks_at_every_check_and_may_end_the_work() -> None:
    looks: list[int] = []

    def look() -> None:
        looks.append(len(looks))
        if len(looks) == 3:
            raise KeyboardInterrupt

    with watched(look):
        check()
        check()
        with pytest.raises(KeyboardInterrupt):
            check()
    check()  # the block is over
    assert looks == [0, 1, 2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_scheduler_and_a_terminal_that_was_closed_are_heard_as_ctrl_c_is(reported, number):
    with pytest.raises(KeyboardInterrupt), heeded():
        signal.raise_signal(number)
    assert exit_code() == 128 + number
    with pytest.raises(KeyboardInterrupt), heeded():
        unheard(number, then=check)
    assert (signal.getsignal(number), reported) == (signal.SIG_DFL, [])
    came_to: list[str] = []
    with pytest.raises(KeyboardInterrupt), heeded():
        press(1, came_to, number=number)
    assert came_to == ["what is left of the native code"]
    with pytest.raises(KeyboardInterrupt), heeded():
        signal.raise_signal(signal.SIGINT)
    assert exit_code() == 130


def test_a_hangup_that_is_ignored_as_under_nohup_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with heeded():
            signal.raise_signal(signal.SIGHUP)
            check()
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_where_ctrl_c_is_ignored_as_in_the_background_a_scheduler_is_heard(reported) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with pytest.raises(KeyboardInterrupt), heeded():
        unheard(signal.SIGTERM, then=lambda: time.sleep(10 * SOON))  # it was lost, and is sent again
    assert (exit_code(), reported) == (143, [])
