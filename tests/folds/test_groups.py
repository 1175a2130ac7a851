"""Groups as the fold table that is kept was made by."""

from __future__ import annotations

import pytest

from competition.common.errors import UserError
from folds.assign import assign_folds, take_folds
from folds.groups import kept_groups
from tests.conftest import prepared_again


@pytest.fixture
def with_scenes(workspace_of_own_chips):
    """A workspace whose training table has a column "scene": four chips each."""
    path = workspace_of_own_chips.layout.table(workspace_of_own_chips.competition.tables.train[0])
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},scene", *(f"{row},scene {i // 4}" for i, row in enumerate(rows))]))
    return prepared_again(workspace_of_own_chips)


def test_a_table_made_by_groups_says_them_again(with_scenes):
    assert kept_groups(with_scenes) is None  # of a table that says nothing of groups
    assign_folds(with_scenes, k=3, group="scene", force=True)
    assert kept_groups(with_scenes) == [f"scene {i // 4}" for i in range(len(with_scenes.labelled.image_names))]
    assign_folds(with_scenes, k=3, group="", force=True)
    assert kept_groups(with_scenes) is None


def test_groups_in_a_file_that_is_gone_are_asked_for(with_scenes, tmp_path):
    groups = tmp_path / "groups.csv"
    groups.write_text("image_name,g\n" + "".join(f"{name},a{name[-1]}\n" for name in with_scenes.labelled.image_names))
    assign_folds(with_scenes, k=2, group=str(groups), force=True)
    assert len(set(kept_groups(with_scenes))) == 10
    groups.unlink()
    with pytest.raises(UserError, match=r"groups\.csv"):
        kept_groups(with_scenes)


def test_a_delivered_table_has_no_groups_but_the_competitions(with_scenes):
    take_folds(with_scenes, source=with_scenes.fold_table, force=True)
    assert kept_groups(with_scenes) is None
