"""Bringing a notebook to Kaggle, once: its data set first, and when Kaggle has processed that, the notebook.

A notebook that is pushed before its data set is processed runs with the version before. Kaggle is looked at first: a
file in each version of the data set, and the last cell of each version of the notebook, carry the digest of what was
pushed, so that it is found there, also by another machine or without the record. The record notes each step before it
is taken. Where a step has no answer, Kaggle is looked at until nothing can be on its way any more.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from competition.common.errors import UserError, spelled
from competition.common.files import scratch_folder
from competition.common.locks import lock_of, locked
from competition.common.progress import reporter
from competition.common.text import day, first, now
from competition.kaggle.errors import AGAIN, UnansweredError
from competition.kaggle.notebooks import Notebooks
from competition.workspace import Workspace
from submissions.push.log import Push, PushLog
from submissions.push.packed import MARKED, PackedNotebook, data_marker, folder_of, packed_again, record_of
from submissions.submit.provenance import is_remade

ATTEMPTS = 2
SETTLED = 90.0  # seconds of looking until what Kaggle does not show is taken for not made
FIRST_LOOK, LAST_LOOK = 2.0, 30.0  # seconds between two looks; they double
PATIENCE = 3600.0  # seconds for Kaggle to process a data set


@dataclass(frozen=True)
class Pushed:
    """A notebook that Kaggle has.

    Attributes:
        push: as the record has it.
        made: what was made now: "data set", "notebook".
    """

    push: Push
    made: tuple[str, ...]

    def text(self) -> str:
        """Return what happened."""
        push = self.push
        data = f"version {push.data_version} of the data set {push.dataset}" if push.data_version else push.dataset
        notebook = f"version {push.version} of the notebook {push.kernel}"
        if not self.made:
            when = f", of {day(push.pushed)}" if push.pushed else ""
            return f"Kaggle has it already: {notebook}{when}, with {data}. Nothing was pushed."
        kept = "" if "data set" in self.made else ", which it had already"
        return f"Kaggle has {data}{kept}, and runs {notebook}: {push.address}"

    def as_dict(self) -> dict[str, Any]:
        """Return what happened, for JSON."""
        return {**self.push.as_dict(), "made": list(self.made)}


def push_notebook(name: str, workspace: Workspace, message: str, *, again: bool = False) -> Pushed:
    """Bring a packed notebook to Kaggle, exactly once.

    Args:
        name: under which it was packed, or the path of its folder.
        workspace: of the competition.
        message: shown beside the version of its data set.
        again: let Kaggle run it once more, even if it has it.

    Raises:
        UserError: if there is none, Kaggle would not or does not take it, or does not confirm it.
    """
    folder = folder_of(name, workspace)
    PackedNotebook.read(folder, workspace)  # before anybody is waited for
    with locked(lock_of(folder.absolute())):
        packed = PackedNotebook.read(folder, workspace)
        packed.check_contents(workspace)
        if is_remade(packed.provenance or {}, workspace):
            anew = spelled(packed_again(folder, workspace, packed.kernel.split("/")[0]))
            reporter.note(f"'{packed.name}' was made anew, or pulled, since it was packed. To pack it as it is: {anew}")
        kaggle = Notebooks()
        owner = packed.kernel.split("/")[0]
        if kaggle.user and kaggle.user.lower() != owner.lower():
            raise UserError(
                f"{folder} is to be {owner!r}'s, and these credentials are {kaggle.user!r}'s.",
                command=packed_again(folder, workspace, kaggle.user),
            )
        return _Pushing(packed, kaggle, PushLog(record_of(folder))).run(message, again=again)


class _Pushing:
    """The steps of a push. Nobody else pushes this folder meanwhile."""

    def __init__(self, packed: PackedNotebook, kaggle: Notebooks, log: PushLog) -> None:
        self.packed, self.kaggle, self.log = packed, kaggle, log

    def run(self, message: str, *, again: bool) -> Pushed:
        """Look at what is there, and make what is not."""
        packed, log = self.packed, self.log
        is_made_now = self._settle()
        data = self._await_data(packed.dataset, packed.data, 0.0)
        # What Kaggle has made it may not show yet.
        patience = SETTLED if self._made() and log.last and log.last.stage == "pushed" and not again else 0.0
        version = self._await_notebook(packed.kernel, packed.digest, self._rejected(), patience)
        if data is not None and version is not None and (is_made_now or not again):
            if log.made is None or (log.made.digest, log.made.version) != (packed.digest, version):
                self._begin()
                log.note(stage="pushed", data_version=data, version=version)
            elif packed.provenance not in (None, log.made.provenance):  # made anew since, of the same answers
                log.begin(replace(log.made, provenance=packed.provenance))
            assert log.made is not None
            return Pushed(log.made, ())
        self._begin()
        made = () if data is not None else ("data set",)
        data = self._make_data(message) if data is None else data
        log.note(stage="data there", data_version=data)
        return Pushed(self._make_notebook(), (*made, "notebook"))

    def _begin(self) -> None:
        """Begin a push, or go on with one of the same that was interrupted."""
        packed, last = self.packed, self.log.last
        open_ones = ("begun", "data there")
        if last is None or (last.digest, last.kernel) != (packed.digest, packed.kernel) or last.stage not in open_ones:
            of = (packed.kernel, packed.dataset, packed.digest, packed.data)
            self.log.begin(Push(*of, begun=now(), provenance=packed.provenance))

    def _settle(self) -> bool:
        """Find out what became of a step that has no answer, of this push or of another one before.

        Returns:
            Whether it was the notebook, and Kaggle has made it.
        """
        last = self.log.last
        if last and last.stage == "data sent":
            data = self._await_data(last.dataset, last.data, SETTLED)
            self.log.note(stage="begun" if data is None else "data there", data_version=data)
        elif last and last.stage == "notebook sent":
            version = self._await_notebook(last.kernel, last.digest, last.after or 0, SETTLED)
            self.log.note(stage="data there" if version is None else "pushed", version=version)
            return version is not None
        return False

    def _made(self) -> int:
        """Return the last version of the notebook that was made of just this, as the record has it, or 0."""
        made = self.log.made
        is_this = made and (made.digest, made.kernel) == (self.packed.digest, self.packed.kernel)
        return made.version or 0 if made and is_this else 0

    def _rejected(self) -> int:
        """Return the version of this very notebook to which Kaggle does not give all that it is to read, or 0."""
        return self._made() if self.log.last and self.log.last.stage == "rejected" else 0

    def _make_data(self, message: str) -> int:
        """Make a version of the data set, and return its number when it is processed."""
        packed, kaggle = self.packed, self.kaggle
        for _ in range(ATTEMPTS):
            with scratch_folder() as scratch:
                tokens = [kaggle.upload(path) for path in packed.parts(scratch)]
            there = kaggle.dataset(packed.dataset)
            self.log.note(stage="data sent")
            patience = PATIENCE
            try:
                if there is None:
                    kaggle.create_dataset(packed.dataset, packed.title, packed.license, tokens)
                else:
                    kaggle.version_dataset(packed.dataset, message, tokens)
            except UnansweredError as error:
                _say_unanswered(error)
                patience = SETTLED
            except UserError:
                self.log.note(stage="begun")
                raise
            data = self._await_data(packed.dataset, packed.data, patience)
            if data is not None:
                return data
            if patience == PATIENCE:
                self._raise_unprocessed()
            self.log.note(stage="begun")
        raise _unconfirmed(f"a version of the data set {packed.dataset}")

    def _raise_unprocessed(self) -> NoReturn:
        """Say why the data set that Kaggle has taken is not ready."""
        ref, there = self.packed.dataset, self.kaggle.dataset(self.packed.dataset)
        if there and there.status == "failed":
            self.log.note(stage="begun")
            raise UserError(
                f"Kaggle could not process the data set: see https://www.kaggle.com/datasets/{ref}. {AGAIN}."
            )
        raise UserError(
            f"Kaggle has taken the data set {ref}, and has not processed it within {PATIENCE / 60:.0f} min. {AGAIN} "
            "later; it looks at Kaggle first."
        )

    def _make_notebook(self) -> Push:
        """Make a version of the notebook, and return the push."""
        packed, kaggle = self.packed, self.kaggle
        for _ in range(ATTEMPTS):
            there = kaggle.notebook(packed.kernel)
            after = max(there.version if there else 0, self._made())
            with scratch_folder() as scratch:
                packed.write_marked(scratch)
                self.log.note(stage="notebook sent", after=after)
                try:
                    answer = kaggle.push(packed.kernel, scratch)
                except UnansweredError as error:
                    _say_unanswered(error)
                    version = self._await_notebook(packed.kernel, packed.digest, after, SETTLED)
                    if version is not None:
                        return self.log.note(stage="pushed", version=version)
                    self.log.note(stage="data there")
                    continue
                except UserError:
                    self.log.note(stage="data there")
                    raise
            if answer.unknown:
                self.log.note(stage="rejected", version=answer.version)
                raise UserError(
                    f"Kaggle has made version {answer.version} of {packed.kernel}, and does not give it "
                    f"{first(answer.unknown)}: are the competition's rules accepted, and is the data set yours? "
                    f"{AGAIN} then."
                )
            return self.log.note(stage="pushed", version=answer.version)
        raise _unconfirmed(f"a version of the notebook {packed.kernel}")

    def _await_data(self, ref: str, data: str, patience: float) -> int | None:
        """Return the version of a data set, when the latest one is processed and has these contents.

        Args:
            ref: the data set.
            data: digest of the contents.
            patience: seconds to look for it; what Kaggle is processing is waited for in any case.

        Returns:
            Its number, 0 if Kaggle does not say; None if what is there is something else.
        """
        look = _Looking(f"Kaggle is processing the data set {ref}; waiting, {PATIENCE / 60:.0f} min at most.")
        while True:
            asked, there = look.seconds, self.kaggle.dataset(ref)
            status = there.status if there else ""
            if there and status == "ready" and self.kaggle.is_in_dataset(ref, data_marker(data)):
                return there.version
            is_busy = there is not None and not there.is_settled
            until = PATIENCE if is_busy else min(SETTLED, patience) if status == "failed" else patience
            if asked >= until:
                return None
            look.pause()

    def _await_notebook(self, ref: str, digest: str, after: int, patience: float) -> int | None:
        """Return the version of a notebook, if the latest one is of this digest; None if it is not.

        Args:
            ref: the notebook.
            digest: of what was pushed.
            after: a version that does not count, nor do those before it.
            patience: seconds to look for it.
        """
        look = _Looking(f"Kaggle does not show it yet; looking for another {patience:.0f} s.")
        while True:
            asked, there = look.seconds, self.kaggle.notebook(ref)
            if there and there.version > after and digest[:MARKED] in there.source:
                return there.version
            if asked >= patience:
                return None
            look.pause()


class _Looking:
    """Looks at Kaggle, with growing pauses.

    Args:
        told: to be said before the first pause.
    """

    def __init__(self, told: str) -> None:
        self._told, self._begun, self._pause = told, time.monotonic(), FIRST_LOOK

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begun

    def pause(self) -> None:
        """Wait until the next look."""
        if self._told:
            reporter.note(self._told)
        self._told = ""
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, LAST_LOOK)


def _say_unanswered(error: UnansweredError) -> None:
    happened = str(error).split(f" {AGAIN}")[0]  # which is not for the user yet
    reporter.note(f"{happened}\nLooking whether Kaggle has made it.")


def _unconfirmed(what: str) -> UserError:
    return UserError(
        f"Kaggle has not confirmed {what} in {ATTEMPTS} attempts, and does not show it. {AGAIN} later; it looks at "
        "Kaggle first."
    )
