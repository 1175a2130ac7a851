"""The time that a run may take, and has taken, over all its starts."""

from __future__ import annotations

import time
from collections.abc import Callable

SAVED_EVERY = 10.0  # seconds


class OutOfTime(KeyboardInterrupt):
    """The time is over. Work ends as by Ctrl-C: what was finished is kept, and more time goes on with the rest."""


class Clock:
    """Counts the seconds of a run.

    Args:
        limit: seconds that it may take in all.
        spent: seconds that earlier starts have taken.
        save: told the seconds spent, every ten seconds or so, so that a kill loses no more of them.
        now: the seconds of a clock that never goes back.
    """

    def __init__(
        self,
        limit: float,
        spent: float = 0.0,
        save: Callable[[float], None] = lambda spent: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit, self._before, self._save, self._now = limit, spent, save, now
        self._started = self._saved = now()

    @property
    def spent(self) -> float:
        """Seconds taken so far, by all starts."""
        return self._before + self._now() - self._started

    @property
    def left(self) -> float:
        """Seconds left; below 0 when it is over."""
        return self.limit - self.spent

    def look(self) -> None:
        """Save the time now and then.

        Raises:
            OutOfTime: if it is over.
        """
        if self._now() - self._saved > SAVED_EVERY:
            self._saved = self._now()
            self._save(self.spent)
        if self.left <= 0:
            raise OutOfTime
