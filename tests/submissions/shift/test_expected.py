"""How far public scores will be from cross-fitted ones."""

from __future__ import annotations

import json
from pathlib import Path

from competition.terminal.output import Remark
from submissions.shift.expected import Expected, expect
from tests.submissions.samples import NUM_TEST, make_workspace
from tests.submissions.shift.samples import weigh


def test_weights_that_move_the_metric_foretell_that_public_scores_disagree(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    weigh(workspace)
    even = expect(workspace, 0.5)
    assert isinstance(even, Expected)
    assert even.public == NUM_TEST // 2
    assert abs(even.difference.value) < 1e-6
    assert not even.disagrees
    assert "Nothing says that the public leaderboard will not agree" in even.text()
    weigh(workspace, "primary", times=50)
    moved = expect(workspace, 0.5)
    assert isinstance(moved, Expected)
    assert moved.disagrees
    assert moved.difference.value > 2 * moved.difference.error > 0
    assert f"expect scores about {moved.difference.value:.4f} higher there" in moved.text()
    assert moved.chance > even.chance * 0.9
    json.dumps(moved.as_dict(), allow_nan=False)


def test_without_scores_nothing_is_foretold(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, models=())
    weigh(workspace)
    found = expect(workspace, 0.5)
    assert isinstance(found, Remark)
    assert "not known yet" in found.text()
