"""`submit` is killed at every point of the exchange: the submission is never made twice, and never lost."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from competition.workspace import Workspace
from run import main
from submissions.submit.ledger import Ledger
from tests.kaggle_server import SIGNATURE, TOKEN, KaggleServer
from tests.submissions.submit.killable import Submission

QUESTIONS = ("IntrospectToken", "ListSubmissions", "GetSubmissionLimits")  # they change nothing
POINTS = [
    *(f"{call} received" for call in QUESTIONS),
    *(pytest.param(f"{call} {point}", marks=pytest.mark.slow) for call in QUESTIONS for point in ("done", "answered")),
    *(f"StartSubmissionUpload {point}" for point in ("received", "done", "answered")),
    *("PUT begun", "PUT half", "PUT received", "PUT done", "PUT answered"),
    *(f"CreateSubmission {point}" for point in ("received", "done", "answered")),
    *("GetSubmission received", "GetSubmission done"),
]


def start(kaggle: KaggleServer, workspace: Workspace, home: Path, *flags: str, **seconds: float) -> Submission:
    """Begin to submit in a process of its own."""
    command = ["submit", "first", "--message", "a mean", *flags, "--workspace", str(workspace.root)]
    return Submission(kaggle, home, command, **seconds)


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_it_is_submitted_once(
    point: str, kaggle: KaggleServer, submittable: Workspace, tmp_path: Path
) -> None:
    kaggle.stop_at = point
    killed = start(kaggle, submittable, tmp_path, "--wait")
    assert kaggle.reached.wait(30), killed.shown(1)
    killed.send(signal.SIGKILL)
    shown = killed.shown()
    assert not [secret for secret in (TOKEN, SIGNATURE, "blob-token") if secret in shown]
    entries = Ledger.of(submittable).entries()
    sure = [entry.ref for entry in entries if entry.stage == "confirmed"]
    assert set(sure) <= {each["ref"] for each in kaggle.submissions}  # what the ledger says is true
    if kaggle.submissions:
        assert [entry.stage for entry in entries] in (["unconfirmed"], ["confirmed"])
    kaggle.go_on.set()  # what the server was about to do it does now, though nobody listens
    command = ["submit", "first", "--message", "a mean", "--workspace", str(submittable.root)]
    shown = CliRunner().invoke(main, command, catch_exceptions=False).output
    assert "submission 1000" in shown or "accepted as 1000" in shown or "already, on" in shown, shown
    assert len(kaggle.submissions) == 1
    confirmed = [entry for entry in Ledger.of(submittable).entries() if entry.stage != "ended"]
    assert [(entry.stage, entry.ref) for entry in confirmed] == [("confirmed", 1000)]


def test_what_is_accepted_long_after_the_kill_is_waited_for(
    kaggle: KaggleServer, submittable: Workspace, tmp_path: Path
) -> None:
    kaggle.stop_at = "CreateSubmission received"
    killed = start(kaggle, submittable, tmp_path)
    assert kaggle.reached.wait(30)
    killed.send(signal.SIGKILL)
    killed.shown()
    second = start(kaggle, submittable, tmp_path, settled=20)
    while kaggle.calls.count("ListSubmissions") < 4:  # it has looked, and has not found it
        assert second.is_running
    kaggle.go_on.set()
    shown = second.shown()
    assert "Kaggle does not list it yet; looking for another" in shown
    assert "was accepted as 1000. Nothing was uploaded." in shown
    assert len(kaggle.submissions) == 1


def test_two_at_once_submit_once(kaggle: KaggleServer, submittable: Workspace, tmp_path: Path) -> None:
    kaggle.stop_at = "PUT half"
    first = start(kaggle, submittable, tmp_path)
    assert kaggle.reached.wait(30)
    second = start(kaggle, submittable, tmp_path)
    second.wait_until_shown("Waiting for another process, `submit`, process ")
    kaggle.go_on.set()
    assert "accepted it as submission 1000" in first.shown()
    assert "was submitted already" in second.shown()
    assert (first.code, second.code) == (0, 2)
    assert len(kaggle.submissions) == 1


def test_a_computer_that_slept_while_it_submitted_submits_once(
    kaggle: KaggleServer, submittable: Workspace, tmp_path: Path
) -> None:
    kaggle.stop_at = "CreateSubmission received"
    process = start(kaggle, submittable, tmp_path, settled=3, read=1)
    assert kaggle.reached.wait(30)
    process.send(signal.SIGSTOP)
    time.sleep(3.5)
    process.send(signal.SIGCONT)
    threading.Timer(1.5, kaggle.go_on.set).start()  # after the answer was given up
    assert "accepted it as submission 1000" in process.shown()
    assert len(kaggle.submissions) == 1


def test_an_interruption_leaves_what_is_true(kaggle: KaggleServer, submittable: Workspace, tmp_path: Path) -> None:
    for point, stage in (("PUT half", "ended"), ("CreateSubmission received", "unconfirmed")):
        kaggle.stop_at = point
        kaggle.reached.clear()
        kaggle.go_on.clear()
        stopped = start(kaggle, submittable, tmp_path)
        assert kaggle.reached.wait(30)
        stopped.send(signal.SIGINT)
        shown = stopped.shown()
        assert "Stopped. What was finished is kept; run the same command to go on." in shown
        assert stopped.code == 130
        assert Ledger.of(submittable).entries()[-1].stage == stage
        kaggle.go_on.set()
