"""Bringing a submission to Kaggle, once.

A submission is made in three steps: Kaggle names a place for the file, the file is sent there, and Kaggle is told to
submit it. Only the last one counts, and only the ref that it returns proves it. The ledger notes each step before it is
taken. Where the last one has no answer, Kaggle's list is asked, until nothing can be on its way any more; the name of
the uploaded file carries the digest of its content, so that it is found there, also by another machine or without the
ledger.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from competition.common.errors import UserError
from competition.common.locks import locked
from competition.common.progress import reporter
from competition.common.text import day, first
from competition.kaggle.answers import Limits
from competition.kaggle.client import Kaggle
from competition.kaggle.errors import AGAIN, RefusedError, UnansweredError, clean
from submissions.submit.entry import Entry
from submissions.submit.ledger import Ledger
from submissions.submit.parcel import Parcel as FileParcel

ATTEMPTS = 2
BAD = 400  # all that Kaggle says of a file where it takes notebooks
SETTLED = 90.0  # seconds of looking at Kaggle's list until what it does not show is taken for not accepted
POLL = 5.0  # seconds between two looks at Kaggle's list
FIRST_LOOK, LAST_LOOK = 5.0, 60.0  # seconds between two looks at a score; they double
PATIENCE = 1800.0  # seconds to wait for a score


class Parcel(Protocol):
    """What is to be submitted: a file or a notebook, checked."""

    @property
    def title(self) -> str:
        """Its name in the workspace."""

    @property
    def name(self) -> str:
        """What it is called in a message."""

    @property
    def names(self) -> tuple[str, ...]:
        """What an entry of it may be called."""

    @property
    def marker(self) -> str:
        """What makes it known in the ledger."""

    @property
    def done(self) -> str:
        """What was done with it, as the first word of a line."""

    def text(self, competition: str) -> str:
        """Return what goes where, as part of a line."""

    def rehearsal(self, message: str, competition: str | None) -> str:
        """Return what would be done, for a dry run."""

    def entry(self, message: str, competition: str) -> Entry:
        """Return it as an entry of the ledger."""

    def bring(self, kaggle: Kaggle) -> str:
        """Bring it to where submissions are made from; this submits nothing."""

    def create(self, kaggle: Kaggle, token: str, message: str, announce: Callable[[], None]) -> int:
        """Submit what was brought, and return the submission's ref; as `Kaggle.create`."""


@dataclass(frozen=True)
class Submitted:
    """A submission that Kaggle has confirmed.

    Attributes:
        entry: of the ledger.
        parcel: what was submitted.
        limits: before it was made; None if Kaggle does not say.
        is_earlier: it was made by an earlier attempt, and nothing was uploaded now.
    """

    entry: Entry
    parcel: Parcel
    limits: Limits | None
    is_earlier: bool

    def text(self) -> str:
        """Return what happened, as a line."""
        if self.is_earlier:
            begun = day(self.entry.sent or "")
            return (
                f"Kaggle has it already: the attempt of {begun} was accepted as {self.entry.ref}. Nothing was uploaded."
            )
        left = f"; {self.limits.left - 1} left today" if self.limits and self.limits.left else ""
        return (
            f"{self.parcel.done} {self.parcel.text(self.entry.competition)}. Kaggle has accepted it as submission "
            f"{self.entry.ref}{left}."
        )

    def as_dict(self) -> dict[str, Any]:
        """Return what happened, for JSON."""
        return {"submission": self.entry.as_dict(), "is_earlier": self.is_earlier}


def check_new(parcel: Parcel, ledger: Ledger, *, again: bool) -> None:
    """Refuse what is known to be on Kaggle already, unless it is to be submitted `again`.

    Raises:
        UserError: if it is.
    """
    earlier = [entry for entry in ledger.entries() if entry.marker == parcel.marker and entry.stage == "confirmed"]
    if earlier and not again:
        entry = earlier[-1]
        score = entry.status if entry.public is None else f"public {entry.public:.5f}"
        same = "" if entry.name in parcel.names else f", with the content of {entry.name},"
        raise UserError(
            f"{parcel.name}{same} was submitted already, on {day(entry.when)} as {entry.ref} ({entry.message!r}, "
            f"{score}). Give --again to submit the same once more.",
            command={"to see its score": "submissions sync"},
        )


def submit(parcel: Parcel, message: str, kaggle: Kaggle, ledger: Ledger, *, again: bool = False) -> Submitted:
    """Submit a file or notebook, exactly once.

    Args:
        parcel: the file or notebook.
        message: shown beside it on Kaggle.
        kaggle: the competition.
        ledger: of the workspace; one process at a time submits from it.
        again: submit it even if Kaggle has it.

    Raises:
        UserError: if it is there already, no submission is left today, or it is not accepted, or not confirmed.
    """
    with locked(ledger.path.with_name(f".{ledger.path.name}.lock")):
        check_new(parcel, ledger, again=again)  # another process may have submitted it while this one waited
        for earlier in _settle(kaggle, ledger):
            if earlier.marker == parcel.marker:
                return Submitted(earlier, parcel, None, is_earlier=True)
        check_new(parcel, ledger, again=again)
        limits = _check_limits(kaggle)
        for _ in range(ATTEMPTS):
            if entry := _try(parcel, message, kaggle, ledger):
                return Submitted(entry, parcel, limits, is_earlier=False)
    raise UserError(
        f"Kaggle has not confirmed {parcel.name} in {ATTEMPTS} attempts, and does not list it. "
        "Run the same command again later; it asks Kaggle first."
    )


def wait_for_score(entry: Entry, kaggle: Kaggle, ledger: Ledger) -> Entry:
    """Return the entry as it is when Kaggle has scored it, or could not.

    Raises:
        UserError: if Kaggle cannot be asked, or has not scored it after half an hour.
    """
    minutes = f"{PATIENCE / 60:.0f} min"
    reporter.note(f"Waiting for the score, {minutes} at most. Ctrl-C ends the waiting, not the submission.")
    later = {"to see its score later": "submissions sync"}
    until, pause = time.monotonic() + PATIENCE, FIRST_LOOK
    try:
        while (entry := _look(entry.ref or 0, kaggle, ledger)).status == "pending":
            if time.monotonic() + pause > until:
                raise UserError(f"{minutes} have passed.")
            time.sleep(pause)
            pause = min(2 * pause, LAST_LOOK)
    except UserError as error:
        accepted = f"Kaggle has accepted submission {entry.ref}, but its score is not known yet"
        raise UserError(f"{accepted}: {error}", command=later) from error
    except KeyboardInterrupt:
        stopped = UserError(f"Stopped waiting. Kaggle has accepted submission {entry.ref}.", command=later)
        raise KeyboardInterrupt(str(stopped)) from None
    return entry


def _look(ref: int, kaggle: Kaggle, ledger: Ledger) -> Entry:
    ledger.record([kaggle.submission(ref)])
    return next(entry for entry in ledger.entries() if entry.ref == ref)


def _try(parcel: Parcel, message: str, kaggle: Kaggle, ledger: Ledger) -> Entry | None:
    """Upload and submit once; return the confirmed entry, None if Kaggle did not answer and does not have it."""
    entry = ledger.begin(parcel.entry(message, kaggle.slug))
    try:
        token = parcel.bring(kaggle)
    except BaseException as error:
        ledger.end(entry, clean(str(error)) or type(error).__name__)
        _check_takes_files(error, parcel, kaggle)
        raise
    try:
        ref = parcel.create(kaggle, token, message, lambda: ledger.send(entry))
    except UnansweredError as error:
        happened = str(error).split(f" {AGAIN}")[0]  # which is not for the user yet
        reporter.note(f"{happened}\nAsking Kaggle whether it has the submission.")
        return next((listed for listed in _settle(kaggle, ledger) if listed.id == entry.id), None)
    except UserError as error:
        ledger.end(entry, clean(str(error)))
        _check_takes_files(error, parcel, kaggle)
        raise
    try:
        return ledger.confirm(entry, ref)
    except UserError as error:
        raise UserError(f"Kaggle has accepted {parcel.name} as {ref}, but: {error}") from error


def _check_takes_files(error: BaseException, parcel: Parcel, kaggle: Kaggle) -> None:
    """Say of a file that was refused without a reason that it is a code competition, if it is one.

    Raises:
        UserError: that says so.
    """
    if not (isinstance(error, RefusedError) and error.status == BAD and isinstance(parcel, FileParcel)):
        return
    takes_files = True
    with suppress(UserError):  # what was refused is all that is known then
        takes_files = not kaggle.takes_notebooks_only()
    if not takes_files:
        name = shlex.quote(parcel.title)
        steps = {
            "to make a notebook": f"notebook {name} --owner YOU --fetch",
            "to bring it to Kaggle": f"notebook push {name}",
            "to submit it then": f"submit {name} --notebook",
        }
        raise UserError(f"{kaggle.slug} takes notebooks only, and no files: {error}", command=steps) from error


def _settle(kaggle: Kaggle, ledger: Ledger) -> tuple[Entry, ...]:
    """Find out what became of every entry that is not confirmed, and return those that Kaggle has.

    Nobody else is submitting from this workspace. An entry that was sent and is not listed may still be on its way; it
    is ended when Kaggle has not shown it for `SETTLED` seconds from now on. When it was sent is not asked: the computer
    may have slept in between.
    """
    for entry in _at(ledger, "uploading"):
        ledger.end(entry, "the process was stopped before it was submitted")
    confirmed: list[Entry] = []
    begun, is_announced = time.monotonic(), False
    while True:
        asked = time.monotonic()
        confirmed += _listed(kaggle, ledger)
        unknown = _at(ledger, "unconfirmed")
        if asked - begun >= SETTLED:
            for entry in unknown:
                ledger.end(entry, f"Kaggle did not list it within {SETTLED:.0f} s", is_sure=False)
            return tuple(confirmed)
        if not unknown:
            return tuple(confirmed)
        if not is_announced:
            reporter.note(f"Kaggle does not list it yet; looking for another {SETTLED:.0f} s.")
            is_announced = True
        time.sleep(POLL)


def _listed(kaggle: Kaggle, ledger: Ledger) -> tuple[Entry, ...]:
    try:
        return ledger.record(kaggle.submissions()).confirmed
    except UserError as error:
        if unknown := _at(ledger, "unconfirmed"):
            names = first(f"{entry.name} of {day(entry.when)}" for entry in unknown)
            raise UserError(f"{error} Whether Kaggle has {names} is not known; `submit` asks first.") from error
        raise


def _check_limits(kaggle: Kaggle) -> Limits | None:
    try:
        limits = kaggle.limits()
    except UserError as error:
        reporter.note(f"How many submissions are left today is not known: {error}")
        return None
    if limits.left == 0 and limits.is_total:
        raise UserError("The competition allows the team no more submissions. Nothing was uploaded.")
    if limits.left == 0 and limits.made > 0:  # both are 0 for who has not submitted anything yet
        midnight = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0)
        hours, minutes = divmod(int((midnight - datetime.now(UTC)).total_seconds()) // 60, 60)
        raise UserError(
            f"No submissions are left today: {limits.made} were made. Counting begins anew at 00:00 UTC, in {hours} h "
            f"{minutes} min. Nothing was uploaded."
        )
    reporter.note(f"Submissions today: {limits.made} made, {limits.left} left.")
    return limits


def _at(ledger: Ledger, stage: str) -> list[Entry]:
    return [entry for entry in ledger.entries() if entry.stage == stage]
