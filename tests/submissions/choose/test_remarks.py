"""What is worth saying about a blend."""

from pathlib import Path

import numpy as np
import pytest

from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from tests.submissions.samples import add_model, blend_of, make_workspace

RARE = ("blow_down", "conventional_mine")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with models a and b of all labels, and a model of the rare ones."""
    workspace = make_workspace(tmp_path)
    add_model(ScoreStore.of(workspace), "rare", workspace.labelled.truth, 7, scored=RARE)
    return workspace


@pytest.mark.parametrize(
    ("exclusive", "hint"), [(True, "--any-of-group allows several."), (False, "--exclusive asks for it.")]
)
def test_what_one_label_of_a_group_costs_is_said_with_the_flag_for_the_other(
    exclusive: bool, hint: str, workspace: Workspace
) -> None:
    (note,) = (
        note
        for note in blend_of("ab", ["a", "b"], workspace, rule="fixed", exclusive=exclusive).notes
        if note.startswith("Deciding exactly one of clear, partly_cloudy, haze, cloudy for every chip ")
    )
    assert note.endswith(hint)


def test_a_gain_is_over_the_best_member(workspace: Workspace) -> None:
    blend = blend_of("ab", ["a", "b"], workspace, rule="fixed")
    best = max(blend.others, key=lambda single: single.cross_fitted)
    gain, error = blend.evaluation.over(best)
    verb = "gains" if gain >= 0 else "LOSES"
    assert f"The blend {verb} {abs(gain):.4f} ± {error:.4f} over its best member, {best.name}." in blend.notes
    assert not any("The blend" in note for note in blend_of("one", ["a"], workspace, rule="fixed").notes)


@pytest.mark.parametrize("method", ["mean", "vote"])
def test_a_union_without_effect_is_said(workspace: Workspace, method: str) -> None:
    how = {"method": method, "rule": "fixed"}
    blend = blend_of("joined", ["a", "rare"], workspace, union=("blow_down", "clear", "water"), **how)
    plain = blend_of("plain", ["a", "rare"], workspace, union=("blow_down",), **how)
    assert "--union has no effect on clear, water, which one member alone scores." in blend.notes
    assert "Decided where any member that scores it would: blow_down." in blend.notes
    for ours, theirs in ((blend.oof, plain.oof), (blend.test, plain.test)):
        np.testing.assert_allclose(ours.values, theirs.values, atol=1e-6)
    alone = blend_of("alone", ["a"], workspace, union=("water",), **how)
    assert "--union has no effect on water, which one member alone scores." in alone.notes
