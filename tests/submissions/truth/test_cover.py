"""Cover is the exact share of each cell, of any polygons."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import assume, given
from hypothesis import strategies as st

from competition.scenes.grid import Grid
from submissions.truth.cover import Shares, cover, in_cells, widened
from tests.submissions.regions.samples import raster_at

CORNER = st.tuples(*[st.integers(-48, 144).map(lambda number: number / 16)] * 2)


@given(st.lists(CORNER, min_size=3, max_size=9), st.integers(1, 9), st.integers(1, 9))
def test_it_is_what_is_shared_with_each_cell(corners, rows, columns):
    shape = shapely.make_valid(shapely.Polygon(corners))
    assume(shape.area)
    raster = raster_at(Grid(3 * columns, 3 * rows, (3, 3), (3, 3)))
    found = cover(np.array([shape, shapely.box(1, 1, 2, 1.5)]), raster)
    whole = shapely.union(shape, shapely.box(1, 1, 2, 1.5))
    expected = [[shapely.box(x, y, x + 1, y + 1).intersection(whole).area for x in range(columns)] for y in range(rows)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_cell_that_the_scene_cuts_is_covered_as_far_as_it_reaches():
    raster = raster_at(Grid(7, 7, (3, 3), (3, 3)))  # the third cell has one pixel of three
    found = cover(np.array([shapely.box(2, 0, 99, 1), shapely.box(0, 2, 1, 2 + 1 / 6)]), raster)
    np.testing.assert_allclose(found, [[0, 0, 1], [0, 0, 0], [0.5, 0, 0]], atol=1e-6)


def test_a_point_covers_its_cell_and_nothing_elsewhere():
    raster = raster_at(Grid(6, 6, (3, 3), (3, 3)))
    found = cover(shapely.points([(1.2, 0.9), (2.0, 0.5), (-0.1, 1.0)]), raster)
    np.testing.assert_array_equal(found, [[0, 1], [0, 0]])


@pytest.mark.parametrize("step", [3.0, 30.0])
def test_coordinates_become_cells(step):
    raster = raster_at(Grid(9, 9, (3, 3), (3, 3)), step=step)
    a, _, c, _, e, f = raster.transform
    found = in_cells(np.array([shapely.box(c, f, c + 2 * a, f + e)]), raster)
    np.testing.assert_allclose(shapely.bounds(found[0]), (0, 0, 2, 1), atol=1e-6)


def test_of_labels_that_exclude_each_other_the_largest_counts_and_clouds_where_they_hide_the_ground():
    raster = raster_at(Grid(12, 3, (3, 3), (3, 3)))
    sky = {
        "exclusive": (("clear", "haze", "cloudy"),),
        "alone": ("cloudy",),
        "labels": ("clear", "haze", "cloudy", "road"),
    }
    raster = replace(raster, scored=raster.scored.model_copy(update=sky))
    named = {
        "clear": shapely.box(0, 0, 4, 0.6),
        "haze": shapely.box(1, 0, 2, 0.9),
        "cloudy": shapely.box(2, 0, 3.5, 0.9),
        "road": shapely.box(0, 0, 4, 0.1),
    }
    shares = Shares(np.array([*named.values()]), np.array([*named], dtype=object), raster)
    expected = {"clear": [0.6, 0, 0.6, 0.6], "haze": [0, 0.9, 0, 0], "cloudy": [0, 0, 0.9, 0], "road": [0.1] * 4}
    for label, share in expected.items():
        np.testing.assert_allclose(shares.of(label)[0], share, atol=1e-6)


def test_what_is_thin_is_widened_on_the_ground_and_a_point_keeps_its_cell():
    """Cells are 6 m wide and 12 m high, so that 3 m are half of a cell to the side and a quarter of one down."""
    raster = raster_at(Grid(12, 12, (4, 4), (2, 4)), step=3.0)
    shapes = np.array([shapely.LineString([(0, 1), (6, 1)]), shapely.Point(4.5, 2.5), shapely.box(0, 2, 1, 3)])
    wide, named = widened(shapes, np.array(["road", "mine", "field"], dtype=object), raster, 3.0)
    of = {label: wide[named == label] for label in ("road", "mine", "field")}
    np.testing.assert_allclose(cover(of["road"], raster)[:, 2], [0.25, 0.25, 0], atol=1e-5)
    assert cover(of["mine"], raster)[2].tolist() == [0, 0, 0, 0, 1, 0]
    assert shapely.bounds(of["mine"][1]).tolist() == pytest.approx([4, 2.25, 5, 2.75], rel=1e-6)
    assert of["field"].tolist() == [shapes[2]]
