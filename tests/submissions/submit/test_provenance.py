"""How a submission was made, in the record beside it."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from competition.common.errors import UserError
from competition.common.files import digest_file
from submissions.submission_verbs import submissions
from submissions.submit.provenance import (
    CONSTANT,
    how_again,
    is_remade,
    known_submissions,
    path_beside,
    read_provenance,
    what_is_known,
    write_provenance,
)
from submissions.submit.write import write_decided
from tests.submissions.samples import blend_of, make_workspace

PROVENANCE: dict[str, Any] = {
    "method": "mean",
    "members": [{"name": "a"}, {"name": "b"}],
    "figures": [{"metric": "F2", "cross_fitted": 0.9, "interval": [0.88, 0.92]}],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A submission with its provenance."""
    path = tmp_path / "ab.csv"
    path.write_text("image_name,tags\n")
    write_provenance(path, PROVENANCE)
    return path


def change(path: Path, **changes: object) -> None:
    """Write the record anew, as versions did that gave it no digest."""
    beside = path.with_suffix(".json")
    content = json.loads(beside.read_text())
    del content["digest"]
    beside.write_text(json.dumps({**content, **changes}))


def test_what_was_written_is_read_with_the_digest_of_the_file(path: Path) -> None:
    provenance = read_provenance(path)
    assert {key: provenance[key] for key in PROVENANCE} == PROVENANCE
    assert provenance["sha256"] == digest_file(path)


def test_records_of_earlier_versions_are_read(path: Path) -> None:
    before = read_provenance(path)
    change(path)  # no digest; of the format of the blend it began with
    assert read_provenance(path) == before
    beside = path.with_suffix(".json")
    beside.write_text(json.dumps(before))  # no format either
    assert read_provenance(path) == before


def test_a_file_of_other_making_has_none(tmp_path: Path) -> None:
    assert read_provenance(tmp_path / "ab.csv") == {}
    assert what_is_known({}) == {}


def test_a_file_that_was_changed_is_noticed(path: Path) -> None:
    path.write_text("{}")
    with pytest.raises(UserError, match="was changed after it was written"):
        read_provenance(path)


@pytest.mark.parametrize(
    "odd",
    [
        {"figures": None},
        {"figures": [1]},
        {"figures": {"a": 1}},
        {"members": [1]},
        {"figures": [{"interval": [1]}]},
        {"figures": [{"cross_fitted": "x"}]},
        {"figures": [{"cross_fitted": float("nan")}]},
        {"sha256": None},
    ],
)
def test_a_record_that_is_none_is_one_line_and_stops_no_list(odd: dict[str, Any], path: Path) -> None:
    change(path, **odd)
    with pytest.raises(UserError, match=r"ab\.json is damaged: .*Run|ab\.json is damaged: .*To write") as caught:
        read_provenance(path)
    assert "python run.py blend --members MEMBERS --name ab" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert known_submissions(path.parent) == {}


def test_it_tells_the_ledger_what_is_expected(path: Path) -> None:
    known = what_is_known(read_provenance(path))
    assert known["members"] == ("a", "b")
    assert (known["metric"], known["cross_fitted"], known["low"], known["high"]) == ("F2", 0.9, 0.88, 0.92)
    assert known_submissions(path.parent) == {digest_file(path): {"name": "ab", **known}}


def test_a_blend_is_another_one_where_its_answers_or_figures_are(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    blend = blend_of("both", ["a", "b"], workspace, rule="fixed")
    write_decided(blend.test, blend.evaluation.fitted, workspace, blend.provenance)
    written = read_provenance(workspace.submissions / "both.csv")
    assert not is_remade(written, workspace)
    again = blend_of("both", ["a", "b"], workspace, rule="fixed").provenance
    assert not is_remade(written, workspace)  # though at another time
    for members, rule in ((["b"], "fixed"), (["a", "b"], "uniform")):
        blend_of("both", members, workspace, rule=rule)
        assert is_remade(written, workspace)
        assert is_remade(again, workspace)
    probe = {"name": "both", CONSTANT: ["clear"]}
    assert not is_remade(probe, workspace)
    (workspace.blends / "both/blend.json").write_text("{")
    assert not is_remade(written, workspace)


def test_a_probe_is_written_again_by_the_command_that_writes_probes(path: Path) -> None:
    labels = ["clear", "bare ground"]
    write_provenance(path, {"name": "ab", CONSTANT: labels})
    for each in (path, path_beside(path)):
        _, verb, *words = shlex.split(how_again(each)["to write the submission again"])
        given = submissions.commands[verb].make_context(verb, words, resilient_parsing=True).params
        assert (list(given["labels"]), given["name"]) == (labels, "ab-again")
    path_beside(path).write_text("{")
    assert "blend" in how_again(path)["to write the submission again"]
