"""What Kaggle answers, checked: files, submissions, limits, data sets, notebooks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from competition.kaggle.errors import MalformedError, clean

LONGEST_MESSAGE = 1000  # characters of a message beside a submission, or of a failure, that are kept
NOT_RUN = "not run"
RUNS = {  # how far a notebook has run, by Kaggle's words for it
    "QUEUED": "queued",
    "RUNNING": "running",
    "COMPLETE": "complete",
    "ERROR": "error",
    "CANCEL_REQUESTED": "being cancelled",
    "CANCEL_ACKNOWLEDGED": "cancelled",
    "NEW_SCRIPT": NOT_RUN,
}


@dataclass(frozen=True)
class RemoteFile:
    """A file of a competition: its name, and its size in bytes, 0 if Kaggle does not say."""

    name: str
    size: int


@dataclass(frozen=True)
class RemoteSubmission:
    """A submission as Kaggle lists it.

    Attributes:
        ref: Kaggle's number of it, the only proof that it was accepted.
        file_name: name under which the file was uploaded; "" if Kaggle does not say.
        message: shown beside it on Kaggle.
        date: when it was made, ISO, UTC; "" if Kaggle does not say.
        status: "pending", "complete" or "error".
        error: why it could not be scored; "" otherwise.
        public: score on the public part of the test chips; None while there is none.
        private: score on the private part; None while there is none.
        size: bytes of the file; 0 if Kaggle does not say.
    """

    ref: int
    file_name: str
    message: str
    date: str
    status: str
    error: str
    public: float | None
    private: float | None
    size: int

    @classmethod
    def of(cls, answer: Any) -> RemoteSubmission:
        """Read the client's object.

        Raises:
            MalformedError: if it lacks what it must have.
        """
        if not is_ref(answer.ref):
            raise MalformedError
        date = (
            answer.date.replace(tzinfo=UTC).isoformat(timespec="seconds") if isinstance(answer.date, datetime) else ""
        )
        return cls(
            ref=answer.ref,
            file_name=clean(answer.file_name),
            message=clean(answer.description, LONGEST_MESSAGE),
            date=date,
            status=answer.status.name.lower(),
            error=clean(answer.error_description),
            public=_score(answer.public_score),
            private=_score(answer.private_score),
            size=answer.total_bytes if is_size(answer.total_bytes) else 0,
        )


@dataclass(frozen=True)
class Limits:
    """How many submissions the team has made today, in UTC, and may still make.

    Attributes:
        made: today.
        left: now.
        is_total: the competition allows no more in all, not only today.
    """

    made: int
    left: int
    is_total: bool


@dataclass(frozen=True)
class RemoteDataset:
    """A data set as Kaggle shows it.

    Attributes:
        version: number of its latest version; 0 if Kaggle does not say.
        status: of that version: "ready", "failed", "deleted", or what is being done with it.
    """

    version: int
    status: str

    @property
    def is_settled(self) -> bool:
        """Whether nothing is being done with it."""
        return self.status in ("ready", "failed", "deleted")


@dataclass(frozen=True)
class RemoteNotebook:
    """A notebook as Kaggle shows it.

    Attributes:
        version: number of its latest version.
        source: of that, as the text of its file.
    """

    version: int
    source: str


@dataclass(frozen=True)
class PushedNotebook:
    """A version of a notebook that Kaggle has taken, and runs.

    Attributes:
        version: its number.
        unknown: data sets and competitions that it is to read, and that Kaggle does not give it.
    """

    version: int
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, answer: Any) -> PushedNotebook:
        """Read the client's object.

        Raises:
            MalformedError: if it names no version.
        """
        if not is_ref(answer.version_number):
            raise MalformedError
        lists = (answer.invalid_dataset_sources, answer.invalid_competition_sources)
        unknown = tuple(clean(name) for names in lists for name in names or ())
        return cls(answer.version_number, unknown)


@dataclass(frozen=True)
class RemoteRun:
    """How far a version of a notebook has run.

    Attributes:
        status: one of `RUNS`.
        failure: what Kaggle says of it, such as why it failed; "" if nothing.
    """

    status: str
    failure: str

    @classmethod
    def of(cls, answer: Any) -> RemoteRun:
        """Read the client's object."""
        return cls(RUNS[answer.status.name], clean(answer.failure_message or "", LONGEST_MESSAGE))

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self.status in ("complete", "error", "cancelled")


@dataclass(frozen=True)
class RemoteOutput:
    """What a version of a notebook has left.

    Attributes:
        addresses: of its files, signed, by name; a name may be any text.
        log: what it printed, as Kaggle keeps it.
    """

    addresses: dict[str, str]
    log: str


def is_ref(number: Any) -> bool:
    """Whether Kaggle's number of a submission can be one."""
    return isinstance(number, int) and 0 < number < 2**63


def is_size(number: Any) -> bool:
    """Whether a size in bytes can be one."""
    return isinstance(number, int) and 0 <= number < 2**63


def _score(text: Any) -> float | None:
    """Return a score, which Kaggle gives as text; None if there is none."""
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None
