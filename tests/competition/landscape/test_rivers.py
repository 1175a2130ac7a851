"""Rivers: they run through, never meet, and any window of the plane finds the same ones."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial import cKDTree

from competition.landscape.rivers import CREEK, RIVER, TRIBUTARY, Rivers


@pytest.fixture(scope="module")
def rivers() -> Rivers:
    return Rivers(3)


def test_a_river_runs_through_wherever_one_looks(rivers):
    for left in (0, 5000, -90_000):
        box = (left, 0.0, left + 16, 16.0)
        found = [course for course in rivers.near(box) if course.order == RIVER]
        assert found
        reach = max(np.ptp(course.points, axis=0).max() for course in found)
        assert reach > 16


def test_any_window_finds_what_the_whole_finds(rivers):
    def points(box: tuple[float, ...]) -> set[tuple[float, ...]]:
        found = np.concatenate(
            [np.column_stack((course.points, course.half)) for course in rivers.near(box, creeks=True)]
        )
        inside = (found[:, 0] > 0) & (found[:, 0] < 2) & (found[:, 1] > 14) & (found[:, 1] < 16)
        return set(map(tuple, found[inside].round(9)))

    assert points((0.0, 14.0, 2.0, 16.0)) == points((-4.0, 11.0, 7.0, 20.0))


def test_rivers_never_meet(rivers):
    t = np.arange(-400, 400, 0.25)
    for n in range(-2, 3):
        gap = rivers.course(n + 1, t) - rivers.course(n, t)
        assert gap.min() > rivers.river(n).reach + rivers.river(n + 1).reach


def test_tributaries_join_a_river_and_creeks_a_tributary(rivers):
    courses = list(rivers.near((0.0, 14.0, 8.0, 22.0), creeks=True))
    assert {course.order for course in courses} == {RIVER, TRIBUTARY, CREEK}
    t = np.arange(-60, 60, 0.02)
    middles = {n: cKDTree(rivers.middle(n, t)) for n in {course.key[0] for course in courses}}
    for course in courses:
        if course.order == TRIBUTARY:
            assert middles[course.key[0]].query(course.points[0])[0] < 0.05
            assert course.half[-1] < 0.2 * course.half[0]
        elif course.order == CREEK:
            tributary = rivers.joining(*course.key[:-1])
            assert cKDTree(tributary.points).query(course.points[0])[0] < 1e-6


def test_another_seed_is_another_place():
    t = np.arange(0, 20, 0.5)
    assert np.abs(Rivers(0).middle(0, t) - Rivers(1).middle(0, t)).max() > 1


def test_bends_are_where_rivers_stray_farthest(rivers):
    bends = list(rivers.apexes(0, 0, 30))
    assert len(bends) >= 8
    assert all(side != other for (_, _, side), (_, _, other) in pairwise(bends))
    for _, t, side in bends:
        course, c = rivers.course(0, t), rivers.frame(rivers.middle(0, t))[1]
        assert side * (c - course) == pytest.approx(rivers.river(0).amplitude * rivers.river(0).strength(t), rel=0.02)
