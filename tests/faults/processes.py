"""Verbs in processes of their own, which can be killed: at a moment, or right before they change a file.

Each verb runs in a process forked from one that has everything imported (Python's own fork server), in a process group
of its own: importing TensorFlow takes five seconds, touches no workspace, and would leave a kill at a random moment
little else to meet. Of what follows nothing differs from `python run.py VERB`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from tests.faults import shim

# Changes of files, as Python tells of them before it makes them; `open` is one if it may write.
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.truncate", "os.chmod", "tempfile.mkstemp"}
CHANGES |= {"tempfile.mkdtemp"}
LONGEST = 300  # seconds after which a verb hangs
_preloaded: list[tuple[str, ...]] = []  # by the server that runs, the last


@dataclass(frozen=True)
class Kill:
    """How a verb is ended.

    Attributes:
        signal: that its process group gets.
        after: seconds; None for `change`.
        change: right before which change of a file in the workspace, from 0.
    """

    signal: signal.Signals
    after: float | None = None
    change: int | None = None


@dataclass(frozen=True)
class Ended:
    """What became of a verb: its exit code, or minus the signal that ended it; what it printed; and how long it took.

    `changes` counts the changes of files in the workspace.
    """

    code: int
    output: str
    seconds: float
    changes: int

    @property
    def has_traceback(self) -> bool:
        """Whether a user would have been shown one, or Python was brought down."""
        told = ("Traceback (most recent call last)", "Aborted!", "Fatal Python error", "core dumped")
        return any(words in self.output for words in told) or -self.code in (signal.SIGSEGV, signal.SIGBUS, 6)


def start_server(*preload: str) -> None:
    """Let verbs be forked from a process that has imported these modules, and the shim."""
    from multiprocessing import forkserver

    if _preloaded[-1:] == [preload]:
        return
    forkserver._forkserver._stop()  # one that has imported something else
    _preloaded.append(preload)
    multiprocessing.set_forkserver_preload(list(preload))
    with shim.preloaded():
        forkserver.ensure_running()


class Verb:
    """One verb at work in a process of its own.

    Args:
        words: its arguments.
        root: folder in which changes of files count.
        output: file for what it prints.
        kill: how it is to end; None: let it.
        environment: variables that it gets besides.
    """

    def __init__(
        self,
        words: Sequence[str],
        root: Path,
        output: Path,
        kill: Kill | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._kill, self._output = kill, output
        self._reader, writer = multiprocessing.Pipe(duplex=False)
        arguments = (list(words), str(root), str(output), kill, dict(environment or {}), writer)
        self.process: ForkServerProcess = multiprocessing.get_context("forkserver").Process(target=_run, args=arguments)
        self.process.start()
        writer.close()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, if the process is still there and has begun."""
        if self.process.is_alive():
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid or 0, number)

    def end(self) -> Ended:
        """Wait until it has ended, killing it at its moment."""
        try:
            begun = self._reader.poll(60) and self._reader.recv()  # it has its own group from here
        except EOFError:
            begun = False
        started = time.monotonic()
        if self._kill and self._kill.after is not None and begun:
            self.process.join(self._kill.after)
            self.send(self._kill.signal)
        self.process.join(LONGEST)
        if self.process.is_alive():
            self.send(signal.SIGKILL)
            self.process.join()
            raise AssertionError(f"It hangs:\n{self._output.read_text(errors='replace')[-2000:]}")
        try:
            changes = int(self._reader.recv())
        except EOFError:
            changes = -1
        self._reader.close()
        code = self.process.exitcode
        assert code is not None
        seconds = time.monotonic() - started
        return Ended(code, self._output.read_text(errors="replace"), seconds, changes)


def run(
    words: Sequence[str],
    root: Path,
    kill: Kill | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a verb to its end; see `Verb`. What it prints goes to a file beside the workspace, or into it."""
    return Verb(words, root, root.parent / f"{root.name}.output", kill, environment).end()


@contextmanager
def _counting(root: str, kill: Kill | None) -> Iterator[list[int]]:
    """Count the changes of files in a folder, and end this process's group right before the one that is asked for."""
    counted, inside = [0], os.path.join(root, "")

    def see(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES and not (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        if not any(isinstance(name, str | bytes | os.PathLike) and _is_in(name, inside) for name in arguments[:2]):
            return
        if kill and counted[0] == kill.change:
            os.killpg(0, kill.signal)
        counted[0] += 1

    sys.addaudithook(see)
    yield counted


def _is_in(name: Any, inside: str) -> bool:
    return os.path.abspath(os.fsdecode(name)).startswith(inside)


def _run(words: list[str], root: str, output: str, kill: Kill | None, environment: dict[str, str], told: Any) -> None:
    """Be the process of a verb."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which shells ignore in what they run in the background
    for stream in (1, 2):
        os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND), stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(environment)
    told.send(True)
    from run import main

    sys.argv = ["run.py", *words]
    with _counting(root, kill) as counted:
        try:
            main(words)
        finally:
            told.send(counted[0])
