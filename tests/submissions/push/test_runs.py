"""How far a notebook has run."""

from __future__ import annotations

import json

import pytest

from competition.workspace import Workspace
from submissions.push import runs
from submissions.push.packed import record_of
from tests.kaggle_server import KaggleServer
from tests.submissions.on_kaggle import run


@pytest.fixture
def pushed(kaggle: KaggleServer, packed: Workspace) -> Workspace:
    run(packed, "notebook", "push", "first")
    return packed


def test_it_is_queued_running_and_complete(kaggle: KaggleServer, pushed: Workspace) -> None:
    kaggle.shelf.ends_after = 2
    assert "version 1: queued." in run(pushed, "notebook", "status", "first")
    assert "version 1: running." in run(pushed, "notebook", "status", "first")
    shown = run(pushed, "notebook", "status", "first")
    assert "version 1: complete." in shown
    assert "notebook output first" in shown


def test_its_end_is_waited_for(kaggle: KaggleServer, pushed: Workspace) -> None:
    kaggle.shelf.ends_after = 4
    kaggle.fail("GetKernelSessionStatus", status=503)
    shown = run(pushed, "notebook", "status", "first", "--wait")
    assert "Ctrl-C ends the waiting, not the notebook." in shown
    assert "It is queued.\nIt is running.\n" in shown
    assert "version 1: complete." in shown


@pytest.mark.parametrize(("end", "status"), [("ERROR", "error"), ("CANCEL_ACKNOWLEDGED", "cancelled")])
def test_a_failure_is_told_with_its_message_and_exits_with_1(
    end: str, status: str, kaggle: KaggleServer, pushed: Workspace
) -> None:
    kaggle.shelf.end = (end, "No module\x1b[31m named openvino")
    shown = run(pushed, "notebook", "status", "first", "--wait", code=1)
    assert f"version 1: {status}: No module [31m named openvino. See https://www.kaggle.com/code/user/" in shown
    found = json.loads(run(pushed, "notebook", "status", "first", "--json", code=1))
    assert (found["version"], found["status"], found["failure"]) == (1, status, "No module [31m named openvino")


def test_it_is_the_version_that_was_pushed_from_here(kaggle: KaggleServer, pushed: Workspace) -> None:
    kaggle.shelf.ends_after = -1
    (versions,) = kaggle.shelf.notebooks.values()
    versions.append(type(versions[0])(versions[0].asked, looks=-99))  # made elsewhere, and running
    assert "version 1: complete." in run(pushed, "notebook", "status", "first")
    record_of(pushed.notebooks / "first").unlink()
    assert "the latest version: running." in run(pushed, "notebook", "status", "first")


def test_what_is_not_there_is_one_line(kaggle: KaggleServer, packed: Workspace) -> None:
    for flags in ([], ["--wait"]):
        shown = run(packed, "notebook", "status", "first", *flags, code=2)
        assert "Kaggle shows no notebook user/planet-" in shown
        assert "notebook push first" in shown


def test_one_that_kaggle_never_runs_is_not_waited_for_without_end(
    kaggle: KaggleServer, pushed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle.shelf.ends_after, kaggle.shelf.end = -1, ("NEW_SCRIPT", "")
    asked, left = runs.Notebooks.run, iter(range(50))
    monkeypatch.setattr(runs.Notebooks, "run", lambda *of: (next(left), asked(*of))[1])
    shown = run(pushed, "notebook", "status", "first", "--wait", code=2)
    assert "Kaggle has version 1 of user/planet-" in shown
    assert "has not run it within 0 s. To let it be run" in shown
    assert "notebook push first --again" in shown


def test_one_that_has_run_for_long_may_be_hidden_once(
    kaggle: KaggleServer, pushed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "SETTLED", 0.15)
    kaggle.shelf.ends_after = 12  # looks, 0.05 s between most of them
    asked, shown = runs.Notebooks.run, iter([True] * 10 + [False])
    monkeypatch.setattr(runs.Notebooks, "run", lambda *of: asked(*of) if next(shown, True) else None)
    assert "version 1: complete." in run(pushed, "notebook", "status", "first", "--wait")
