"""What people do where: the same from every window, and more of it at the later date."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from competition.landscape.rivers import Rivers
from competition.landscape.roads import Roads
from competition.landscape.sites import SEASONAL, Site, Sites

BOX = (-7.0, -7.0, 11.0, 11.0)


@pytest.fixture(scope="module")
def sites() -> Sites:
    rivers = Rivers(0)
    return Sites(rivers, Roads(rivers))


def names(found: list[Site]) -> list[tuple]:
    return [(site.label, *site.key) for site in found]


@pytest.mark.parametrize("later", [False, True])
def test_any_window_finds_what_the_whole_finds(sites, later):
    whole = list(sites.near(BOX, later))
    assert len(set(names(whole))) == len(whole)
    for window in ((0.0, 0.0, 2.0, 2.0), (5.0, 3.0, 5.5, 9.0), (-4.0, -4.0, 8.0, 8.0)):
        expected = [site for site in whole if site.meets(window, 0.5)]
        assert names(list(sites.near(window, later))) == names(expected)


def test_everything_happens_somewhere(sites):
    often = Counter(site.label for site in sites.near(BOX, True))
    assert set(often) == {
        "artisinal_mine", "bare_ground", "blooming", "blow_down", "conventional_mine", "cultivation", "habitation",
        "selective_logging", "slash_burn",
    }  # fmt: skip


def test_the_later_date_holds_the_earlier_but_for_what_passes(sites):
    early, late = (Counter(names(list(sites.near(BOX, later)))) for later in (False, True))
    gone = early - late
    assert {name[0] for name in gone} <= set(SEASONAL)
    new = {name[0] for name in late - early}
    assert {"artisinal_mine", "slash_burn"} <= new


def test_mines_lie_on_tributaries_and_away_from_highways(sites):
    mines = [site for site in sites.near(BOX, True) if site.label == "artisinal_mine"]
    for mine in mines:
        assert np.abs(mine.line - mine.place).max(axis=1).min() == 0
        t, c = sites.rivers.frame(mine.place)
        assert min(abs(t - sites.roads.highway_at(m, c)) for m in sites.roads.highways(t, t)) > 1


def test_fields_touch_their_road_and_grow_in_number(sites):
    count = {}
    for later in (False, True):
        count[later] = 0
        for road, fields in sites.fields(BOX, later):
            count[later] += len(fields)
            for field in fields:
                far = np.hypot(*(road.points[None] - field.points[:, None]).T).min()
                assert far < 0.6
    assert 0 < count[False] < count[True]
