"""Running a reader in a process of its own: what it says, how long it takes, how much memory it needs at most."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from competition.common.errors import UserError

SECONDS, BYTES = 30.0, 1_000_000_000  # that a file may take, whatever it holds
STOPPED = 2.0  # times as long, after which it is killed
CEILING = 6 * BYTES  # of the address space above what there is, so that this machine survives what goes wrong


@dataclass(frozen=True)
class Outcome:
    """What became of a reader.

    Attributes:
        line: what it refused the file with; "" where it took it.
        trace: a traceback, or what else ended the process; "" of a clean end.
        seconds: it took.
        peak: bytes of memory that it took above what the process had before.
    """

    line: str
    trace: str
    seconds: float
    peak: int

    def faults(self) -> list[str]:
        """Return what no file may make a reader do, if it did."""
        found = [self.trace] if self.trace else []
        if len(self.line.splitlines()) > 1 or any(not mark.isprintable() for mark in self.line):
            found.append(f"not one printable line: {self.line!r:.300}")
        if len(self.line) > 2000:
            found.append(f"a line of {len(self.line):,} characters: {self.line:.300}")
        if self.seconds > SECONDS:
            found.append(f"{self.seconds:.0f} seconds")
        if self.peak > BYTES:
            found.append(f"{self.peak / 1e6:,.0f} MB")
        return found


def bounded(action: Callable[[], object]) -> Outcome:
    """Run something in a fork of this process, within bounds."""
    reading, writing = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.close(reading)
        _run(action, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - began
    if said:
        line, trace, peak = pickle.loads(said)  # of our own child
        return Outcome(line, trace, seconds, peak)
    return Outcome("", f"the process ended with {status} (signal {os.WTERMSIG(status)})", seconds, 0)


def _run(action: Callable[[], object], pipe: int) -> None:
    """Run it, tell the parent, and end the process, whatever happens."""
    line = trace = ""
    peak = 0
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(STOPPED * SECONDS))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + CEILING, used + CEILING))
        base = _resident()
        try:
            action()
        except UserError as error:
            line = str(error)
        except BaseException:  # that is what is looked for
            trace = traceback.format_exc()
        peak = _resident() - base
        with suppress(Exception):
            sys.stdout.flush()
        os.write(pipe, pickle.dumps((line, trace[-4000:], peak)))
    finally:
        os._exit(0)


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
