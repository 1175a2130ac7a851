"""The sky: clouds with shadows, haze, and another light on each date."""

from __future__ import annotations

import numpy as np
import pytest

from competition.landscape.plane import TILE, Tile
from competition.landscape.sky import Sky

SCALE = 32.0


def covered(sky: Sky, column: int = 0, row: int = 0) -> tuple[Tile, np.ndarray, np.ndarray]:
    tile = Tile.blank(0, column, row, SCALE)
    tile.image[:] = (0.18, 0.23, 0.16, 0.47)
    return tile, *sky.cover(tile)


@pytest.fixture(scope="module")
def sky() -> Sky:
    return Sky(0, SCALE)


def test_there_are_clouds_haze_and_clear_sky(sky):
    tile, cloud, haze = covered(sky)
    white, veiled = cloud > 0.99, (haze > 0.9) & (cloud == 0)
    clear = (haze == 0) & (cloud == 0)
    assert min(white.mean(), veiled.mean()) > 0.005
    assert clear.mean() > 0.4
    blue = tile.image[..., 0]
    assert np.median(blue[white]) > 0.7
    assert np.median(blue[veiled]) > 1.3 * np.median(blue[clear])


def test_every_cloud_has_its_shadow(sky):
    tile, cloud, haze = covered(sky)
    down, right = sky._fall
    shaded = np.roll(cloud > 0.95, (down, right), axis=(0, 1)) & (cloud == 0) & (haze == 0)
    shaded[: abs(down)] = shaded[:, : abs(right)] = shaded[-abs(down) :] = shaded[:, -abs(right) :] = False
    clear = (haze == 0) & (cloud == 0)
    assert shaded.sum() > 200
    assert np.median(tile.image[shaded]) < 0.7 * np.median(tile.image[clear])


def test_shadows_fall_across_seams(sky):
    tile = covered(sky)[0].image
    fresh = covered(Sky(0, SCALE))[0].image
    np.testing.assert_array_equal(tile, fresh)
    shadow = np.concatenate([sky._shadow(column, 0) for column in (0, 1)], axis=1)
    clouds = [sky._clouds(column, 0) for column in (0, 1)]
    cloud = np.concatenate([found[1] if found else np.zeros((TILE, TILE)) for found in clouds], axis=1)
    down, right = sky._fall
    moved = np.roll(cloud, (down, right), axis=(0, 1))
    inner = slice(TILE - 8, TILE + 8)
    rows = slice(max(0, down), TILE + min(0, down))
    np.testing.assert_array_equal(shadow[rows, inner], moved[rows, inner])


def test_the_later_date_has_another_sky(sky):
    tile, cloud, haze = covered(Sky(0, SCALE, later=True))
    before, cloud_before, haze_before = covered(sky)
    assert np.abs(cloud - cloud_before).mean() > 0.01
    assert np.abs(haze - haze_before).mean() > 0.01
    assert np.abs(tile.image - before.image).mean() > 0.01
