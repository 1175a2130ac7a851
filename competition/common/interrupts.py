"""Ctrl-C while a backend runs.

Python drops an exception that is raised in a `__del__` or a weak reference's callback. TensorFlow runs so many of them
that 4 of 80 KeyboardInterrupts at random moments of training were lost, and it went on.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_pressed = threading.Event()
_within: list[None] = []  # one entry for each `deferred` block that is being run
_watches: list[Callable[[], None]] = []  # one for each `watched` block that is being run


@contextmanager
def heeded() -> Iterator[None]:
    """Remember a Ctrl-C within the block, so that `check` can raise it if it was lost."""

    def remember(number: int, frame: FrameType | None) -> None:
        again = _pressed.is_set()
        _pressed.set()
        if again or not _within:
            signal.default_int_handler(number, frame)

    def report(dropped: sys.UnraisableHookArgs) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):  # it is not dropped, as `check` raises it again
            hook(dropped)

    before, hook = signal.getsignal(signal.SIGINT), sys.unraisablehook
    # Only the main thread may set handlers, and one that somebody else has set is theirs.
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, remember)
    sys.unraisablehook = report
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGINT, before)
        _pressed.clear()


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
    """Raise KeyboardInterrupt if Ctrl-C was pressed within `heeded`, or a watch wants it; called between batches."""
    if _pressed.is_set():
        raise KeyboardInterrupt
    for look in _watches:
        look()
