"""The ground of tiles: dark rivers through bright forest, fields on roads, and no seams."""

from __future__ import annotations

import numpy as np
import pytest

from competition.landscape.ground import Land, draw_ground
from competition.landscape.plane import TILE, Tile

SCALE, COLUMN = 128.0, 3  # where a river and fields are


@pytest.fixture(scope="module")
def land() -> Land:
    return Land.of(3, SCALE)


@pytest.fixture(scope="module")
def tiles(land) -> list[Tile]:
    return [draw_ground(land, column, 0) for column in (COLUMN, COLUMN + 1)]


def test_water_is_dark_and_forest_bright_in_near_infrared(land, tiles):
    nir = tiles[0].image[..., 3]
    rivers = [course for course in land.rivers.near(tiles[0].box, 0.0) if course.order == 0]
    assert rivers
    places = np.concatenate([tiles[0].on_sheet(course.points) * TILE for course in rivers]).astype(int)
    column, row = places[((places >= 0) & (places < TILE)).all(axis=1)].T
    assert np.median(nir[row, column]) < 0.15
    assert np.median(nir[tiles[0].forest > 0.95]) > 0.35


def test_forest_is_gone_where_fields_are(land, tiles):
    fields = [field for _, found in land.sites.fields(tiles[0].box, False) for field in found]
    middles = np.array([tiles[0].on_sheet(field.points.mean(axis=0)) * TILE for field in fields]).astype(int)
    column, row = middles[((middles > 2) & (middles < TILE - 2)).all(axis=1)].T
    assert len(row) > 20
    assert np.median(tiles[0].forest[row, column]) < 0.2
    assert tiles[0].forest.mean() > 0.6


def test_tiles_have_no_seams(tiles):
    left, right = (tile.image for tile in tiles)
    usual = np.abs(np.diff(left, axis=1)).mean()
    assert np.abs(right[:, 0] - left[:, -1]).mean() < 1.3 * usual


def test_a_tile_is_the_same_whatever_was_drawn_before(land, tiles):
    fresh = Land.of(3, SCALE)
    np.testing.assert_array_equal(draw_ground(fresh, COLUMN + 1, 0).image, tiles[1].image)


def test_the_later_date_has_less_forest(tiles):
    later = draw_ground(Land.of(3, SCALE, later=True), COLUMN, 0)
    assert later.forest.mean() < tiles[0].forest.mean() - 0.002
