"""What a file says of its bands, its place and its date."""

import pytest
from rasterio import Affine

from competition.common.errors import UserError
from competition.scenes.scene import Scene
from tests.competition.scenes.samples import METRES, NORTH_UP, noise, write_scene

BGRN = ("B", "G", "R", "N")


def test_bands_are_found_by_description_colour_or_flag(tmp_path) -> None:
    path = write_scene(tmp_path / "a.tif", noise(3), photometric="rgb")
    assert Scene.open(path, ("B", "R")).indexes == (3, 1)
    described = write_scene(tmp_path / "b.tif", noise(2), names=["B8A", "B02"])
    assert Scene.open(described, ("b02",)).indexes == (2,)
    plain = write_scene(tmp_path / "c.tif", noise())
    assert Scene.open(plain, ("N", "B"), named=BGRN).indexes == (4, 1)
    with pytest.raises(UserError, match=r"has no band 'N'; its bands are red, green, blue\. .*--scene-bands BGRN"):
        Scene.open(path, ("R", "N"))
    with pytest.raises(UserError, match=r"--scene-bands names 2 bands, and .* has 4"):
        Scene.open(plain, ("B",), named=("B", "G"))
    with pytest.raises(UserError, match="has several of band 'B'"):
        Scene.open(plain, ("B",), named=("B", "blue", "R", "N"))


def test_bands_that_are_colours_with_opacity_of_16_bits_are_doubted(tmp_path) -> None:
    """As in Planet's GeoTIFFs, whose first band is blue, whatever they call it."""
    planets = write_scene(tmp_path / "b.tif", noise(), photometric="rgb", alpha="premultiplied")
    doubt = Scene.open(planets).doubt
    assert doubt.startswith(f"{planets} says of its bands no more than colours: red, green, blue, alpha.")
    assert doubt.endswith("give --scene-bands BGRN.")
    assert Scene.open(planets, named=BGRN).doubt == ""
    for other in (
        write_scene(tmp_path / "c.tif", noise(dtype="uint8"), photometric="rgb", alpha="yes"),
        write_scene(tmp_path / "d.tif", noise(), names=BGRN, alpha="yes"),
        write_scene(tmp_path / "e.tif", noise(3), photometric="rgb"),
    ):
        assert Scene.open(other).doubt == ""


def test_a_scene_in_degrees_and_one_that_is_turned_are_placed(tmp_path) -> None:
    degrees = write_scene(tmp_path / "a.tif", noise(1), crs="EPSG:4326", transform=Affine(1e-4, 0, -60, 0, -1e-4, 60))
    assert Scene.open(degrees).metres == pytest.approx((5.58, 11.14), abs=0.01)
    turned = NORTH_UP @ Affine.rotation(30)
    assert Scene.open(write_scene(tmp_path / "b.tif", noise(1), transform=turned)).metres == pytest.approx(
        (METRES, METRES), rel=1e-3
    )


def test_a_scene_without_a_place_needs_to_be_told_its_pixels(tmp_path) -> None:
    path = write_scene(tmp_path / "a.tif", noise(1), crs=None, transform=Affine.identity())
    with pytest.raises(
        UserError, match=r"does not say where on the ground.*give `scene predict` --metres-per-pixel"
    ):
        Scene.open(path)
    scene = Scene.open(path, metres_per_pixel=2.5)
    assert (scene.metres, scene.wkt) == ((2.5, 2.5), "")
    assert Scene.open(write_scene(tmp_path / "b.tif", noise(1)), metres_per_pixel=2.5).wkt


def test_the_date_comes_from_the_file_or_the_flag(tmp_path) -> None:
    dated = write_scene(tmp_path / "a.tif", noise(1), tags={"TIFFTAG_DATETIME": "2017:04:26 23:11:27"})
    assert Scene.open(dated).date == "2017-04-26"
    assert Scene.open(dated, taken="2016-01-02").date == "2016-01-02"
    odd = write_scene(tmp_path / "b.tif", noise(1), tags={"TIFFTAG_DATETIME": "2017:99:26"})
    assert Scene.open(odd).date == ""
    with pytest.raises(UserError, match="--date takes a day such as 2026-11-28, received 'May'"):
        Scene.open(dated, taken="May")
