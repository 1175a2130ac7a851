"""What is worth saying about a blend."""

from pathlib import Path

import numpy as np
import pytest

from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.choose.remarks import blend_before, said_of_replaced
from submissions.pseudo.gain import gains_of
from submissions.pseudo.make import make_pseudo
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


def test_a_blend_that_takes_the_place_of_another_one_is_told_with_what_was_made_of_that(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path)
    blend_of("best", ["a", "b"], workspace, rule="fixed")
    before = blend_before("best", workspace)
    make_pseudo("p", "best", workspace)
    alike = blend_of("best", ["a", "b"], workspace, rule="fixed")
    assert said_of_replaced(before, alike.provenance, workspace) == ""
    other = blend_of("best", ["a"], workspace, rule="fixed")
    told = said_of_replaced(before, other.provenance, workspace)
    value = before["figures"][0]["cross_fitted"]
    assert f"'best' was replaced, and its submission: mean, fixed of a, b, F2 {value:.4f}. Made of that one:" in told
    assert "pseudo-labels 'p'" in told
    assert said_of_replaced(blend_before("new", workspace), other.provenance, workspace) == ""
    assert "The blend 'best' is another one by now, mean of a: the chips were" in gains_of("p", workspace).text()
