"""Running a reader in a process of its own: what it says, how long it takes, how much memory it needs at most."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
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
    (outcome,) = all_bounded([action])
    return outcome


def all_bounded(actions: Sequence[Callable[[], object]]) -> list[Outcome]:
    """Run one thing after the other in one fork of this process; what ends it is the last outcome."""
    reading, writing = os.pipe()
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.close(reading)
        _run(actions, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        said = stream.read()
    _, status = os.waitpid(child, 0)
    outcomes = [Outcome(**json.loads(line)) for line in said.splitlines()]
    if len(outcomes) < len(actions):
        what = f"the process ended with {status} (signal {os.WTERMSIG(status)})"
        outcomes.append(Outcome("", what, time.monotonic() - began, 0))
    return outcomes


def _run(actions: Sequence[Callable[[], object]], pipe: int) -> None:
    """Run them, tell the parent of each, and end the process, whatever happens."""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + CEILING, used + CEILING))
        for action in actions:
            os.write(pipe, f"{json.dumps(asdict(_outcome_of(action)))}\n".encode())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
        os._exit(0)


def _outcome_of(action: Callable[[], object]) -> Outcome:
    line = trace = ""
    base, began = _resident(), time.monotonic()
    signal.alarm(int(STOPPED * SECONDS))
    try:
        action()
    except UserError as error:
        line = str(error)
    except BaseException:  # that is what is looked for
        trace = traceback.format_exc()[-4000:]
    signal.alarm(0)
    return Outcome(line, trace, time.monotonic() - began, _resident() - base)


def _resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
