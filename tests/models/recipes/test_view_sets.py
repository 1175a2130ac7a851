"""The sets of views by name."""

from __future__ import annotations

import itertools

import pytest

from competition.common.errors import UserError
from models.recipes.view_sets import D4, FLIPS, VIEW_SETS, VIEWS, WINDOWS, drawn_views, views_of


def test_view_sets_begin_with_the_chip_as_it_is_and_repeat_none():
    assert VIEW_SETS["identity"] == ("identity",)
    for views in VIEW_SETS.values():
        assert views[0] == "identity"
        assert len(set(views)) == len(views)


def test_every_view_has_a_name_of_its_own_and_those_of_d4_keep_theirs():
    assert len(VIEWS) == len(D4) * (1 + len(WINDOWS)) == len(set(VIEWS.values()))
    assert {view: place for view, (window, place) in VIEWS.items() if not window} == {view: view for view in D4}
    assert {view for views in VIEW_SETS.values() for view in views} <= set(VIEWS)


@pytest.mark.parametrize("sets", VIEW_SETS)
def test_one_set_is_what_it_was(sets):
    assert views_of(sets) == VIEW_SETS[sets]


def test_sets_joined_are_each_of_one_under_each_of_the_others():
    assert set(views_of("flips,scales")) == {
        view for view, (window, place) in VIEWS.items() if window in ("", "nearer", "farther") and place in FLIPS
    }
    assert len(views_of("d4,scales,crops")) == len(VIEWS)
    assert views_of("scales,d4")[0] == "identity"
    assert views_of("identity,scales") == VIEW_SETS["scales"]
    for one, other in itertools.permutations(VIEW_SETS, 2):
        assert set(views_of(f"{one},{other}")) == set(views_of(f"{other},{one}")) >= set(VIEW_SETS[one])


@pytest.mark.parametrize(("sets", "line"), [("d4,scale", "scales"), ("", "set of views"), ("d4,d4", "a set twice")])
def test_what_is_no_set_of_views_is_refused(sets, line):
    with pytest.raises(UserError, match=line):
        views_of(sets)


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
