"""How windows become chips."""

from dataclasses import replace

import numpy as np
import pytest
from rasterio import Affine

from competition.common.errors import UserError
from competition.data.chips import resize_chip
from models.predict.predictor import LearntFrom
from models.scenes.cutting import Asked, Cutting
from tests.competition.scenes.samples import write_scene
from tests.models.scenes.samples import SIDE, SIZE, landscape, scene_in, stand_in


def cut(asked, predictor):
    scene = asked.scene(predictor)
    return scene, Cutting.of(asked, scene, predictor)


def test_a_window_is_as_large_on_the_ground_as_a_chip(tmp_path, lines):
    predictor = stand_in()
    _, cutting = cut(Asked(str(scene_in(tmp_path))), predictor)
    assert (cutting.metres, cutting.pixels, cutting.grid.window) == (3 * SIDE, SIDE, (SIDE, SIDE))
    assert cutting.grid.stride == (SIDE // 2, SIDE // 2)
    assert lines[0].startswith("Values, 5th to 95th percentile: R ")
    _, cutting = cut(Asked(str(scene_in(tmp_path)), chip_metres=120, steps=4), predictor)
    assert (cutting.pixels, cutting.grid.window, cutting.grid.stride) == (SIDE, (40, 40), (10, 10))


def test_bands_are_found_by_name_and_come_in_the_networks_order(tmp_path):
    values, predictor = landscape(64, 96), stand_in()
    for names, said in ((("blue", "green", "red", "nir"), ()), (("r", "g", "b", "x"), tuple("BGRN"))):
        path = write_scene(tmp_path / "scene.tif", values, names=names)
        scene, cutting = cut(Asked(str(path), named=said), predictor)
        window = cutting.grid.row_of_windows(1)[2]
        shows, (chip,) = cutting.chips(scene, [window])
        there = values[[2, 1, 0], window.y : window.y + SIDE, window.x : window.x + SIDE].transpose(1, 2, 0)
        np.testing.assert_array_equal(chip, resize_chip(there, SIZE))
        assert (shows.tolist(), chip.dtype) == ([True], np.float32)


def test_bands_that_may_have_wrong_names_are_said_before_the_work(tmp_path, lines):
    """As Planet's GeoTIFFs call them, whose red is blue."""
    path = write_scene(tmp_path / "scene.tif", landscape(64, 96), photometric="rgb", alpha="premultiplied")
    cut(Asked(str(path)), stand_in())
    assert "if it is one of these, give --scene-bands BGRN." in lines[0]
    lines.clear()
    cut(Asked(str(path), named=tuple("BGRN")), stand_in())
    assert not any("--scene-bands" in line for line in lines)


def test_a_finer_scene_is_brought_to_chips_files_first(tmp_path):
    path = scene_in(tmp_path, transform=Affine(0.7, 0, 5e5, 0, -0.7, 9e6))
    predictor = stand_in()
    scene, cutting = cut(Asked(str(path)), predictor)
    assert cutting.grid.window == (137, 137)
    _, (chip,) = cutting.chips(scene, [cutting.grid.row_of_windows(0)[0]])
    file, _ = scene.read(cutting.grid.row_of_windows(0)[0], SIDE)
    np.testing.assert_array_equal(chip, resize_chip(file, SIZE))


def test_windows_that_lack_data_make_no_chips(tmp_path):
    values = landscape(64, 96)
    values[:, :, :40] = 0
    path = write_scene(tmp_path / "scene.tif", values, names=("B", "G", "R", "N"), nodata=0)
    for most, expected in ((0.2, [False, False, False, True, True]), (0.8, [False, True, True, True, True])):
        scene, cutting = cut(Asked(str(path), most_missing=most), stand_in())
        shows, chips = cutting.chips(scene, cutting.grid.row_of_windows(0))
        assert shows.tolist() == expected
        assert len(chips) == sum(shows)


def test_values_that_the_model_cannot_have_learnt_are_refused_before_the_work(tmp_path, lines):
    path = write_scene(tmp_path / "scene.tif", landscape(64, 96) // 4000, names=("B", "G", "R", "N"))
    with pytest.raises(UserError, match=r"cannot be what the model has learnt.* --values match.*give --scale 1\."):
        cut(Asked(str(path)), stand_in())
    _, cutting = cut(Asked(str(path), scale=1.0), stand_in())
    assert "cannot be what the model has learnt" in lines[-1]
    assert cutting.values.scale == (1.0, 1.0, 1.0)
    path = write_scene(tmp_path / "scene.tif", landscape(64, 96) / 1e4, names=("B", "G", "R", "N"))
    with pytest.raises(UserError, match=r"holds float64 values, and the chips uint16"):
        cut(Asked(str(path)), stand_in())
    _, cutting = cut(Asked(str(path), scale=1e4), stand_in())
    assert "cannot be" not in lines[-1]


def test_a_scene_that_is_smaller_than_a_chip_is_refused(tmp_path):
    with pytest.raises(UserError, match="The scene is smaller than a chip: it is 630 x 90 m"):
        cut(Asked(str(scene_in(tmp_path, height=30))), stand_in())


def test_a_model_that_does_not_know_its_chips_asks_for_their_side(tmp_path):
    predictor = stand_in(pixels=None)
    path = str(scene_in(tmp_path))
    with pytest.raises(UserError, match="Nothing says how many pixels a chip's file has: give --chip-metres"):
        cut(Asked(path), predictor)
    _, cutting = cut(Asked(path, chip_metres=96), predictor)
    assert cutting.pixels == SIDE  # by the competition's metres per pixel
    unplaced = replace(predictor, images=predictor.images.model_copy(update={"metres_per_pixel": None}))
    _, cutting = cut(Asked(path, chip_metres=240), unplaced)
    assert cutting.pixels == 4 * SIZE


def test_an_empty_scene_is_no_reason_to_stop(tmp_path, lines):
    path = write_scene(tmp_path / "scene.tif", 0 * landscape(64, 96), names=("B", "G", "R", "N"), nodata=0)
    cut(Asked(str(path)), stand_in())
    assert lines == [f"None of 200 windows of {path} holds data."]


def test_what_is_known_of_chips_that_are_gone():
    known = LearntFrom.known_by(stand_in().inputs, "uint16")
    assert (known.pixels, known.values.sampled, known.values.bands) == (None, False, ("R", "G", "B"))
