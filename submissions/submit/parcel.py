"""What is to be uploaded, checked before anything leaves the machine."""

from __future__ import annotations

import gzip
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.files import digest_file
from competition.common.text import readable
from competition.kaggle.client import Kaggle
from competition.kaggle.credentials import redact
from competition.workspace import Workspace
from submissions.submit.entry import Entry
from submissions.submit.provenance import how_again, is_remade, read_provenance, what_is_known
from submissions.submit.validate import SubmissionReport, content_of_submission, validate_submission
from submissions.submit.write import submission_path

LONGEST = 60  # characters of a submission's name in the name of the uploaded file


@dataclass(frozen=True)
class Parcel:
    """A checked submission file, ready to be uploaded.

    Attributes:
        report: what the validator found: no problems.
        content: what is uploaded: the CSV, or its gzip.
        digest: SHA-256 of the CSV.
        modified: when the CSV was last changed, in seconds since 1970.
        known: how it was made and what it should score, as fields of an entry of the ledger.
        is_packed: whether `content` is gzip.
    """

    report: SubmissionReport
    content: bytes
    digest: str
    modified: int
    known: dict[str, Any]
    is_packed: bool
    done = "Uploaded"

    @property
    def title(self) -> str:
        """Of the submission; the message beside it where none is given."""
        return self.path.stem

    @property
    def name(self) -> str:
        """What it is called in a message."""
        return self.path.name

    @property
    def path(self) -> Path:
        """The CSV file."""
        return self.report.path

    @property
    def names(self) -> tuple[str, ...]:
        """What an entry of the ledger may be called: one made here, and one that only Kaggle knew."""
        return self.title, self.upload_name

    @property
    def marker(self) -> str:
        """What makes the file known among all that are on Kaggle."""
        return self.digest[:16]

    @property
    def upload_name(self) -> str:
        """Name of the file on Kaggle."""
        stem = re.sub(r"[^A-Za-z0-9_.]+", "-", self.path.stem)[:LONGEST].strip("-.") or "submission"
        return f"{stem}-{self.marker}.csv{'.gz' if self.is_packed else ''}"

    def text(self, competition: str) -> str:
        """Return what goes where, as part of a line; `competition` is Kaggle's name of it."""
        return f"{self.upload_name} ({readable(len(self.content))}) to {competition}"

    def rehearsal(self, message: str, competition: str | None) -> str:
        """Return what would be done, for a dry run; `competition` is Kaggle's name of it, None if it is not known."""
        if competition is None:
            return (
                f"Dry run: {self.path} may be uploaded by hand, or from here once the competition file has a slug (the "
                "name in the address of its page on Kaggle)."
            )
        return (
            f"Dry run: {self.text(competition)} would be submitted with the message {message!r}. Nothing has left this "
            "machine.\nKaggle was not asked how many submissions are left, nor whether it has the file already."
        )

    def bring(self, kaggle: Kaggle) -> str:
        """Upload it, and return its token."""
        return kaggle.upload(self.upload_name, self.content, self.modified)

    def create(self, kaggle: Kaggle, token: str, message: str, announce: Callable[[], None]) -> int:
        """Submit what was uploaded, and return the submission's ref; as `Kaggle.create`."""
        return kaggle.create(token, message, announce)

    def entry(self, message: str, competition: str) -> Entry:
        """Return the parcel as an entry of the ledger."""
        own = {"name": self.path.stem, "marker": self.marker, "digest": self.digest, "size": len(self.content)}
        return Entry(competition=competition, message=message, **{**self.known, **own})


def pack(name: str | None, workspace: Workspace, *, as_gzip: bool = False, as_is: bool = False) -> Parcel:
    """Check a submission and make it ready.

    Args:
        name: of a submission in the workspace, or the path of a `.csv` file; None: the one written last.
        workspace: of the competition.
        as_gzip: upload it compressed.
        as_is: also if its blend is another one since.

    Raises:
        UserError: if there is none, or it is not valid, or was changed after it was written, or is not that of the
            blend that there is now.
    """
    path = _latest(workspace) if name is None else submission_path(name, workspace)
    provenance = read_provenance(path)
    of_blend = workspace.submissions / f"{provenance.get('name')}.csv"
    is_own = path.resolve() == of_blend.resolve()  # and no copy that was kept
    if is_own and not as_is and is_remade(provenance, workspace):
        told = shlex.join(["submit", *([] if name is None else [name]), "--as-is"])
        raise UserError(
            f"{path} is of another '{path.stem}' than there is now: that was made anew, or pulled, since.",
            command={**how_again(path), "to submit it as it is": told},
        )
    # What was asked for when it was written is what it is held to now.
    exclusive = provenance.get("exclusive", True)
    content = content_of_submission(path)
    report = validate_submission(path, workspace.competition, workspace.sample, exclusive=exclusive)
    if not report.is_valid:
        raise report.error()
    digest = sha256(content).hexdigest()
    if digest != provenance.get("sha256", digest) or digest != digest_file(path):
        raise UserError(f"{path} is changing while it is read. Run the command again when it is complete.")
    return Parcel(
        report=report,
        content=gzip.compress(content, mtime=0) if as_gzip else content,
        digest=digest,
        modified=int(path.stat().st_mtime),
        known=what_is_known(provenance),
        is_packed=as_gzip,
    )


def check_message(message: str) -> str:
    """Return a message that may stand beside a submission.

    Raises:
        UserError: if it is empty, not one printable line, or holds the user's token.
    """
    if redact(message) != message:
        raise UserError("--message holds a Kaggle token, and everybody in the team would read it. Leave it out.")
    if not message.strip() or not message.isprintable():
        raise UserError(f"--message: expected one line of text, received {message!r}.")
    return message.strip()


def _latest(workspace: Workspace) -> Path:
    paths = list(workspace.submissions.glob("*.csv"))
    if not paths:
        raise UserError(
            f"No submissions in {workspace.submissions}.",
            command="blend --members MODELS --name NAME",
            otherwise="give the path of a .csv file",
        )
    return max(paths, key=lambda path: path.stat().st_mtime)
