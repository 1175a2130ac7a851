"""A notebook reaches Kaggle once, whatever goes wrong: the real client against a Kaggle on the loopback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from competition.workspace import Workspace
from submissions.push import push
from submissions.push.log import PushLog
from submissions.push.packed import record_of
from tests.kaggle_server import SLUG, USER, KaggleServer
from tests.submissions.on_kaggle import run
from tests.submissions.push.conftest import pack
from tests.submissions.samples import blend_of

NOTEBOOK, DATASET = f"{USER}/planet-understanding-the-amazon-from-spac-", f"{USER}/first-networks"


def send(workspace: Workspace, *arguments: str, code: int = 0) -> str:
    return run(workspace, "notebook", "push", "first", *arguments, code=code)


def log_of(workspace: Workspace) -> PushLog:
    return PushLog(record_of(workspace.notebooks / "first"))


def made_on(kaggle: KaggleServer) -> tuple[int, int]:
    """Return how many versions of data sets and notebooks there are."""
    shelf = kaggle.shelf
    return sum(map(len, shelf.datasets.values())), sum(map(len, shelf.notebooks.values()))


def test_the_data_set_is_ready_before_the_notebook_comes(kaggle: KaggleServer, packed: Workspace) -> None:
    kaggle.shelf.processed_after = 3
    shown = send(packed, "--message", "two models")
    assert "Kaggle is processing the data set user/first-networks; waiting, 0 min at most." in shown
    ((kernel, (notebook,)),) = kaggle.shelf.notebooks.items()
    ((dataset, (data,)),) = kaggle.shelf.datasets.items()
    assert f"Kaggle has version 1 of the data set {dataset}, and runs version 1 of the notebook {kernel}: http" in shown
    assert f"notebook status first --wait --workspace {packed.root}" in shown.replace("\n", " ")
    assert dataset == DATASET
    assert notebook.reads == {DATASET: 1}
    assert sorted(data.files)[1:] == ["networks.zip", "notebook.json", "sources.zip"]
    assert notebook.asked["competitionDataSources"] == [SLUG]
    assert notebook.asked["isPrivate"]
    assert not notebook.asked["enableInternet"]
    (push,) = log_of(packed).pushes
    assert (push.stage, push.version, push.data_version, push.kernel) == ("pushed", 1, 1, kernel)
    assert push.digest[:16] in notebook.asked["text"]
    assert f"contents-{push.data[:16]}.json" in data.files


def test_the_same_again_pushes_nothing_and_says_so(kaggle: KaggleServer, packed: Workspace) -> None:
    send(packed)
    before, calls = record_of(packed.notebooks / "first").read_bytes(), len(kaggle.calls)
    assert "Kaggle has it already: version 1 of the notebook user/planet" in send(packed)
    assert "Nothing was pushed." in send(packed)
    assert not {"PUT", "SaveKernel", "CreateDatasetVersion"} & {*kaggle.calls[calls:]}
    assert record_of(packed.notebooks / "first").read_bytes() == before
    shown = json.loads(run(packed, "notebook", "push", "first", "--json"))
    assert (shown["version"], shown["data_version"], shown["made"]) == (1, 1, [])


def test_what_is_pushed_and_not_shown_yet_is_not_pushed_again(kaggle: KaggleServer, packed: Workspace) -> None:
    kaggle.shelf.shown_after = 0.5
    send(packed)
    assert "Nothing was pushed" in send(packed)
    kaggle.fail("SaveKernel", "drop after")
    assert "runs version 2" in send(packed, "--again")
    assert made_on(kaggle) == (1, 2)


def test_without_the_record_it_is_found_on_kaggle(kaggle: KaggleServer, packed: Workspace) -> None:
    send(packed)
    record_of(packed.notebooks / "first").unlink()
    assert "Kaggle has it already" in send(packed)
    assert [push.stage for push in log_of(packed).pushes] == ["pushed"]
    assert made_on(kaggle) == (1, 1)


def test_what_has_changed_becomes_the_next_version(kaggle: KaggleServer, packed: Workspace) -> None:
    send(packed)
    pack(packed.notebooks / "first", network=b"better weights")
    assert "version 2 of the data set user/first-networks, and runs version 2" in send(packed, "--message", "better")
    (notebooks,) = kaggle.shelf.notebooks.values()
    assert [made.reads for made in notebooks] == [{DATASET: 1}, {DATASET: 2}]
    assert kaggle.shelf.datasets[DATASET][1].asked["versionNotes"] == "better"
    notebook = packed.notebooks / "first/first.ipynb"
    notebook.write_text(notebook.read_text().replace("print(1)", "print(2)"))
    assert "version 2 of the data set user/first-networks, which it had already, and runs version 3" in send(packed)
    assert made_on(kaggle) == (2, 3)
    assert [(push.data_version, push.version) for push in log_of(packed).pushes] == [(1, 1), (2, 2), (2, 3)]


def test_a_blend_that_was_made_anew_since_it_was_packed_is_said(kaggle: KaggleServer, packed: Workspace) -> None:
    assert "made anew" not in send(packed)
    blend_of("first", ["b"], packed, rule="fixed")
    shown = send(packed, "--again")
    assert "'first' was made anew, or pulled, since it was packed. To pack it as it is: python run.py notebook" in shown
    pack(packed.notebooks / "first", of=packed)  # the same answers, and another blend
    assert "Nothing was pushed" in send(packed)
    made = log_of(packed).made
    assert made
    assert made.provenance
    assert ([member["name"] for member in made.provenance["members"]], made.version) == (["b"], 2)


def test_again_runs_the_same_once_more(kaggle: KaggleServer, packed: Workspace) -> None:
    send(packed)
    assert "runs version 2" in send(packed, "--again")
    assert made_on(kaggle) == (1, 2)


LOST = {
    "data set, made": ("CreateDataset", "drop after", {}),
    "data set, not made": ("CreateDataset", "drop", {}),
    "data set, made, 502": ("CreateDataset", "malformed", {}),
    "data set, 503": ("CreateDataset", "status", {"status": 503}),
    "data set, late": ("CreateDataset", "late", {"seconds": 1.2}),
    "version, made": ("CreateDatasetVersion", "drop after", {}),
    "version, told twice": ("CreateDatasetVersion", "again", {}),
    "notebook, made": ("SaveKernel", "drop after", {}),
    "notebook, not made": ("SaveKernel", "drop", {}),
    "notebook, 500": ("SaveKernel", "status", {"status": 500}),
    "notebook, told twice": ("SaveKernel", "again", {}),
    "file, once": ("PUT", "status", {"status": 503}),
    "question, once": ("GetKernel", "status", {"status": 502}),
    "busy": ("SaveKernel", "status", {"status": 429}),
}


@pytest.mark.parametrize(
    "lost",
    [
        name if name in ("version, made", "notebook, made") else pytest.param(name, marks=pytest.mark.slow)
        for name in LOST
    ],
)
def test_a_lost_answer_doubles_nothing(lost: str, kaggle: KaggleServer, packed: Workspace) -> None:
    before = (0, 0)
    if lost.startswith("version"):
        send(packed)
        pack(packed.notebooks / "first", network=b"better weights")
        before = made_on(kaggle)
    call, kind, options = LOST[lost]
    kaggle.fail(call, kind, **options)
    assert "and runs version" in send(packed)
    assert made_on(kaggle) == (before[0] + 1, before[1] + 1)
    assert "Nothing was pushed" in send(packed)


@pytest.mark.slow
def test_what_is_shown_late_is_waited_for(kaggle: KaggleServer, packed: Workspace) -> None:
    kaggle.shelf.shown_after = 0.5
    kaggle.fail("CreateDataset", "drop after")
    kaggle.fail("SaveKernel", "drop after")
    shown = send(packed)
    assert shown.count("Looking whether Kaggle has made it.") == 2
    assert made_on(kaggle) == (1, 1)


REFUSED = {
    "data set": ("CreateDataset", {"status": 400, "message": "No room"}, "Kaggle refuses to make the data set"),
    "notebook": ("SaveKernel", {"status": 403, "message": "No"}, "refuses to take the notebook"),
}


@pytest.mark.parametrize("refused", REFUSED)
def test_what_is_refused_is_one_line_and_can_be_pushed_later(
    refused: str, kaggle: KaggleServer, packed: Workspace
) -> None:
    call, options, line = REFUSED[refused]
    kaggle.fail(call, **options)
    shown = send(packed, code=2)
    assert line in shown
    assert options["message"] in shown
    assert "rules" not in shown
    assert "and runs version 1" in send(packed)
    assert made_on(kaggle) == (1, 1)


@pytest.mark.slow
def test_a_data_set_that_cannot_be_processed_is_said_and_made_anew(kaggle: KaggleServer, packed: Workspace) -> None:
    kaggle.shelf.fails = True
    assert "Kaggle could not process the data set: see https://www.kaggle.com/datasets/user/first" in send(
        packed, code=2
    )
    assert made_on(kaggle) == (1, 0)
    kaggle.shelf.fails = False
    kaggle.shelf.datasets.clear()
    assert "and runs version 1" in send(packed)


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_data_set_that_is_processed_for_long_is_gone_on_with(
    is_recorded: bool, kaggle: KaggleServer, packed: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(push, "PATIENCE", 0.1)
        kaggle.shelf.processed_after = 10**6
        assert "has not processed it within 0 min. Run the same command again later" in send(packed, code=2)
    if not is_recorded:
        record_of(packed.notebooks / "first").unlink()
    kaggle.shelf.processed_after = kaggle.shelf.datasets[DATASET][0].looks + 3
    assert "and runs version 1" in send(packed)
    assert made_on(kaggle) == (1, 1)


def test_a_notebook_that_is_not_given_its_data_is_no_success(kaggle: KaggleServer, packed: Workspace) -> None:
    kernel = json.loads((packed.notebooks / "first/kernel-metadata.json").read_text())["id"]
    send(packed)
    pack(packed.notebooks / "first", network=b"other")
    held = kaggle.shelf.SaveKernel

    def without_data(asked):
        data, kaggle.shelf.datasets = kaggle.shelf.datasets, {}
        answer = held(asked)
        kaggle.shelf.datasets = data
        return answer

    kaggle.shelf.SaveKernel = without_data
    assert f"Kaggle has made version 2 of {kernel}, and does not give it {DATASET}" in send(packed, code=2)
    kaggle.shelf.SaveKernel = held
    assert "and runs version 3" in send(packed)
    assert "Nothing was pushed" in send(packed)


def test_who_is_signed_in_owns_it(kaggle: KaggleServer, packed: Workspace) -> None:
    pack(packed.notebooks / "first", owner="somebody")
    shown = send(packed, code=2)
    assert "is to be 'somebody's, and these credentials are 'user's." in shown.replace("''", "'")
    assert "notebook first --owner user" in shown
    assert "SaveKernel" not in kaggle.calls


def test_a_folder_elsewhere_is_pushed_by_its_path(kaggle: KaggleServer, packed: Workspace, tmp_path: Path) -> None:
    pack(tmp_path / "elsewhere" / "second")
    run(packed, "notebook", "push", str(tmp_path / "elsewhere" / "second"))
    assert (tmp_path / "elsewhere" / "second.pushed.json").is_file()
    assert "user/second-networks" in kaggle.shelf.datasets
