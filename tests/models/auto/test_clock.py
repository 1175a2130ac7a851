"""The time of a run."""

from __future__ import annotations

import pytest

from models.auto.clock import SAVED_EVERY, Clock, OutOfTime


class Time:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_time_counts_over_all_starts_and_is_saved_now_and_then() -> None:
    time, saved = Time(), list[float]()
    clock = Clock(100.0, 30.0, saved.append, time)
    assert (clock.spent, clock.left) == (30.0, 70.0)
    time.now += SAVED_EVERY / 2
    clock.look()
    assert saved == []
    time.now += SAVED_EVERY
    clock.look()
    clock.look()
    assert saved == [30.0 + 1.5 * SAVED_EVERY]


def test_when_it_is_over_work_ends_as_by_ctrl_c() -> None:
    time = Time()
    clock = Clock(100.0, 30.0, now=time)
    time.now += 69.0
    clock.look()
    time.now += 1.0
    with pytest.raises(OutOfTime):
        clock.look()
    assert issubclass(OutOfTime, KeyboardInterrupt)
