"""Ctrl-C, also where Python drops it: an exception in a `__del__` or a weak reference's callback goes no further.

TensorFlow runs so many of them that 4 of 80 KeyboardInterrupts at random moments of training were lost, and it went on.

What asks a process to end (SIGTERM, of schedulers and `kill`) and a terminal that was closed (SIGHUP) are taken alike.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SOON = 0.05  # seconds after which one that was dropped is sent again
# By what each signal is handled where nobody has set a handler; under `nohup`, SIGHUP is ignored, and stays so.
DEFAULTS: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
if hasattr(signal, "SIGHUP"):  # not on Windows
    DEFAULTS[signal.SIGHUP] = signal.SIG_DFL

_pressed = threading.Event()
_lost = threading.Event()  # the last one was dropped, and nothing has raised it since
_numbers: list[signal.Signals] = []  # of the signals, the first of which counts
_within: list[None] = []  # one entry for each `deferred` block that is being run
_watches: list[Callable[[], None]] = []  # one for each `watched` block that is being run


@contextmanager
def heeded() -> Iterator[None]:
    """Remember a Ctrl-C within the block: one that was dropped is sent again, and `check` raises it if it comes first.

    SIGTERM and SIGHUP too: they raise KeyboardInterrupt.

    The command line does so for whatever a verb does; within it, and in other threads, this is nothing.
    """

    def remember(number: int, frame: FrameType | None) -> None:
        again = _pressed.is_set() and not _lost.is_set()
        _numbers.append(signal.Signals(number))
        _pressed.set()
        _lost.clear()
        if again or not _within:
            signal.default_int_handler(number, frame)

    def send_again() -> None:
        if not over.wait(SOON) and _lost.is_set():
            if hasattr(signal, "pthread_kill"):  # it also ends a wait for a file or a child
                signal.pthread_kill(threading.main_thread().ident or 0, _numbers[0])
            else:
                _thread.interrupt_main(_numbers[0])

    def report(dropped: sys.UnraisableHookArgs) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            hook(dropped)
        else:  # not from here, where it would be dropped too
            _lost.set()
            threading.Thread(target=send_again, daemon=True).start()

    # Only the main thread may set handlers, and one that somebody else has set is theirs.
    ours = {number: default for number, default in DEFAULTS.items() if signal.getsignal(number) is default}
    if threading.current_thread() is not threading.main_thread() or not ours:
        yield
        return
    over, hook = threading.Event(), sys.unraisablehook
    _numbers.clear()
    for number in ours:
        signal.signal(number, remember)
    sys.unraisablehook = report
    try:
        yield
    finally:
        over.set()
        sys.unraisablehook = hook
        for number, default in ours.items():
            signal.signal(number, default)
        _pressed.clear()
        _lost.clear()


def exit_code() -> int:
    """Return the exit code of what was just interrupted, as shells have it: 130 of Ctrl-C, else 128 and the signal."""
    return 128 + (_numbers[0] if _numbers else signal.SIGINT)


@contextmanager
def deferred() -> Iterator[None]:
    """Leave a Ctrl-C within the block to the next `check`, or to its end; a second one is raised at once.

    An exception that is raised while native code calls Python may end the process instead: 1 in some 40 interrupts
    just as an epoch began did.
    """
    _within.append(None)
    try:
        yield
    finally:
        _within.pop()
    check()


@contextmanager
def watched(look: Callable[[], None]) -> Iterator[None]:
    """Call `look` at every `check` within the block; a KeyboardInterrupt that it raises ends the work."""
    _watches.append(look)
    try:
        yield
    finally:
        _watches.remove(look)


def check() -> None:
    """Raise KeyboardInterrupt if Ctrl-C was pressed within `heeded`, or a watch wants it; called between steps."""
    if _pressed.is_set():
        _lost.clear()
        raise KeyboardInterrupt
    for look in _watches:
        look()
