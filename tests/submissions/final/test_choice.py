"""Which two submissions to select, as the verb says it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.kaggle.answers import RemoteSubmission
from competition.workspace import Workspace
from run import main
from submissions.final.choice import choose_two
from submissions.submit.ledger import Ledger
from tests.submissions.samples import make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path, models=())


def remote(ref: int, public: float | None, private: float | None = None, status: str = "complete") -> RemoteSubmission:
    return RemoteSubmission(ref, f"s{ref}.csv", "m", "", status, "", public, private, 9)


def record(workspace: Workspace, *listed: RemoteSubmission) -> Ledger:
    ledger = Ledger.of(workspace)
    ledger.record(listed)
    return ledger


def test_it_says_which_two_why_and_where_to_select_them(workspace: Workspace) -> None:
    ledger = record(workspace, remote(1, 0.9), remote(2, 0.95), remote(3, 0.8), remote(4, None, status="error"))
    choice = choose_two(ledger.entries(), workspace, 0.34)
    text, found = choice.text(), choice.as_dict()
    assert [chosen["ref"] for chosen in found["chosen"]] == [2, 1]
    assert "Select s2.csv (2) and s1.csv (1)" in text
    assert "https://www.kaggle.com/competitions/planet-understanding-the-amazon-from-space/submissions" in text
    assert "14 chips public, 26 private" in text
    assert "The agreement of 3 submissions with the others on labelled chips is supposed" in text
    assert "Left out: 1 that Kaggle did not take" in text
    assert len(found["pairs"]) == 3
    assert sum(finalist["best"] for finalist in found["finalists"]) == pytest.approx(1)
    json.dumps(found, allow_nan=False)
    assert choose_two(ledger.entries(), workspace, 0.34).as_dict() == found


def test_private_scores_play_no_part_and_are_shown_beside_the_choice(workspace: Workspace) -> None:
    hidden = choose_two(record(workspace, *(remote(i, 0.9 + i / 100) for i in range(1, 4))).entries(), workspace, 0.34)
    out = record(workspace, *(remote(i, 0.9 + i / 100, 0.95 - i / 100) for i in range(1, 4)))
    choice = choose_two(out.entries(), workspace, 0.34)
    np.testing.assert_array_equal(choice.draws, hidden.draws)
    assert "The private scores are out, and played no part: the better of the two has 0.93000" in choice.text()
    assert "the best of all 0.94000 (s1.csv)" in choice.text()


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ([], "No submissions yet: there is nothing to choose from"),
        ([remote(1, None, status="error")], "None of 1 submission can be selected and has a score. Left out: 1 that"),
        ([remote(1, None, status="pending")], "has a score. Left out: 1 without any score"),
        ([remote(1, 0.9), remote(2, None, status="pending")], "Only s1.csv can be selected and has a score"),
    ],
)
def test_where_there_is_nothing_to_choose_it_says_so(
    workspace: Workspace, listed: list[RemoteSubmission], said: str
) -> None:
    ledger = record(workspace, *listed) if listed else Ledger.of(workspace)
    with pytest.raises(UserError, match=f"{re.escape(said)}.* run .*submissions sync"):
        choose_two(ledger.entries(), workspace, 0.34)


def test_a_split_that_leaves_a_part_empty_is_refused(workspace: Workspace) -> None:
    ledger = record(workspace, remote(1, 0.9), remote(2, 0.91))
    with pytest.raises(UserError, match=r"--public 0.001 of 40 chips to predict leaves a part of them empty"):
        choose_two(ledger.entries(), workspace, 0.001)


def test_of_very_many_the_best_are_looked_at(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("submissions.final.choice.MOST", 3)
    ledger = record(workspace, *(remote(i, 0.9 + i / 1e5) for i in range(1, 6)))
    choice = choose_two(ledger.entries(), workspace, 0.34)
    assert sorted(choice.finalists.names) == ["s3.csv", "s4.csv", "s5.csv"]
    assert "Left out: 2 submissions that are below 3 others by either score." in choice.text()


def test_the_verbs_say_it(workspace: Workspace) -> None:
    record(workspace, remote(1, 0.9), remote(2, 0.95))
    for words, said in (("choose", "Select s2.csv (2) and s1.csv (1)"), ("probe road", "Next: python run.py submit")):
        shown = CliRunner().invoke(main, ["submissions", *words.split(), "--workspace", str(workspace.root)])
        assert shown.exit_code == 0, shown.output
        assert said in shown.output
    asked = ["submissions", "explain", "probe-road", "--workspace", str(workspace.root)]
    shown = CliRunner().invoke(main, asked)
    assert shown.exit_code == 2
    assert "'probe-road' is written, and was not submitted yet." in shown.output
