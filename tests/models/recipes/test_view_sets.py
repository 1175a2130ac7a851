"""The sets of views by name."""

from __future__ import annotations

import pytest

from models.recipes.view_sets import D4, FLIPS, VIEW_SETS, drawn_views


def test_view_sets_begin_with_the_chip_as_it_is_and_repeat_none():
    assert VIEW_SETS["identity"] == ("identity",)
    for views in VIEW_SETS.values():
        assert views[0] == "identity"
        assert len(set(views)) == len(views)


@pytest.mark.parametrize(
    ("augment", "drawn"),
    [
        ((), {"identity"}),
        (("photometric", "shifts"), {"identity"}),
        (("flips",), set(FLIPS)),
        (("quarter_turns",), {"identity", "turn90", "turn180", "turn270"}),
        (("quarter_turns", "flips"), set(D4)),
        (("d4", "flips"), set(D4)),
    ],
)
def test_augmentations_one_after_another_draw_from_all_that_they_reach_together(augment, drawn):
    assert set(drawn_views(augment)) == drawn
    assert len(drawn_views(augment)) == len(drawn)
