"""What a blend is made of, and the chips that its members share."""

from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from competition.metrics.judge import measure
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from submissions.members.members import load_member, load_members, share
from tests.submissions.samples import NUM_CHIPS, add_model, blend_of, make_workspace, planet

RARE = ("blow_down", "conventional_mine")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path)


def test_a_model_and_a_blend_are_members_alike_and_say_how_they_were_made(workspace: Workspace) -> None:
    store = ScoreStore.of(workspace)
    blend = blend_of("ab", ["a", "b"], workspace, rule="fixed", union=RARE)
    model, member = load_member("a", workspace, store), load_member("ab", workspace, store)
    assert model.folder == workspace.runs / "a"
    assert model.provenance["kind"] == "model"
    assert model.provenance["scored"] == list(planet().labels)
    assert sorted(model.test_by_fold) == [0, 1, 2]
    assert member.folder == workspace.blends / "ab"
    assert member.provenance["kind"] == "blend"
    assert member.provenance["union"] == list(RARE)
    assert [inner["name"] for inner in member.provenance["members"]] == ["a", "b"]
    np.testing.assert_array_equal(member.oof.values, blend.oof.values)


def test_members_on_other_chips_share_those_that_all_have_scored(workspace: Workspace) -> None:
    store = ScoreStore.of(workspace)
    add_model(store, "c", workspace.labelled.truth, 3, left_out=["train_5", "train_17"])
    shared = share(load_members(["a", "c"], workspace, store), workspace, store.table)
    assert set(workspace.labelled.image_names) - set(shared.names) == {"train_5", "train_17"}
    assert shared.scores.shape == (2, NUM_CHIPS - 2, 17)
    assert shared.notes == (
        f"{NUM_CHIPS - 2} of {NUM_CHIPS} labelled chips have scores of every member and are used; without: train_5, "
        "train_17.",
        "2 chips scored by 'a' are not used, as another member lacks them.",
    )


def test_rows_stay_with_their_chips_when_the_tables_order_differs(workspace: Workspace) -> None:
    table = workspace.fold_table.read_text().splitlines()
    workspace.fold_table.write_text("\n".join([table[0], *reversed(table[1:])]) + "\n")
    store = ScoreStore.of(workspace)
    shared = share(load_members(["a", "b"], workspace, store), workspace, store.table)
    assert shared.names == tuple(reversed(workspace.labelled.image_names))
    np.testing.assert_array_equal(shared.truth, workspace.labelled.truth[::-1])
    for i, name in enumerate(shared.names):
        assert store.table.heldout(int(shared.folds[i]))[store.table.image_names.index(name)]
    assert measure(shared.truth, shared.scores[0] >= 0.3, workspace.competition.metric) > 0.7


def test_members_are_named_once_and_known(workspace: Workspace) -> None:
    store = ScoreStore.of(workspace)
    with pytest.raises(UserError, match="Members are named twice: a"):
        load_members(["a", "a", "b"], workspace, store)
    with pytest.raises(UserError, match="needs at least one member"):
        load_members([], workspace, store)
    with pytest.raises(UserError, match=r"Unknown model or blend 'resnet'. Known: a, b"):
        load_members(["a", "resnet"], workspace, store)
