"""What `--track` does: it brings results into line with a tracker, and never costs one of them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from competition.common.errors import UserError
from competition.common.locks import locked
from competition.common.progress import reporter
from competition.common.text import counted
from competition.tracking.entry import Entry
from competition.tracking.mlflow_store import MlflowStore
from competition.workspace import Workspace

LOCK = ".track.lock"


class Tracker:
    """Brings results where `--track` says, each once, whichever process made it and whenever that was.

    The workspace holds the results; what a tracker holds follows from it. So nothing is lost where it cannot be
    reached, or a process is killed: the same command later brings the rest.

    Args:
        workspace: whose results; its name of the competition is that of the experiment.
        track: the word of the flag; None: nothing is tracked.

    Raises:
        UserError: if the tracker is not installed or cannot be reached, before any work.
    """

    def __init__(self, workspace: Workspace, track: str | None) -> None:
        self._workspace = workspace
        self._store: MlflowStore | None = None
        if track is not None:
            with self._alone():
                self._store = MlflowStore(workspace.tracked, workspace.competition.name, _name_of(workspace))
        self._failed: dict[str, Exception] = {}  # by group

    def _alone(self) -> AbstractContextManager[None]:
        """Two processes must not both make the experiment, or write one result."""
        return locked(self._workspace.root / LOCK)

    def keep(self, group: str, entries: Callable[[], Mapping[str, Callable[[], Entry]]]) -> None:
        """Bring results into line; a failure is remembered for `end`, as the work that made them may go on.

        Args:
            group: what they are of, such as a model; a name without quotes.
            entries: returns, by the key that tells a result from all others, what describes it.
        """
        if self._store is None:
            return
        self._failed.pop(group, None)
        try:
            with self._alone():
                found = entries()
                new = found.keys() - self._store.known(group)
                for key in found:
                    if key in new:
                        self._store.write(group, key, found[key]())
        except (UserError, OSError) as error:
            self._failed[group] = error
            return
        if new:
            reporter.say(f"Tracked {counted(len(new), 'result')} of '{group}' in MLflow, at {self._store.place}.")

    def end(self) -> None:
        """See that all was kept.

        Raises:
            UserError: if some results were not.
        """
        for error in self._failed.values():
            kept = f"All results are in {self._workspace.root}, and the same command tracks them later."
            raise UserError(f"{error} {kept}") from error


def _name_of(workspace: Workspace) -> str:
    """Return what tells a workspace from those of others who track at the same server."""
    return f"{socket.gethostname()}:{workspace.root.absolute()}"
