"""How far public scores will be from cross-fitted ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from competition.spec.metric import Metric
from competition.terminal.output import Remark
from folds.store.chip_weights import write_weights
from folds.store.score_store import ScoreStore
from submissions.shift.expected import Expected, expect
from tests.submissions.samples import NUM_TEST, add_model, make_workspace, planet
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
    assert "weights foretold .4 to .8 of what haze and clouds cost, and of brightness the wrong sign" in moved.text()
    assert moved.chance > even.chance * 0.9
    json.dumps(moved.as_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("weights", "No weights of the labelled chips yet"),
        ("chips", "1 of 300 chips have no weight"),
        ("whole", "every"),
    ],
)
def test_what_hinders_is_said_in_the_place_of_figures(tmp_path: Path, lost: str, said: str) -> None:
    workspace = make_workspace(tmp_path, models=() if lost == "whole" else ("a",))
    kept, store, labels = weigh(workspace), ScoreStore.of(workspace), workspace.competition.labels
    if lost == "weights":
        (workspace.root / "shift.json").unlink()
    elif lost == "chips":  # as where the chip was broken, and is not any more
        write_weights(replace(kept, names=kept.names[1:], values=kept.values[1:]), workspace)
    else:
        for name, scored in (("few", labels[:4]), ("others", labels[4:])):
            add_model(store, name, workspace.labelled.truth, scored=scored)
    found = expect(workspace, 0.5)
    assert isinstance(found, Remark)
    assert said in found.text()


def test_where_scores_are_judged_it_is_by_scores(tmp_path: Path) -> None:
    metric = Metric.model_validate({"name": "roc_auc"})
    workspace = make_workspace(tmp_path, competition=planet().model_copy(update={"metric": metric}))
    weigh(workspace, "primary", times=5)
    found = expect(workspace, 0.5)
    assert isinstance(found, Expected)
    assert found.difference.error > 0


def test_without_scores_nothing_is_foretold(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, models=())
    weigh(workspace)
    found = expect(workspace, 0.5)
    assert isinstance(found, Remark)
    assert "not known yet" in found.text()
