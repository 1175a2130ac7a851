"""Whether public scores disagree with cross-fitted ones."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from competition.workspace import Workspace
from run import main
from submissions.shift.board import disagreement
from submissions.submit.entry import Entry
from submissions.submit.ledger import Ledger
from tests.submissions.samples import NUM_CHIPS, make_workspace
from tests.submissions.shift.samples import weigh

PUBLIC = 0.5


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, models=("a",))


def entries(gap: float, *, chips: int | None = NUM_CHIPS) -> list[Entry]:
    """Return submissions whose public scores are apart from the cross-fitted ones."""
    made = {"chips": chips} if chips else None
    known = {"metric": "F2", "provenance": made}
    return [
        Entry(
            "planet", f"s{i}", 1, "m", cross_fitted=ours, low=ours - 0.01, high=ours + 0.01, public=ours + gap, **known
        )
        for i, ours in enumerate((0.8, 0.81, 0.82))
    ]


def test_a_gap_beyond_chance_is_said_with_what_finds_its_cause(workspace: Workspace) -> None:
    found = disagreement(entries(-0.3), workspace, PUBLIC)
    assert found is not None
    assert "Public scores are 0.3000 lower than cross-fitted ones (the median of 3 submissions)" in found.text()
    assert "adversarial MODEL" in found.text()
    json.dumps(found.as_dict(), allow_nan=False)
    weigh(workspace, "primary")
    weighed = disagreement(entries(-0.3), workspace, PUBLIC)
    assert weighed is not None
    assert weighed.expected is not None
    assert "Weighed to look like the chips to predict, the labelled ones give" in weighed.text()


def test_what_chance_does_is_passed_over(workspace: Workspace) -> None:
    found = disagreement(entries(-0.3), workspace, PUBLIC)
    assert found is not None
    assert disagreement(entries(1.9 * found.noise), workspace, PUBLIC) is None


WITHOUT_ERROR = entries(-0.3, chips=None)
UNSCORED = [Entry("planet", "s", 1, "m", public=0.5)]
IN_ANOTHER = [replace(entry, metric="F1") for entry in entries(-0.3)]


@pytest.mark.parametrize("known", [[], WITHOUT_ERROR, UNSCORED, IN_ANOTHER])
def test_where_no_error_is_known_nothing_is_said(workspace: Workspace, known: list[Entry]) -> None:
    assert disagreement(known, workspace, PUBLIC) is None


def test_compare_says_it_and_is_stopped_by_no_ledger(workspace: Workspace) -> None:
    words = ["compare", "--rule", "fixed", "--workspace", str(workspace.root)]
    for entry in entries(-0.3):
        Ledger.of(workspace).begin(dataclasses.replace(entry, competition=workspace.competition.slug))
    assert "Public scores are 0.3000 lower than cross-fitted ones" in CliRunner().invoke(main, words).output
    found = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)["disagreement"]
    assert found["submissions"] == 3
    workspace.ledger.write_bytes(b"?" * 5000)
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0
    assert "Whether public scores agree is not known: The ledger" in shown.output
    assert "Public scores are" not in shown.output
