"""The ground under cells, against what is known of the ellipsoid."""

import math

import numpy as np
import pytest
from pyproj import Geod

from competition.common.errors import UserError
from competition.scenes.grid import Grid
from submissions.regions.ground import Ground
from tests.submissions.regions.samples import raster_at

GRID = Grid(100, 70, (16, 16), (16, 16))  # the last column of cells has 4 pixels, the last row 6
CELL = (16 * 3) ** 2 / 1e6


@pytest.mark.parametrize("epsg", [None, 32721])
def test_cells_end_where_the_scene_does(epsg) -> None:
    stretched = 1 if epsg is None else 0.9996**2  # of UTM, along its middle meridian
    found = Ground(raster_at(GRID, epsg)).km2([0, 0, 0, 4, 4], [0, 0, 6, 0, 6], [1, 7, 7, 1, 7])
    expected = np.array([1, 100 / 16, 4 / 16, 6 / 16, 24 / 256]) * CELL / stretched
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found == pytest.approx(expected)


def test_degrees_have_the_area_of_the_ellipsoid() -> None:
    """Between two parallels it is known in closed form."""
    grid = Grid(400, 4000, (10, 10), (10, 10))
    geod, step = Geod(ellps="WGS84"), 0.001
    found = Ground(raster_at(grid, 4326, step=step, at=(-60.0, 4.0))).km2(range(400), [0] * 400, [40] * 400)

    def above_equator(degrees: float) -> float:
        e, sine = math.sqrt(geod.es), math.sin(math.radians(degrees))
        zone = sine / (1 - geod.es * sine**2) + math.atanh(e * sine) / e
        return math.radians(0.4) * geod.b**2 / 2 * zone / 1e6

    edges = np.array([above_equator(4 - 0.01 * row) for row in range(401)])
    np.testing.assert_allclose(found, edges[:-1] - edges[1:], rtol=1e-5)


def test_places_are_as_far_apart_as_on_the_ground() -> None:
    one, other = Ground(raster_at(GRID)).places([0, 3], [0, 4])
    assert np.linalg.norm(one - other) == pytest.approx(5 * 0.048, rel=1e-2)
    one, other = Ground(raster_at(GRID, None)).places([0, 3], [0, 4])
    assert np.linalg.norm(one - other) == pytest.approx(5 * 0.048)


def test_lines_of_cells_are_where_the_transform_says_and_end_with_the_scene() -> None:
    found = Ground(raster_at(GRID)).coordinates(np.array([[0, 0], [2, 1], [7, 5]], dtype=float))
    left, top = 500_000, 9_000_000
    np.testing.assert_allclose(found, [[left, top], [left + 96, top - 48], [left + 300, top - 210]])


def test_a_raster_beyond_the_earth_is_refused() -> None:
    with pytest.raises(UserError, match="reaches beyond where its coordinate system does"):
        Ground(raster_at(GRID, 32721, at=(1e12, 1e12))).km2([0], [0], [1])
