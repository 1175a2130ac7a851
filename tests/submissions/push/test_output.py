"""What a notebook has left is fetched, checked, and held against the local submission."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from competition.workspace import Workspace
from submissions.push.output import difference_of
from submissions.submit.write import write_decided
from tests.kaggle_server import KaggleServer
from tests.submissions.on_kaggle import run
from tests.submissions.samples import blend_of
from tests.submissions.submit.samples import scored


@pytest.fixture
def ended(kaggle: KaggleServer, packed: Workspace) -> Workspace:
    """A workspace whose notebook has run to its end, and left what `blend` has written."""
    run(packed, "notebook", "push", "first")
    kaggle.shelf.ends_after = -1
    kaggle.shelf.left = {"submission.csv": (packed.submissions / "first.csv").read_bytes()}
    return packed


def fetch(workspace: Workspace, *arguments: str, code: int = 0) -> str:
    return run(workspace, "notebook", "output", "first", *arguments, code=code)


def test_it_is_fetched_checked_and_has_the_same_bytes(kaggle: KaggleServer, ended: Workspace) -> None:
    shown = fetch(ended)
    folder = ended.notebooks / "first.output"
    assert f"{folder / 'submission.csv'} is valid: 40 rows" in shown
    assert f"It has the bytes of {ended.submissions / 'first.csv'}." in shown
    assert "submit first --notebook" in shown
    assert (folder / "submission.csv").read_bytes() == kaggle.shelf.left["submission.csv"]
    assert (folder / "log.txt").read_text() == "Done.\n"


def test_what_differs_is_counted(kaggle: KaggleServer, ended: Workspace) -> None:
    header, first, *rest = (ended.submissions / "first.csv").read_text().splitlines()
    name, tags = first.split(",")
    changed = " ".join({*tags.split(), "blooming"} ^ {"slash_burn"})
    kaggle.shelf.left["submission.csv"] = "\n".join([header, f"{name},{changed}", *rest, ""]).encode()
    labels = len({*tags.split()} ^ {*changed.split()})
    assert f"differs from {ended.submissions / 'first.csv'} in {labels} labels of 1 ids." in fetch(ended)
    found = json.loads(fetch(ended, "--json"))
    assert (found["difference"]["ids"], found["difference"]["labels"], found["problems"]) == (1, labels, [])


def test_a_local_submission_of_another_blend_is_said_to_be_one(kaggle: KaggleServer, ended: Workspace) -> None:
    assert "another blend" not in fetch(ended)
    blend = blend_of("first", ["b"], ended, rule="fixed", exclusive=False)
    write_decided(blend.test, blend.evaluation.fitted, ended, blend.provenance)
    _, first, *_ = kaggle.shelf.left["submission.csv"].splitlines()
    more = b" cloudy" if b"cloudy" not in first else b" haze"
    kaggle.shelf.left["submission.csv"] = kaggle.shelf.left["submission.csv"].replace(first, first + more)
    shown = fetch(ended, code=1)  # as one label of a group was asked of what was pushed
    assert "rows with more than one of" in shown
    assert "first.csv is of another blend of that name than the notebook." in shown


def test_one_that_does_not_fit_exits_with_1(kaggle: KaggleServer, ended: Workspace) -> None:
    kaggle.shelf.left["submission.csv"] = b"\n".join(kaggle.shelf.left["submission.csv"].splitlines()[:-3])
    assert "is not valid:" in fetch(ended, code=1)


def test_no_name_of_kaggles_leads_out_of_the_folder(kaggle: KaggleServer, ended: Workspace, tmp_path: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(ended.notebooks)}
    evil = dict.fromkeys(["../../evil.txt", "/tmp/evil.txt", "a/../../evil.txt", "networks.bin"], b"evil")
    kaggle.shelf.left = {**evil, **kaggle.shelf.left}
    shown = fetch(ended, "--to", str(tmp_path / "there"))
    assert "It has also left ../../evil.txt, /tmp/evil.txt, a/../../evil.txt, networks.bin; not fetched." in shown
    after = {path for path in tmp_path.rglob("*") if not path.is_relative_to(ended.notebooks)}
    there = tmp_path / "there"
    assert after - before == {there, there / "submission.csv", there / "log.txt"}
    assert kaggle.calls.count("GET") == 1


def test_a_connection_that_breaks_is_gone_on_with(kaggle: KaggleServer, ended: Workspace) -> None:
    kaggle.fail("GET", "half")
    assert "It has the bytes of" in fetch(ended)


def test_a_running_one_has_left_nothing(kaggle: KaggleServer, ended: Workspace) -> None:
    kaggle.shelf.ends_after = 5
    shown = fetch(ended, code=2)
    assert "There is no submission.csv of user/planet-" in shown
    assert "version 1: queued. To wait for its end, run" in shown
    assert not (ended.notebooks / "first.output").exists()


def test_a_failed_one_leaves_its_log(kaggle: KaggleServer, ended: Workspace) -> None:
    kaggle.shelf.end, kaggle.shelf.left, kaggle.shelf.log = ("ERROR", "It failed"), {}, "no JSON"
    shown = fetch(ended, code=2)
    assert "version 1: error: It failed. See https://www.kaggle.com/code/user/" in shown
    assert f"What it printed is in {ended.notebooks / 'first.output/log.txt'}." in shown
    assert (ended.notebooks / "first.output/log.txt").read_text() == "no JSON"


def test_scores_are_compared_by_their_difference(tmp_path: Path) -> None:
    competition = scored({})
    for name, rows in (("ours", "a,.5,.25\nb,.5,.5\n"), ("theirs", "a,.5,.75\nc,.5,.5\n")):
        (tmp_path / f"{name}.csv").write_text(f"id,wet sand,rock\n{rows}")
    difference = difference_of(tmp_path / "theirs.csv", tmp_path / "ours.csv", competition)
    assert difference
    assert (difference.ids, difference.labels) == (3, 5)
    assert difference.by == pytest.approx(0.5)
    assert np.isfinite(difference.by)
