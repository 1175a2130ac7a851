"""A finished notebook as a submission: what is sent to the competition, and what the ledger is to know of it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.kaggle.client import Kaggle
from competition.kaggle.notebooks import Notebooks
from competition.kernels.folder import METADATA
from competition.workspace import Workspace
from submissions.push.log import Push
from submissions.push.packed import PackedNotebook, folder_of, packed_again
from submissions.push.runs import pushed_of, run_of
from submissions.submit.entry import NOTEBOOK, Entry
from submissions.submit.provenance import is_remade, what_is_known


@dataclass(frozen=True)
class NotebookParcel:
    """A version of a notebook, ready to be submitted; as `submissions.submit.parcel.Parcel`.

    Attributes:
        title: under which it was packed.
        push: the version.
    """

    title: str
    push: Push
    done = "Submitted"

    @property
    def name(self) -> str:
        """What it is called in a message."""
        return f"version {self.push.version} of the notebook {self.push.kernel}"

    @property
    def names(self) -> tuple[str, ...]:
        """What an entry of the ledger may be called."""
        return (self.title,)

    @property
    def marker(self) -> str:
        """What makes it known in the ledger; what Kaggle lists carries its words instead."""
        return sha256(f"{self.push.kernel}/{self.push.version}".encode()).hexdigest()[:16]

    def text(self, competition: str) -> str:
        """Return what goes where, as part of a line; `competition` is Kaggle's name of it."""
        return f"{self.name} to {competition}"

    def words(self, message: str) -> str:
        """Return the message that Kaggle shows, which tells it from other versions."""
        return f"{message} [{self.push.kernel.split('/')[1]} v{self.push.version}]"

    def rehearsal(self, message: str, competition: str | None) -> str:
        """Return what would be done, for a dry run."""
        return (
            f"Dry run: {self.text(str(competition))} would be submitted with the message {self.words(message)!r}. "
            "Nothing has left this machine.\nKaggle was not asked whether it has run to its end."
        )

    def entry(self, message: str, competition: str) -> Entry:
        """Return it as an entry of the ledger."""
        made = {"kernel": self.push.kernel, "version": self.push.version}
        known, provenance = what_is_known(self.push.provenance or {}), {**(self.push.provenance or {}), NOTEBOOK: made}
        own = {"name": self.title, "marker": self.marker, "size": 0, "digest": None, "provenance": provenance}
        return Entry(competition=competition, message=self.words(message), **{**known, **own})

    def bring(self, kaggle: Kaggle) -> str:
        """Return nothing: a notebook is there already."""
        del kaggle
        return ""

    def create(self, kaggle: Kaggle, token: str, message: str, announce: Callable[[], None]) -> int:
        """Submit it, and return the submission's ref; as `Kaggle.create`."""
        del token
        return kaggle.create_of_notebook(self.push.kernel, self.push.version or 0, self.words(message), announce)


def pack_notebook(name: str, workspace: Workspace, *, ask: bool = True, as_is: bool = False) -> NotebookParcel:
    """Return the last pushed version of a notebook, ready to be submitted.

    Args:
        name: under which it was packed, or the path of its folder.
        workspace: of the competition.
        ask: Kaggle, whether it has run to its end.
        as_is: also if its folder, or the blend that it was packed of, is another one since.

    Raises:
        UserError: if it was not pushed from here, has not run to its end, or is not what there is now.
    """
    push, title, told = pushed_of(name, workspace), folder_of(name, workspace).name, shlex.quote(name)
    if push.version is None:
        raise UserError(f"{title!r} was not pushed from here.", command=f"notebook push {told}")
    if not as_is:
        _check_current(name, push, workspace)
    if ask and (run := run_of(name, push, Notebooks())).status != "complete":
        again = f"notebook push {told} --again" if run.is_failed else f"notebook status {told} --wait"
        raise UserError(f"Only a notebook that has run to its end can be submitted. {run.text()}", command=again)
    if push.provenance is None:
        reporter.note(
            f"How version {push.version} of {push.kernel} was made was not kept when it was packed, by an earlier "
            "version of the toolkit: the ledger says nothing of what it should score."
        )
    return NotebookParcel(title, push)


def _check_current(name: str, push: Push, workspace: Workspace) -> None:
    """Refuse what was pushed if there is another notebook or blend of that name since, which may be the one meant."""
    folder, told = folder_of(name, workspace), shlex.quote(name)
    as_it_is = {"to submit what was pushed": f"submit {told} --notebook --as-is"}
    if (folder / METADATA).is_file() and not _is_pushed(folder, push, workspace):
        raise UserError(
            f"{folder} was packed anew or changed since version {push.version} of {push.kernel} was pushed from it.",
            command={"to push it": f"notebook push {told}", **as_it_is},
        )
    if is_remade(push.provenance or {}, workspace):
        again = packed_again(folder, workspace, push.kernel.split("/")[0])
        runs = f"version {push.version} of {push.kernel} runs"
        raise UserError(
            f"'{(push.provenance or {})['name']}' is another one now than {runs}: it was made anew, or pulled, since.",
            command={"to pack it as it is": again, "to push that": f"notebook push {told}", **as_it_is},
        )


def _is_pushed(folder: Path, push: Push, workspace: Workspace) -> bool:
    with suppress(UserError):  # what Kaggle would not take was not pushed
        return PackedNotebook.read(folder, workspace).digest == push.digest
    return False
