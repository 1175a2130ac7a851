"""Which cells are held against the truth: those in an area, and each in one region at most."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from competition.common.errors import UserError
from competition.gdal.vectors import Features
from competition.scenes.grid import Grid
from submissions.truth.known import Known
from tests.submissions.regions.samples import raster_at

RASTER = raster_at(Grid(18, 6, (3, 3), (3, 3)), step=3.0)  # 6 x 2 cells


def placed(*shapes):
    a, _, c, _, e, f = RASTER.transform
    return shapely.transform(np.array(shapes), lambda xy: xy * (a, e) + (c, f))


def region_of(*named, area=None) -> list[list[int]]:
    regions = Features(placed(*(shape for _, shape in named)), tuple(name for name, _ in named)) if named else None
    return Known.of(RASTER, area, regions).region.tolist()


def test_all_are_known_or_those_in_the_area():
    assert region_of() == [[0] * 6] * 2
    assert region_of(area=placed(shapely.box(0, 0, 2.5, 1), shapely.box(4, 0.4, 6, 2))) == [
        [0, 0, 0, -1, 0, 0],
        [-1, -1, -1, -1, 0, 0],
    ]


def test_a_cell_is_of_the_region_that_covers_most_of_it():
    west, east = shapely.box(0, 0, 2.6, 2), shapely.box(2, 0, 4.4, 2)
    assert region_of(("west", west), ("east", east)) == [[0, 0, 1, 1, -1, -1]] * 2
    assert region_of(("east", east), ("west", west)) == [[1, 1, 0, 0, -1, -1]] * 2
    halves = ("one", shapely.box(0, 0, 0.5, 2)), ("other", shapely.box(0.5, 0, 1, 2))
    assert region_of(*halves) == [[0, -1, -1, -1, -1, -1]] * 2


def test_features_of_one_name_are_one_region_and_an_area_cuts_it():
    known = Known.of(
        RASTER,
        placed(shapely.box(0, 0, 6, 1)),
        Features(placed(shapely.box(0, 0, 1, 2), shapely.box(5, 0, 6, 2)), ("a", "a")),
    )
    assert known.names == ("a",)
    parts = dict(known.parts())
    assert parts[""].tolist() == parts["a"].tolist() == [[True, *[False] * 4, True], [False] * 6]


def test_regions_are_polygons():
    with pytest.raises(UserError, match="Regions are polygons, and features of a are points or lines"):
        region_of(("a", shapely.Point(1, 1)), ("b", shapely.box(0, 0, 1, 1)))
