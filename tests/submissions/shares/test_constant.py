"""Probes: written, submitted, found in the ledger, explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from competition.common.errors import UserError
from competition.spec.metric import Metric
from competition.workspace import Workspace
from submissions.shares.constant import explain, probes_in, write_probe
from submissions.submit.entry import NOTEBOOK, Entry
from submissions.submit.provenance import CONSTANT, read_provenance, what_is_known
from submissions.submit.validate import validate_submission
from tests.submissions.samples import make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, models=())


def submitted(name: str, workspace: Workspace, public: float | None = 0.6) -> Entry:
    made = what_is_known(read_provenance(workspace.submissions / f"{name}.csv"))
    return Entry("planet", name, 1, "m", "confirmed", 7, made["digest"][:16], public=public, **made)


def test_a_probe_is_valid_and_its_meaning_goes_to_the_ledger_with_it(workspace: Workspace) -> None:
    report = write_probe(["primary"], "all-primary", workspace)
    assert validate_submission(report.path, workspace.competition, workspace.sample, exclusive=False).is_valid
    entry = submitted("all-primary", workspace, 0.3)
    report.path.unlink()  # the ledger knows what it answered
    for name in ("all-primary", "all-primary.csv", "7"):
        explained = explain(name, [entry], workspace, 0.34)
        assert explained.labels == ("primary",)
    assert "all-primary answers primary for every chip: public F2 0.30000" in explained.text()
    assert set(probes_in([entry, replace(entry, public=None)])) == {"primary"}
    with pytest.raises(UserError, match="There is a submission"):
        write_probe(["clear"], "all-primary", _with_file(report.path, workspace))


def _with_file(path: Path, workspace: Workspace) -> Workspace:
    path.write_text("image_name,tags\n")
    return workspace


def test_a_constant_file_made_elsewhere_is_explained_too_and_another_is_not(workspace: Workspace) -> None:
    workspace.submissions.mkdir(exist_ok=True)
    path = workspace.submissions / "theirs.csv"
    entry = Entry("planet", "theirs.csv", 1, "m", "confirmed", 8, public=0.6)
    path.write_text("image_name,tags\n" + "".join(f"{name},clear primary\n" for name in workspace.test_names))
    assert explain("8", [entry], workspace, 0.34).labels == ("clear", "primary")
    path.write_text(path.read_text() + "other,clear\n")
    with pytest.raises(UserError, match="answers 2 different label sets"):
        explain("8", [entry], workspace, 0.34)
    with pytest.raises(UserError, match="is not the file that was submitted as 8"):
        explain("8", [replace(entry, digest="0" * 64)], workspace, 0.34)
    path.write_text("image_name,tags\n" + "".join(f"{name},clear\n" for name in workspace.test_names))
    with pytest.raises(UserError, match="is not the file that was submitted as 8"):
        explain("8", [replace(entry, marker="0" * 16)], workspace, 0.34)
    with pytest.raises(UserError, match="8 is of a notebook: what that has answered"):
        explain("8", [replace(entry, provenance={NOTEBOOK: {"version": 1}})], workspace, 0.34)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"public": 1.7}, "'7' has the public score 1.7, which F2 cannot be"),
        ({"public": -5.0}, "'7' has the public score -5, which F2 cannot be"),
        ({"provenance": {CONSTANT: [{"a": 1}]}, "name": "other"}, "No submission .*other"),
        ({"provenance": {CONSTANT: []}}, "'7' answers no label for any chip"),
        ({"provenance": None, "name": "../../data/theirs"}, r"'\.\./\.\./data/theirs' is no submission in "),
    ],
)
def test_what_strangers_may_have_written_to_a_ledger_is_refused(
    workspace: Workspace, changes: dict[str, Any], said: str
) -> None:
    write_probe(["primary"], "probe", workspace)
    entry = replace(submitted("probe", workspace), **changes)
    with pytest.raises(UserError, match=said):
        explain("7", [entry], workspace, 0.34)
    assert set(probes_in([entry])) <= {"primary"}


def test_a_submission_is_never_looked_for_where_one_happens_to_stand(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("theirs.csv").write_text("image_name,tags\ntest_0,primary\n")
    entry = Entry("planet", "theirs.csv", 1, "m", "confirmed", 8, public=0.6)
    with pytest.raises(UserError, match=r"No submission .*theirs"):
        explain("8", [entry], workspace, 0.34)


def test_what_is_not_known_is_named(workspace: Workspace) -> None:
    with pytest.raises(UserError, match=r"no submission 'x'.*submissions list"):
        explain("x", [], workspace, 0.34)
    write_probe(["road"], "road", workspace)
    with pytest.raises(UserError, match=r"'road' is written, and was not submitted yet\..*submit road --wait"):
        explain("road", [], workspace, 0.34)
    with pytest.raises(UserError, match=r"no public score yet.*submissions sync"):
        explain("road", [submitted("road", workspace, None)], workspace, 0.34)
    with pytest.raises(UserError, match=r"--public 0\.001 of 40 chips to predict leaves a part of them empty"):
        explain("road", [submitted("road", workspace)], workspace, 0.001)
    with pytest.raises(UserError, match="Unknown tags: roads"):
        write_probe(["roads"], "roads", workspace)


def test_where_chips_are_not_judged_one_by_one_no_probe_is_written(workspace: Workspace) -> None:
    metric = Metric(name="f_beta", beta=2.0, average="macro")
    other = replace(workspace, competition=workspace.competition.model_copy(update={"metric": metric}))
    with pytest.raises(UserError, match="is no mean over chips"):
        write_probe(["primary"], "spent", other)
    assert not (workspace.submissions / "spent.csv").exists()
