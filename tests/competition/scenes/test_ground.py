"""How large pixels and chips are on the ground."""

import pytest
from pyproj import CRS

from competition.common.errors import UserError
from competition.scenes.ground import chip_metres, metres_of_pixels, on_ground
from competition.spec.load import load

DEGREES, WEB = CRS.from_epsg(4326).to_wkt(), CRS.from_epsg(3857).to_wkt()


def test_degrees_are_measured_on_the_ellipsoid() -> None:
    width, height = metres_of_pixels(DEGREES, (1e-4, 0, -60, 0, -1e-4, 60.005), 100, 100)
    assert (width, height) == (pytest.approx(5.58, abs=0.01), pytest.approx(11.14, abs=0.01))


def test_projections_that_stretch_are_measured_too() -> None:
    width, height = metres_of_pixels(WEB, (10, 0, 0, 0, -10, 8_399_738), 100, 100)  # at 60 degrees north
    assert width == pytest.approx(5.0, abs=0.02) == height


def test_a_turned_scene_has_the_same_pixels() -> None:
    turned = (3 * 0.8, 3 * 0.6, 0, 3 * 0.6, -3 * 0.8, 0)
    assert metres_of_pixels(WEB, turned, 100, 100) == pytest.approx((3, 3), abs=0.03)


def test_what_lies_nowhere_is_refused() -> None:
    with pytest.raises(UserError, match=r"nowhere on Earth.*--metres-per-pixel"):
        metres_of_pixels(CRS.from_epsg(32721).to_wkt(), (3, 0, 5e9, 0, -3, 9e12), 100, 100)
    with pytest.raises(UserError, match="not understood"):
        on_ground('PROJCS["odd"]', [(0, 0)])
    with pytest.raises(UserError, match="a local one"):
        on_ground('LOCAL_CS["mine",UNIT["metre",1]]', [(0, 0)])


def test_a_chip_is_as_large_as_the_competition_says() -> None:
    images = load("planet").image_set("tif")
    assert chip_metres(images, "tif", 256) == 768
    assert chip_metres(images, "tif", None, given=500) == 500
    with pytest.raises(UserError, match="--chip-metres"):
        chip_metres(images, "tif", None)
    with pytest.raises(UserError, match=r"metres_per_pixel = \.\.\. under \[images.jpg\]"):
        chip_metres(load("eurosat").image_set("jpg"), "jpg", 64)
