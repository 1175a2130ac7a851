"""A finished notebook is submitted once, whatever goes wrong."""

from __future__ import annotations

import pytest

from competition.common.records import read_record, write_record
from competition.workspace import Workspace
from submissions.final.agreeing import _Made
from submissions.push.packed import record_of
from submissions.submit.ledger import Ledger
from submissions.submit.provenance import read_provenance, what_is_known
from submissions.submit.write import write_decided
from tests.kaggle_server import KaggleServer
from tests.submissions.on_kaggle import run
from tests.submissions.push.conftest import pack
from tests.submissions.samples import blend_of

WAY = "submit first --notebook --as-is"


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


def blend_anew(workspace: Workspace) -> None:
    """Make the blend of "b" alone, and write its submission."""
    blend = blend_of("first", ["b"], workspace, rule="fixed")
    write_decided(blend.test, blend.evaluation.fitted, workspace, blend.provenance)


def test_the_ledger_says_what_was_pushed_whatever_was_blended_since(kaggle: KaggleServer, pushed: Workspace) -> None:
    before = read_provenance(pushed.submissions / "first.csv")
    blend_anew(pushed)
    shown = send(pushed, "--notebook", "--dry-run", code=2)
    assert "'first' is another one now than version 1 of user/planet-" in shown
    ways = ("notebook first --owner user", "notebook push first", WAY)
    assert all(f'run "python run.py {way} --workspace' in shown for way in ways)
    assert "Submitted version 1" in send(pushed, "--notebook", "--as-is")
    (entry,) = Ledger.of(pushed).entries()
    known = what_is_known(before)
    assert (entry.members, entry.cross_fitted) == (("a", "b"), known["cross_fitted"])
    assert (entry.metric, entry.low, entry.high) == tuple(known[key] for key in ("metric", "low", "high"))
    assert _Made.model_validate(entry.provenance).files == before["files"]  # by which `choose` finds its scores


def test_one_that_was_packed_anew_and_not_pushed_is_not_what_is_submitted(
    kaggle: KaggleServer, pushed: Workspace
) -> None:
    blend_anew(pushed)
    pack(pushed.notebooks / "first", network=b"better weights", of=pushed)
    shown = send(pushed, "--notebook", code=2)
    assert f"{pushed.notebooks / 'first'} was packed anew or changed since version 1 of user/planet-" in shown
    assert all(f'run "python run.py {way} --workspace' in shown for way in ("notebook push first", WAY))
    assert kaggle.submissions == []
    assert "Submitted version 1" in send(pushed, "--notebook", "--as-is")
    run(pushed, "notebook", "push", "first")
    assert "Submitted version 2" in send(pushed, "--notebook")
    assert [entry.members for entry in Ledger.of(pushed).entries()] == [("a", "b"), ("b",)]


def test_of_a_push_that_was_recorded_without_it_nothing_is_expected(kaggle: KaggleServer, pushed: Workspace) -> None:
    path = record_of(pushed.notebooks / "first")
    (push,) = read_record(path, dict, version=1)["pushes"]
    del push["provenance"]
    write_record(path, {"pushes": [push]}, version=1)
    (pushed.notebooks / "first/provenance.json").unlink()
    assert "the ledger says nothing of what it should score" in send(pushed, "--notebook")
    (entry,) = Ledger.of(pushed).entries()
    assert (entry.is_of_notebook, entry.members, entry.cross_fitted) == (True, (), None)


def test_a_file_that_a_code_competition_refuses_is_told_the_way(kaggle: KaggleServer, pushed: Workspace) -> None:
    shown = send(pushed, code=2)
    assert "planet-understanding-the-amazon-from-space takes notebooks only, and no files: Kaggle refuses to" in shown
    for command in ("notebook first --owner YOU --fetch", "notebook push first", "submit first --notebook"):
        assert f"python run.py {command} --workspace" in shown
    assert [entry.stage for entry in Ledger.of(pushed).entries()] == ["ended"]
