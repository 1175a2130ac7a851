"""Verbs in processes of their own, to be killed: forked from one that has imported everything, to save its time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.kaggle_server import KaggleServer

PRELOADED = ["run", "pandas", "pydantic", "kagglesdk", "competition.kaggle.client",
             "competition.kaggle.notebooks", "submissions.submit.upload", "submissions.push.push",
             "tests.submissions.submit.killable"]  # fmt: skip


class Submission:
    """A process that runs a verb, as a user does, but for how long it takes until nothing can be on its way any more.

    Args:
        kaggle: the server.
        home: folder of the user.
        command: what is typed after `run.py`.
        settled: seconds of looking at Kaggle's list.
        read: seconds that an answer may take.
    """

    def __init__(
        self, kaggle: KaggleServer, home: Path, command: Sequence[str], settled: float = 3, read: float = 60
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self._output = home / f"shown by {len(list(home.glob('shown by *')))}"
        self._output.touch()
        arguments = (self._output, kaggle.environment(home), list(command), settled, read)
        self._process = context.Process(target=_run, args=arguments, daemon=True)
        self._process.start()

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.is_alive()

    @property
    def code(self) -> int | None:
        """What it ended with."""
        return self._process.exitcode

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process.pid
        os.kill(self._process.pid, number)

    def shown(self, timeout: float = 60) -> str:
        """Wait for its end, and return what it showed."""
        self._process.join(timeout)
        assert self.code is not None, self._output.read_text()
        return self._output.read_text()

    def wait_until_shown(self, text: str) -> None:
        """Wait until it has shown a text."""
        while text not in self._output.read_text():
            assert self.is_running, self._output.read_text()
            time.sleep(0.02)


def _run(output: Path, environment: Mapping[str, str], command: list[str], settled: float, read: float) -> None:
    with output.open("a") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.environ.clear()
    os.environ.update(environment)
    # What was started in the background, as tests may be, would not hear Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from competition.kaggle import connection, transfer
    from run import main
    from submissions.push import push
    from submissions.submit import upload

    push.SETTLED, push.FIRST_LOOK, push.LAST_LOOK = settled, 0.1, 0.1
    upload.SETTLED, upload.POLL, connection.READ, transfer.READ = settled, 0.1, read, read
    main(command)
