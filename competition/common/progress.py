"""The one reporter: lines that say what is done, and bars for what takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from competition.common.text import counted

SECONDS_PER_LINE = 60.0


class Pace:
    """Says once a minute how far work has come and how long it will take."""

    def __init__(self, reporter: Reporter, total: int, unit: str) -> None:
        self._reporter, self._total, self._unit = reporter, total, unit
        self._started = self._said = time.monotonic()
        self._done = 0

    def update(self, number: int) -> None:
        """Count `number` more units."""
        self._done += number
        if self._done and (now := time.monotonic()) - self._said > SECONDS_PER_LINE:
            self._said = now
            minutes = round((now - self._started) / self._done * (self._total - self._done) / 60)
            left = f"about {counted(minutes, 'minute')} to go"
            self._reporter.say(f"{self._done:,} of {counted(self._total, self._unit)}; {left}.")


class Reporter:
    """Shows what work says of itself. Lines go above a bar that is on the screen, never into it.

    Each process has one, `reporter`. Work calls it where it happens, so that nothing need be handed down for that.
    """

    def __init__(self) -> None:
        self._logs: list[TextIO] = []
        self._is_silent = False

    def say(self, line: str) -> None:
        """Show a line of the result's making, and write it to the logs that are open."""
        self._show(line, sys.stdout)
        for log in self._logs:
            print(line, file=log, flush=True)

    def note(self, line: str) -> None:
        """Show a line beside the result, such as what is waited for."""
        self._show(line, sys.stderr)

    def bar(self, total: int | None, title: str = "", unit: str = "chip") -> Any:
        """Return a progress bar, a context manager with `update`, shown on a terminal only.

        Args:
            total: how many units there are; None where that is not known yet.
            title: stands before it.
            unit: what is counted; "B" counts bytes, with prefixes.
        """
        from tqdm import tqdm

        disable = True if self._is_silent else None  # None: a bar on a terminal, nothing in a log
        name = unit if unit == "B" else f" {unit}s"
        return tqdm(total=total, desc=title, unit=name, unit_scale=unit == "B", disable=disable, leave=False)

    def pace(self, total: int, unit: str) -> Pace:
        """Return what says once a minute how far work has come, where there is no terminal to draw a bar on."""
        return Pace(self, total, unit)

    @contextmanager
    def log_to(self, path: Path) -> Iterator[None]:
        """Write what is said in the block to a file too, at its end."""
        with path.open("a", encoding="utf-8") as log:
            self._logs.append(log)
            try:
                yield
            finally:
                self._logs.remove(log)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Show nothing in the block; logs are written all the same. For callers from Python."""
        before, self._is_silent = self._is_silent, True
        try:
            yield
        finally:
            self._is_silent = before

    def _show(self, line: str, stream: TextIO) -> None:
        if not self._is_silent:
            from tqdm import tqdm

            tqdm.write(line, file=stream)


reporter = Reporter()
