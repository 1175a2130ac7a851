"""Cells are counted as a plain loop would count them, and regions by whether they touch."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from competition.common.errors import UserError
from competition.gdal.vectors import Features
from submissions.map.decide import Isolation, decide
from submissions.map.rules import MapRule
from submissions.truth.counts import Regions, Terms, count
from submissions.truth.known import Known
from tests.submissions.map.samples import CELL_HA, SIDE, raster_of


def features(raster, *named):
    a, _, c, _, e, f = raster.transform
    shapes = shapely.transform(np.array([shape for _, shape in named]), lambda xy: xy * (a, e) + (c, f))
    return Features(shapes, tuple(label for label, _ in named))


def counted(raster, rule, truth, terms, area=None, **how):
    return count(decide(raster, rule, **how), truth, set(truth.labels), terms, Known.of(raster, area))


def cells(*places):
    return [shapely.box(x, y, x + 1, y + 1) for y, x in places]


def test_cells_are_counted_by_block_and_kind(tmp_path):
    random = np.random.default_rng(0)
    plane = random.random((9, 14)).astype(np.float32)
    plane[random.random(plane.shape) < 0.2] = np.nan
    raster = raster_of(tmp_path, plane)
    truth = random.random(plane.shape) < 0.4
    named = [("road", shape) for shape in cells(*np.argwhere(truth).tolist())]
    rule, block = MapRule("a cut", {"road": 0.5}), 4
    terms = Terms(0.02, block * SIDE * raster.scored.metres[0] / 1000)
    (found,) = counted(raster, rule, features(raster, *named), terms)
    scores, expected = raster.scores("road"), np.zeros((3 * 4, 4), dtype=int)
    for y, x in np.argwhere(~np.isnan(scores)):
        expected[y // block * 4 + x // block, 2 * truth[y, x] + (scores[y, x] >= 0.5)] += 1
    np.testing.assert_array_equal(found.cells, expected[: len(found.cells)])
    assert not expected[len(found.cells) :].any()
    assert found.unknown == np.isnan(scores).sum()
    assert found.scores.sum() == expected.sum()
    assert found.scores[1].sum() == expected[:, 2:].sum()


def test_cells_that_are_hardly_touched_are_left_out_and_make_a_region_right(tmp_path):
    raster = raster_of(tmp_path, [[0.9, 0.1, 0.9], [0.1, 0.1, 0.1]])
    sliver = shapely.box(0, 0, 0.01, 1)
    (found,) = counted(raster, MapRule("", {"road": 0.5}), features(raster, ("road", sliver)), Terms(0.02))
    assert (found.touched, found.cells.sum()) == (1, 5)
    assert found.regions == Regions(true=0, found=0, decided=2, right=1)
    (found,) = counted(raster, MapRule("", {"road": 0.5}), features(raster, ("road", sliver)), Terms(0.0))
    assert found.cells.sum(axis=0).tolist() == [4, 1, 0, 1]


def test_regions_are_found_where_one_of_their_cells_is(tmp_path):
    raster = raster_of(tmp_path, [[0.9, 0.1, 0.1, 0.1, 0.9, 0.1], [0.1, 0.1, 0.1, 0.1, 0.1, 0.9]])
    named = [("road", shape) for shape in cells((0, 0), (0, 1), (1, 3))]
    (found,) = counted(raster, MapRule("", {"road": 0.5}), features(raster, *named), Terms(0.02))
    assert found.regions == Regions(true=2, found=1, decided=2, right=1)


def test_what_was_left_out_is_not_decided(tmp_path):
    raster = raster_of(tmp_path, [[0.9, 0.1, 0.6, 0.6], [0.1, 0.1, 0.1, 0.1], [0.6, 0.1, 0.1, 0.1]])
    truth = features(raster, *[("road", shape) for shape in cells((0, 0), (0, 2), (0, 3), (2, 0))])
    rule, terms = MapRule("", {"road": 0.5}), Terms(0.02)
    (found,) = counted(raster, rule, truth, terms, smallest_ha=1.5 * CELL_HA)
    assert found.cells.sum(axis=0).tolist() == [8, 0, 2, 2]
    (found,) = counted(raster, rule, truth, terms, isolation=Isolation(0.1, 0.75))
    assert found.cells.sum(axis=0).tolist() == [8, 0, 3, 1]
    slanted = features(raster, *[("road", shape) for shape in cells((0, 0), (1, 1))])
    for neighbours, regions in ((8, 1), (4, 2)):
        (found,) = counted(raster, rule, slanted, terms, neighbours=neighbours)
        assert found.regions.true == regions


def test_where_nobody_looked_nothing_is_counted(tmp_path):
    raster = raster_of(tmp_path, np.full((4, 6), 0.9))
    named = [("road", shape) for shape in cells((0, 0), (3, 5))]
    looked = features(raster, ("", shapely.box(0, 0, 2.4, 4)), ("", shapely.box(0, 0, 1, 1))).geometries
    (found,) = counted(raster, MapRule("", {"road": 0.5}), features(raster, *named), Terms(0.02), looked)
    assert found.cells.sum(axis=0).tolist() == [0, 7, 0, 1]
    assert found.regions == Regions(true=1, found=1, decided=1, right=1)


def test_all_and_each_region_are_counted_as_if_by_themselves(tmp_path):
    random = np.random.default_rng(1)
    raster = raster_of(tmp_path, random.random((8, 12)))
    truth = features(raster, *[("road", shape) for shape in cells(*np.argwhere(random.random((8, 12)) < 0.4).tolist())])
    west, east = shapely.box(0, 0, 5, 8), shapely.box(5, 0, 10, 8)
    decided, terms = decide(raster, MapRule("", {"road": 0.5})), Terms(0.02, 0.01)
    known = Known.of(raster, None, features(raster, ("west", west), ("east", east)))
    every = count(decided, truth, {"road"}, terms, known)
    assert [(one.label, one.region) for one in every] == [("road", ""), ("road", "west"), ("road", "east")]
    for one, shape in zip(every, (shapely.box(0, 0, 10, 8), west, east), strict=True):
        area = features(raster, ("", shape)).geometries
        (alone,) = count(decided, truth, {"road"}, terms, Known.of(raster, area))
        np.testing.assert_array_equal(one.cells, alone.cells)
        np.testing.assert_array_equal(one.scores, alone.scores)
        assert one.regions == alone.regions
    assert [int(one.cells.sum()) for one in every] == [80, 40, 40]


def test_roads_that_are_lines_have_the_width_of_a_buffer(tmp_path):
    raster = raster_of(tmp_path, np.full((5, 8), 0.9))
    line = features(raster, ("road", shapely.LineString([(-1, 2.5), (9, 2.5)])))
    for metres, true in ((0.01, 0), (2.0, 8), (3.2, 24), (9.5, 40)):  # a cell is 6 m wide
        (found,) = counted(raster, MapRule("", {"road": 0.5}), line, Terms(0.02, buffer=metres))
        assert found.cells[:, 2:].sum() == true
    assert found.touched == 0


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (
            ("mine", shapely.box(0, 0, 1, 1)),
            "No label of the truth is one that was decided. It has mine, and decided in .* are road",
        ),
        (("road", shapely.LineString([(0, 0), (1, 1)])), "are lines, which cover no ground. Give --buffer METRES"),
    ],
)
def test_what_cannot_be_counted_is_refused(tmp_path, named, said):
    raster = raster_of(tmp_path, np.full((2, 2), 0.9))
    with pytest.raises(UserError, match=said):
        counted(raster, MapRule("", {"road": 0.5}), features(raster, named), Terms(0.02))
