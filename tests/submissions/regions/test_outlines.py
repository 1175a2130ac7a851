"""Outlines of regions, against the union of their cells."""

from typing import Any

import numpy as np
import shapely
from hypothesis import given, settings

from submissions.regions.outlines import outlines
from submissions.regions.runs import Runs
from tests.submissions.regions.samples import MASKS, NEIGHBOURS, labelled


@settings(max_examples=80)
@given(MASKS, NEIGHBOURS)
def test_outlines_are_valid_and_hold_their_cells_and_no_others(mask: Any, neighbours: int) -> None:
    runs = Runs.of(mask, mask.view(np.uint8))
    shapes = outlines(runs, runs.regions(neighbours))
    regions = labelled(mask, neighbours)
    assert len(shapes) == regions.max() + 1
    for number, shape in enumerate(shapes):
        rows, columns = np.nonzero(regions == number)
        assert (shape.geom_type, shapely.is_valid_reason(shape)) == ("MultiPolygon", "Valid Geometry")
        assert shapely.equals(shape, shapely.union_all(shapely.box(columns, rows, columns + 1, rows + 1)))


def test_a_hole_is_none_of_a_region_and_what_lies_in_it_is_another() -> None:
    mask = np.ones((5, 5), dtype=bool)
    mask[1:4, 1:4] = False
    mask[2, 2] = True
    runs = Runs.of(mask, mask.view(np.uint8))
    ring, inside = outlines(runs, runs.regions(8))
    assert (ring.area, len(ring.geoms[0].interiors), inside.bounds) == (16, 1, (2, 2, 3, 3))
    assert shapely.get_num_coordinates([ring, inside]).tolist() == [10, 5]  # corners, and the first ones again


def test_a_line_and_a_staircase_have_no_more_points_than_corners() -> None:
    runs = Runs.of(np.ones((1, 50), dtype=bool), np.ones((1, 50), np.uint8))
    assert shapely.get_num_coordinates(outlines(runs, runs.regions(4))).tolist() == [5]
    stairs = np.eye(20, dtype=bool)
    runs = Runs.of(stairs, stairs.view(np.uint8))
    assert [len(shape.geoms) for shape in outlines(runs, runs.regions(8))] == [20]
    assert len(outlines(runs, runs.regions(4))) == 20
    none = Runs.of(np.zeros((2, 2), dtype=bool), np.zeros((2, 2), np.uint8))
    assert len(outlines(none, none.regions(4))) == 0
