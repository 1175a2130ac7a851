"""Labelled chips and those to predict side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from competition.common.errors import UserError
from folds.assign import assign_folds
from folds.store.score_store import ScoreStore
from models.inputs.fill_banks import fill_banks
from models.inputs.sources import Sources
from models.shift.both import both_splits
from tests.conftest import NUM_TEST, NUM_TRAIN
from tests.models.samples import frozen, tiny_recipe
from tests.models.shift.samples import both_of


@pytest.fixture
def begun(workspace, tiny_net, tiny_weights) -> Sources:
    """Chips whose features are made."""
    recipe = tiny_recipe(**frozen(tiny_weights, augment=()), views="identity")
    fill_banks(workspace, recipe)
    return Sources(workspace, recipe)


@pytest.mark.parametrize(("size", "expected"), [(2, 30), (4, "15 groups: too few to know"), (1, None)])
def test_groups_are_those_of_the_fold_table(begun: Sources, tmp_path: Path, size: int, expected) -> None:
    names = begun.workspace.labelled.image_names
    of_each = [f"{name},{number // size if number > 1 else 0}" for number, name in enumerate(names)]  # two at least
    path = tmp_path / "groups.csv"
    path.write_text("\n".join(["image_name,group", *of_each]))
    assign_folds(begun.workspace, k=3, group=str(path), force=True)
    table = ScoreStore.of(begun.workspace).table
    if isinstance(expected, str):
        with pytest.raises(UserError, match=expected):
            both_splits(begun, table, "m")
        return
    found = both_splits(begun, table, "m").groups
    if expected is None:  # two chips of 60 in one group change nothing
        assert found is None
    else:
        np.testing.assert_array_equal(np.unique(found, return_counts=True)[1], [size] * expected)
        assert found is not None
        assert found[0] == found[1] != found[2]


def test_features_of_either_side_are_read_by_one_position() -> None:
    ours, theirs = np.arange(12.0).reshape(4, 3), 100 + np.arange(6.0).reshape(2, 3)
    both = both_of(ours, theirs)
    np.testing.assert_array_equal(
        both.bank.under("identity", np.array([5, 0, 4, 3])), [theirs[1], ours[0], theirs[0], ours[3]]
    )
    assert (both.labelled, both.to_predict) == (both.names[:4], both.names[4:])


def test_labelled_chips_keep_their_folds_and_others_are_dealt_evenly(workspace, tiny_net, tiny_weights) -> None:
    recipe = tiny_recipe(**frozen(tiny_weights, augment=()), views="identity")
    sources, table = Sources(workspace, recipe), ScoreStore.of(workspace).table
    with pytest.raises(UserError, match=r"not made yet of 60 of 60 train chips.*features --models m"):
        both_splits(sources, table, "m")
    fill_banks(workspace, recipe, no_test=True)
    with pytest.raises(UserError, match=r"not made yet of 24 of 24 test chips.*features --models m"):
        both_splits(sources, table, "m")
    fill_banks(workspace, recipe)
    both = both_splits(sources, table, "m")
    assert (len(both.labelled), both.num_test) == (NUM_TRAIN, NUM_TEST)
    np.testing.assert_array_equal(both.folds[~both.is_test], table.folds_of(both.labelled, 0))
    assert set(np.bincount(both.folds[both.is_test])) == {NUM_TEST // table.k}
    last = np.array([NUM_TRAIN])
    np.testing.assert_array_equal(
        both.bank.under("identity", last), sources.bank("test", ("identity",)).read(np.array([0]))
    )
    assert all(path.is_file() for path in both.arrays)
