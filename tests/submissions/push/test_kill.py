"""`notebook push` is killed at every point of the exchange: nothing is made twice on Kaggle, and nothing is lost."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from competition.workspace import Workspace
from submissions.push.log import PushLog
from submissions.push.packed import record_of
from tests.kaggle_server import KaggleServer
from tests.submissions.on_kaggle import SECRETS, run
from tests.submissions.push.conftest import pack
from tests.submissions.submit.killable import Submission

pytestmark = pytest.mark.slow
CALLS = ("IntrospectToken", "StartBlobUpload", "GetDatasetStatus", "GetDataset", "ListDatasetFiles", "GetKernel")
MADE = ("CreateDataset", "CreateDatasetVersion", "SaveKernel")
POINTS = [
    *(f"{call} {point}" for call in CALLS for point in ("received", "answered")),
    *("PUT begun", "PUT half", "PUT received", "PUT done", "PUT answered"),
    *(f"{call} {point}" for call in MADE for point in ("received", "done", "answered")),
]


def start(kaggle: KaggleServer, workspace: Workspace, home: Path, **seconds: float) -> Submission:
    command = ["notebook", "push", "first", "--workspace", str(workspace.root)]
    return Submission(kaggle, home, command, **seconds)


def check_once(kaggle: KaggleServer, workspace: Workspace, times: int) -> None:
    """Check that Kaggle has each version once, each notebook ran with its own data, and the record says so."""
    shelf = kaggle.shelf
    ((dataset, versions),), (notebooks,) = shelf.datasets.items(), shelf.notebooks.values()
    assert (len(versions), len(notebooks)) == (times, times)
    assert [made.reads[dataset] for made in notebooks] == [*range(1, times + 1)]
    last = PushLog(record_of(workspace.notebooks / "first")).last
    assert last
    assert (last.stage, last.version, last.data_version) == ("pushed", times, times)


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_it_is_pushed_once(point: str, kaggle: KaggleServer, packed: Workspace, tmp_path: Path) -> None:
    times = 1
    if point.startswith(("CreateDatasetVersion", "ListDatasetFiles")):  # there was a version before
        run(packed, "notebook", "push", "first")
        pack(packed.notebooks / "first", network=b"better weights")
        times = 2
    kaggle.stop_at = point
    killed = start(kaggle, packed, tmp_path)
    assert kaggle.reached.wait(60), killed.shown(1)
    killed.send(signal.SIGKILL)
    shown = killed.shown()
    assert not [secret for secret in SECRETS if secret in shown]
    kaggle.go_on.set()  # what the server was about to do it does now, though nobody listens
    shown = run(packed, "notebook", "push", "first")
    assert f"runs version {times} of" in shown or "Kaggle has it already" in shown
    check_once(kaggle, packed, times)
    assert "Nothing was pushed" in run(packed, "notebook", "push", "first")


@pytest.mark.parametrize(("call", "look"), [("CreateDataset", "GetDatasetStatus"), ("SaveKernel", "GetKernel")])
def test_what_is_made_long_after_the_kill_is_waited_for(
    call: str, look: str, kaggle: KaggleServer, packed: Workspace, tmp_path: Path
) -> None:
    kaggle.stop_at = f"{call} received"
    killed = start(kaggle, packed, tmp_path)
    assert kaggle.reached.wait(60)
    killed.send(signal.SIGKILL)
    killed.shown()
    looks = kaggle.calls.count(look)
    second = start(kaggle, packed, tmp_path, settled=20)
    while kaggle.calls.count(look) < looks + 3:  # it has looked, and has not found it
        assert second.is_running
    kaggle.go_on.set()
    assert "Kaggle has" in second.shown()
    check_once(kaggle, packed, 1)


@pytest.mark.parametrize("seed", range(6))
def test_killed_at_random_again_and_again_it_is_pushed_once(
    seed: int, kaggle: KaggleServer, packed: Workspace, tmp_path: Path
) -> None:
    draw = random.Random(seed)
    kaggle.shelf.processed_after, kaggle.shelf.shown_after = 3, 0.2
    for _ in range(6):
        killed = start(kaggle, packed, tmp_path, settled=2)
        calls = len(kaggle.calls) + draw.randrange(1, 16)
        while killed.is_running and len(kaggle.calls) < calls:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.03))
        killed.send(signal.SIGKILL) if killed.is_running else None
        killed.shown()
    run(packed, "notebook", "push", "first")
    check_once(kaggle, packed, 1)


def test_two_at_once_push_once(kaggle: KaggleServer, packed: Workspace, tmp_path: Path) -> None:
    kaggle.stop_at = "SaveKernel received"
    first = start(kaggle, packed, tmp_path)
    assert kaggle.reached.wait(60)
    second = start(kaggle, packed, tmp_path)
    second.wait_until_shown("Waiting for another process, `notebook push`, process ")
    kaggle.go_on.set()
    assert "runs version 1" in first.shown()
    assert "Nothing was pushed" in second.shown()
    assert (first.code, second.code) == (0, 0)
    check_once(kaggle, packed, 1)


def test_an_interruption_leaves_what_is_true(kaggle: KaggleServer, packed: Workspace, tmp_path: Path) -> None:
    for point, stage in (("PUT half", "begun"), ("CreateDataset received", "data sent")):
        kaggle.stop_at = point
        kaggle.reached.clear()
        kaggle.go_on.clear()
        stopped = start(kaggle, packed, tmp_path)
        assert kaggle.reached.wait(60)
        stopped.send(signal.SIGINT)
        assert "Stopped. What was finished is kept; run the same command to go on." in stopped.shown()
        assert stopped.code == 130
        last = PushLog(record_of(packed.notebooks / "first")).last
        assert last
        assert last.stage == stage
        kaggle.go_on.set()
    run(packed, "notebook", "push", "first")
    check_once(kaggle, packed, 1)
