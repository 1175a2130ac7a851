"""Roads: they join villages to highways, keep out of rivers, and grow."""

from __future__ import annotations

import numpy as np
import pytest

from competition.landscape.rivers import Rivers
from competition.landscape.roads import HIGHWAY, SIDE, STEP, VILLAGE, Roads

BOX = (-12.0, -12.0, 12.0, 12.0)


@pytest.fixture(scope="module", params=[0, 3])
def roads(request) -> Roads:
    return Roads(Rivers(request.param))


def test_there_are_roads_of_every_kind(roads):
    assert {road.key[0] for road in roads.near(BOX)} == {HIGHWAY, SIDE, VILLAGE}


def test_villages_lie_on_a_river_and_their_roads_lead_to_a_highway(roads):
    villages = list(roads.villages(BOX, 0))
    assert len(villages) > 5
    for village in villages:
        n = village.key[0]
        t, c = roads.rivers.frame(village.place)
        assert abs(c - roads.rivers.course(n, t)) < roads.rivers.river(n).reach + 0.5
        t, c = roads.rivers.frame(village.road.points[-1])
        assert min(abs(roads.highway_at(m, c) - t) for m in roads.highways(t, t)) < 0.25


def test_side_roads_begin_on_a_highway_and_end_before_a_river(roads):
    side_roads = [road for road in roads.near(BOX) if road.key[0] == SIDE]
    assert len(side_roads) > 10
    for road in side_roads:
        t, c = roads.rivers.frame(road.points).T
        assert roads.highway_at(road.key[1], c[0]) == pytest.approx(t[0])
        for n in roads.rivers.between(t.min(), c.min() - 3, t.max(), c.max() + 3):
            assert np.abs(c - roads.rivers.course(n, t)).min() > roads.rivers.river(n).reach


def test_the_earlier_road_is_the_beginning_of_the_later(roads):
    grown = 0
    for road in roads.near(BOX):
        early, late = road.at(False), road.at(True)
        np.testing.assert_array_equal(early, late[: len(early)])
        grown += len(late) > len(early)
        assert np.hypot(*np.diff(late, axis=0).T).max() < 2 * STEP
    assert grown > 5


def test_any_window_finds_what_the_whole_finds(roads):
    def keys(box: tuple[float, ...]) -> set[tuple[int, ...]]:
        window = (1.0, 2.0, 3.0, 4.0)
        return {road.key for road in roads.near(box) if road.key[0] != HIGHWAY and road.meets(window)}

    assert keys((1.0, 2.0, 3.0, 4.0)) == keys(BOX)
