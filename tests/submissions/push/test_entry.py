"""A finished notebook is submitted once, whatever goes wrong."""

from __future__ import annotations

import pytest

from competition.workspace import Workspace
from submissions.submit.ledger import Ledger
from tests.kaggle_server import KaggleServer
from tests.submissions.on_kaggle import run


@pytest.fixture
def pushed(kaggle: KaggleServer, packed: Workspace) -> Workspace:
    """A workspace whose notebook has run to its end, of a code competition."""
    run(packed, "notebook", "push", "first")
    kaggle.shelf.ends_after, kaggle.takes_notebooks_only = -1, True
    return packed


def send(workspace: Workspace, *arguments: str, code: int = 0) -> str:
    return run(workspace, "submit", "first", *arguments, code=code)


def test_a_finished_notebook_is_submitted_scored_and_noted(kaggle: KaggleServer, pushed: Workspace) -> None:
    shown = send(pushed, "--notebook", "--message", "a mean", "--wait")
    assert "Submitted version 1 of the notebook user/planet-" in shown
    assert "accepted it as submission 1000" in shown
    (submission,) = kaggle.submissions
    assert submission["fileName"] == "submission.csv"
    assert submission["description"].startswith("a mean [planet-")
    assert submission["description"].endswith(" v1]")
    (entry,) = Ledger.of(pushed).entries()
    assert (entry.name, entry.stage, entry.ref, entry.public, entry.size) == ("first", "confirmed", 1000, 0.93001, 0)
    assert entry.is_of_notebook
    assert entry.cross_fitted is not None
    assert entry.members == ("a", "b")
    assert "was submitted already" in send(pushed, "--notebook", code=2)
    assert "submission 1001" in send(pushed, "--notebook", "--again")
    assert "first" in run(pushed, "submissions", "list")


@pytest.mark.parametrize(
    "kind", ["drop after", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("malformed", "again"))]
)
def test_a_lost_answer_submits_once(kind: str, kaggle: KaggleServer, pushed: Workspace) -> None:
    kaggle.fail("CreateCodeSubmission", kind)
    shown = send(pushed, "--notebook")
    assert "Asking Kaggle whether it has the submission." in shown
    assert "1000" in shown
    assert len(kaggle.submissions) == 1
    (entry,) = Ledger.of(pushed).entries()
    assert (entry.stage, entry.ref) == ("confirmed", 1000)


def test_of_two_versions_each_is_known_by_its_words(kaggle: KaggleServer, pushed: Workspace) -> None:
    send(pushed, "--notebook")
    run(pushed, "notebook", "push", "first", "--again")
    kaggle.fail("CreateCodeSubmission", "drop after")
    send(pushed, "--notebook")
    assert [entry.ref for entry in Ledger.of(pushed).entries()] == [1000, 1001]
    assert [each["description"][-3:] for each in kaggle.submissions] == ["v1]", "v2]"]


def test_only_one_that_has_run_to_its_end(kaggle: KaggleServer, pushed: Workspace) -> None:
    kaggle.shelf.ends_after = 9
    shown = send(pushed, "--notebook", code=2)
    assert "Only a notebook that has run to its end can be submitted." in shown
    assert "notebook status first --wait" in shown
    kaggle.shelf.ends_after, kaggle.shelf.end = -1, ("ERROR", "It failed")
    assert "notebook push first --again" in send(pushed, "--notebook", code=2)
    assert kaggle.submissions == []
    assert Ledger.of(pushed).entries() == []


def test_a_dry_run_asks_nobody(kaggle: KaggleServer, pushed: Workspace) -> None:
    calls = len(kaggle.calls)
    assert "Dry run: version 1 of the notebook user/planet-" in send(pushed, "--notebook", "--dry-run")
    assert len(kaggle.calls) == calls


def test_one_that_was_not_pushed_is_refused(kaggle: KaggleServer, packed: Workspace) -> None:
    shown = send(packed, "--notebook", code=2)
    assert "'first' was not pushed from here. Run" in shown
    assert "notebook push first" in shown
    assert "give the name of a notebook" in run(packed, "submit", "--notebook", code=2)
    assert kaggle.calls == []


def test_a_file_that_a_code_competition_refuses_is_told_the_way(kaggle: KaggleServer, pushed: Workspace) -> None:
    shown = send(pushed, code=2)
    assert "planet-understanding-the-amazon-from-space takes notebooks only, and no files: Kaggle refuses to" in shown
    for command in ("notebook first --owner YOU --fetch", "notebook push first", "submit first --notebook"):
        assert f"python run.py {command} --workspace" in shown
    assert [entry.stage for entry in Ledger.of(pushed).entries()] == ["ended"]
