"""Which version of a notebook was pushed, how far it has run on Kaggle, and waiting for its end."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import Any

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.kaggle.answers import NOT_RUN, RemoteRun
from competition.kaggle.notebooks import Notebooks
from competition.workspace import Workspace
from submissions.push.log import Push, PushLog
from submissions.push.packed import PackedNotebook, folder_of, record_of

FIRST_LOOK, LAST_LOOK = 5.0, 120.0  # seconds between two looks; they double
SETTLED = 90.0  # seconds after which a version that Kaggle does not show, or run, yet is taken for not there


@dataclass(frozen=True)
class Run:
    """How far a version of a notebook has run.

    Attributes:
        kernel: the notebook on Kaggle, as "owner/name".
        version: of it; None for the latest, whichever that is.
        status: "queued", "running", "complete", "error", "being cancelled", "cancelled" or "not run".
        failure: what Kaggle says of it, such as why it failed; "" if nothing.
        address: of its page.
    """

    kernel: str
    version: int | None
    status: str
    failure: str
    address: str

    @property
    def is_failed(self) -> bool:
        """Whether it has ended before its end."""
        return self.status in ("error", "cancelled")

    def text(self) -> str:
        """Return it as a line."""
        which = f"version {self.version}" if self.version else "the latest version"
        failure = f": {self.failure.rstrip('.')}" if self.failure else ""
        where = f" See {self.address}." if self.is_failed else ""
        return f"{self.kernel}, {which}: {self.status}{failure}.{where}"

    def as_dict(self) -> dict[str, Any]:
        """Return it, for JSON."""
        of = {"kernel": self.kernel, "version": self.version, "status": self.status}
        return {**of, "failure": self.failure or None, "address": self.address}


def pushed_of(name: str, workspace: Workspace) -> Push:
    """Return the last version of a notebook that was pushed from here; or the latest, if it was from elsewhere.

    Raises:
        UserError: if it was not pushed, or there is no such notebook.
    """
    folder = folder_of(name, workspace)
    if made := PushLog(record_of(folder)).made:
        return made
    packed = PackedNotebook.read(folder, workspace)
    of = (packed.kernel, packed.dataset, packed.digest, packed.data)
    return Push(*of, begun="", provenance=packed.provenance)


def run_of(name: str, push: Push, kaggle: Notebooks) -> Run:
    """Return how far the notebook that was packed under a name, and pushed, has run.

    Raises:
        UserError: if Kaggle does not show it.
    """
    remote = kaggle.run(push.kernel, push.version or 0)
    if remote is None:
        raise _not_there(name, push)
    return _run(push, remote)


def wait_for_end(name: str, push: Push, kaggle: Notebooks) -> Run:
    """Return how it has ended, as `run_of`; one that Kaggle does not show or begin yet is waited for a while.

    Raises:
        UserError: if Kaggle cannot be asked, or does not show it, or does not run it.
    """
    reporter.note(f"Waiting for the end of {push.kernel}. Ctrl-C ends the waiting, not the notebook.")
    at_work, pause, told = time.monotonic(), FIRST_LOOK, ""
    while True:
        asked, remote = time.monotonic(), kaggle.run(push.kernel, push.version or 0)
        if remote and remote.has_ended:
            return _run(push, remote)
        if remote and remote.status != NOT_RUN:
            at_work = asked
        elif asked - at_work >= SETTLED:
            raise _not_run(name, push) if remote else _not_there(name, push)
        if remote and remote.status != told:
            told = remote.status
            reporter.note(f"It is {told}.")
        time.sleep(pause)
        pause = min(2 * pause, LAST_LOOK)


def _run(push: Push, remote: RemoteRun) -> Run:
    return Run(push.kernel, push.version, remote.status, remote.failure, push.address)


def _not_run(name: str, push: Push) -> UserError:
    which = f"version {push.version} of " if push.version else ""
    again = {"to let it be run": f"notebook push {shlex.quote(name)} --again"}
    return UserError(f"Kaggle has {which}{push.kernel}, and has not run it within {SETTLED:.0f} s.", command=again)


def _not_there(name: str, push: Push) -> UserError:
    which = f"version {push.version} of the notebook" if push.version else "notebook"
    bring = {"to bring it there": f"notebook push {shlex.quote(name)}"}
    return UserError(f"Kaggle shows no {which} {push.kernel} of yours.", command=bring)
