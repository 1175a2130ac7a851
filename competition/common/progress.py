"""The one reporter: lines that say what is done, and bars for what takes long."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from io import FileIO
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, TextIO

from competition.common.errors import naming
from competition.common.text import counted, lasting, readable, spelled_out

if TYPE_CHECKING:
    from tqdm import tqdm

SECONDS_PER_LINE = 60.0
LEAST_RATE = 0.1  # units a second; of less, the time that each takes says more
SECONDS_TO_BAR = 1.0  # before a bar appears: what is done sooner needs none


class Bar:
    """Shows how far work has come, how fast it goes and how long it will take; a context manager.

    On a terminal it is a bar below the lines; elsewhere, such as in a log, it is a line once a minute.
    """

    def __init__(self, reporter: Reporter, total: int | None, title: str, unit: str, drawn: tqdm | None) -> None:
        self._reporter, self._total, self._title, self._unit, self._drawn = reporter, total, title, unit, drawn
        self._started = self._said = time.monotonic()
        self._done = 0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, number: int = 1) -> None:
        """Count `number` more units."""
        self._done += number
        if self._drawn is not None:
            self._drawn.update(number)
        elif self._done and (now := time.monotonic()) - self._said > SECONDS_PER_LINE:
            self._said = now
            self._reporter.say(self._line(now - self._started))

    @property
    def is_drawn(self) -> bool:
        """Whether it is a bar on a terminal."""
        return self._drawn is not None

    def begin(self, total: int) -> None:
        """Count from 0 again, up to a number that was not known before."""
        self._total, self._done, self._started = total, 0, time.monotonic()
        if self._drawn is not None:
            self._drawn.reset(total)

    def remark(self, text: str) -> None:
        """Show something after the bar, such as the loss."""
        if self._drawn is not None:
            self._drawn.set_postfix_str(text, refresh=False)

    def close(self) -> None:
        """Take the bar away."""
        if self._drawn is not None:
            self._drawn.delay = 0  # or one that a line above has shown too early would stay
            self._drawn.close()

    def _line(self, seconds: float) -> str:
        rate, title = self._done / seconds, f"{self._title}: " if self._title else ""
        speed = f"{rate:.1f} {self._unit}s" if self._unit != "B" and rate < 10 else self._shown(rate)
        speed = f"{speed} a second" if rate >= LEAST_RATE else f"{lasting(1 / rate)} a {self._unit}"
        if self._total is None:
            return f"{title}{self._shown(self._done)}, {speed}."
        done = self._shown(self._done).removesuffix(f" {self._unit}s").removesuffix(f" {self._unit}")
        left = lasting((self._total - self._done) / rate)
        return f"{title}{done} of {self._shown(self._total)}, {speed}; about {left} to go."

    def _shown(self, number: float) -> str:
        return readable(round(number)) if self._unit == "B" else counted(round(number), self._unit)


class Reporter:
    """Shows what work says of itself. Lines go above a bar that is on the screen, never into it.

    Each process has one, `reporter`. Work calls it where it happens, so that nothing need be handed down for that.
    """

    def __init__(self) -> None:
        self._logs: list[FileIO] = []
        self._is_silent = False
        self._is_detailed = False

    def say(self, line: str) -> None:
        """Show a line of the result's making, and write it to the logs that are open."""
        self._show(line, sys.stdout)
        self._log(line)

    def note(self, line: str) -> None:
        """Show a line beside the result, such as what is waited for."""
        self._show(line, sys.stderr)

    def detail(self, line: str) -> None:
        """Show a line that few care for, where details are wanted; write it to the logs that are open."""
        if self._is_detailed:
            self._show(line, sys.stderr)
        self._log(line)

    def bar(self, total: int | None, title: str = "", unit: str = "chip") -> Bar:
        """Return what shows the progress of some work.

        Args:
            total: how many units there are; None where that is not known yet.
            title: stands before it.
            unit: what is counted; "B" counts bytes, with prefixes.
        """
        drawn = None
        if not self._is_silent and is_terminal(sys.stderr):
            from tqdm import tqdm

            name = unit if unit == "B" else f" {unit}s"
            scale = unit == "B"
            drawn = tqdm(
                total=total, desc=title or None, unit=name, unit_scale=scale, leave=False, delay=SECONDS_TO_BAR
            )
        return Bar(self, total, title, unit, drawn)

    @contextmanager
    def busy(self, title: str) -> Iterator[None]:
        """Show on a terminal that the block is at work, and for how long, where how much there is to do is not known.

        Not on standard error, which is turned aside while a backend loads.
        """
        if self._is_silent or not is_terminal(sys.stdout):
            yield
            return
        from tqdm import tqdm

        over = Event()

        def tick() -> None:
            if over.wait(SECONDS_TO_BAR):
                return
            with tqdm(file=sys.stdout, bar_format=f"{title} {{elapsed}}", leave=False) as drawn:
                while not over.wait(SECONDS_TO_BAR):
                    drawn.refresh()

        clock = Thread(target=tick, daemon=True)
        clock.start()
        try:
            yield
        finally:
            over.set()
            clock.join()
            print(end="\r", flush=True)  # tqdm takes a lower line away without going back to its first column

    @contextmanager
    def log_to(self, path: Path) -> Iterator[None]:
        """Write what is said in the block to a file too, at its end."""
        with path.open("ab", buffering=0) as log:  # or what a full disk has not taken would be written again at the end
            self._logs.append(log)
            try:
                yield
            finally:
                self._logs.remove(log)

    def silent(self) -> AbstractContextManager[None]:
        """Show nothing in the block; logs are written all the same."""
        return self._turned("_is_silent")

    @contextmanager
    def detailed(self) -> Iterator[None]:
        """Show details too in the block, and at its end what it took."""
        started = time.monotonic()
        with self._turned("_is_detailed"):
            try:
                yield
            finally:
                self.detail(f"It took {lasting(time.monotonic() - started)}{_memory()}.")

    @contextmanager
    def _turned(self, switch: str) -> Iterator[None]:
        before = getattr(self, switch)
        setattr(self, switch, True)
        try:
            yield
        finally:
            setattr(self, switch, before)

    def _log(self, line: str) -> None:
        for log in self._logs:
            with naming(Path(log.name)):
                log.write(f"{line}\n".encode())

    def _show(self, line: str, stream: TextIO | None) -> None:
        if not self._is_silent and stream is not None:
            from tqdm import tqdm

            tqdm.write(spelled_out(line), file=stream)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether somebody looks at a stream; there is none where it was closed for the process, as by `>&-`."""
    return stream is not None and stream.isatty()


def _memory() -> str:
    try:
        import resource
    except ImportError:  # on Windows
        return ""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f" and at most {readable(most * (1 if sys.platform == 'darwin' else 1024))} of memory"


reporter = Reporter()
