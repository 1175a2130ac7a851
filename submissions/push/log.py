"""What was pushed of a notebook, and how far a push has come: a record beside the folder, written before each step.

A push goes through these stages; each is on the disk before the step it announces is taken:

    begun           files may be on their way; Kaggle was told nothing
    data sent       Kaggle was told to make a version of the data set; whether it did is not known
    data there      the version is there and processed
    notebook sent   Kaggle was told to make a version of the notebook; whether it did is not known
    pushed          Kaggle has made it, and runs it
    rejected        Kaggle has made it, and does not give it all that it is to read
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from competition.common.records import read_record, write_record
from competition.common.text import now
from submissions.submit.provenance import what_is_known

FORMAT = 1
Stage = Literal["begun", "data sent", "data there", "notebook sent", "pushed", "rejected"]


@dataclass(frozen=True)
class Push:
    """A push.

    Attributes:
        kernel: the notebook on Kaggle, as "owner/name".
        dataset: its data set, likewise.
        digest: SHA-256 of what is pushed.
        data: SHA-256 of what is in the data set.
        begun: when, ISO, UTC.
        stage: how far it has come.
        data_version: of the data set; None before it is there, 0 if Kaggle does not say.
        after: version of the notebook that was there before, 0 for none; None before it was sent.
        version: of the notebook; None before Kaggle has made it.
        pushed: when it was made, ISO, UTC; None before.
        provenance: how what it runs was made, as known when it was packed; None where that was not kept.
    """

    kernel: str
    dataset: str
    digest: str
    data: str
    begun: str
    stage: Stage = "begun"
    data_version: int | None = None
    after: int | None = None
    version: int | None = None
    pushed: str | None = None
    provenance: dict[str, Any] | None = None

    @property
    def address(self) -> str:
        """Of the notebook's page."""
        return f"https://www.kaggle.com/code/{self.kernel}"

    def as_dict(self) -> dict[str, Any]:
        """Return it, for JSON."""
        return asdict(self)


class PushLog:
    """The pushes of a folder, in the order in which they were begun.

    Args:
        path: of the record; it need not be there.

    Raises:
        DamagedError: if it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pushes = self._read() if path.exists() else []

    @property
    def last(self) -> Push | None:
        """The one begun last, which may have been interrupted; None if there is none."""
        return self.pushes[-1] if self.pushes else None

    @property
    def made(self) -> Push | None:
        """The last one that Kaggle has made a version of the notebook of; None if there is none."""
        return next((push for push in reversed(self.pushes) if push.version is not None), None)

    def begin(self, push: Push) -> None:
        """Note that a push begins."""
        self.pushes = [*self.pushes, push]
        self._write()

    def note(self, **values: Any) -> Push:
        """Note how far the last push has come, and return it."""
        values |= {"pushed": now()} if values.get("stage") == "pushed" else {}
        self.pushes = [*self.pushes[:-1], replace(self.pushes[-1], **values)]
        self._write()
        return self.pushes[-1]

    def _read(self) -> list[Push]:
        def parse(content: dict[str, Any]) -> list[Push]:
            pushes = TypeAdapter(list[Push]).validate_python(content["pushes"])
            for push in pushes:
                what_is_known(push.provenance or {})
            return pushes

        otherwise = "move it away: what is on Kaggle is looked at before anything is pushed"
        return read_record(self.path, parse, version=FORMAT, otherwise=otherwise)

    def _write(self) -> None:
        write_record(self.path, {"pushes": [push.as_dict() for push in self.pushes]}, version=FORMAT)
