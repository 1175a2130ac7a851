"""The scenes that chips are cut from together."""

import re

import pytest
import rasterio

from competition.common.errors import UserError
from competition.scene_chips.scenes import open_scenes, usual_metres
from competition.spec.load import load
from tests.competition.scenes.samples import NORTH_UP, noise, write_scene

PLANET = load("planet")


def test_no_two_scenes_have_one_name(tmp_path) -> None:
    where = []
    for name in ("2024/a b.tif", "2024/a-b.tif", "2025/A b.tif", "2025/é.tif", "c.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        where.append(str(write_scene(tmp_path / name, noise(2), names="RN")))
    scenes = open_scenes(where, None, (), (), None)
    assert [scene.name for scene in scenes] == ["2024-a-b", "2024-a-b-2", "2025-A-b", "scene", "c"]


def test_all_scenes_have_the_bands_of_the_first_in_its_order(tmp_path) -> None:
    one, other = (
        str(write_scene(tmp_path / f"{names}.tif", noise(len(names)), names=names)) for names in ("RN", "NGRB")
    )
    assert [scene.bands for scene in open_scenes([one, other], None, (), (), None)] == [("R", "N")] * 2
    assert [scene.indexes for scene in open_scenes([one, other], None, (), (), None)] == [(1, 2), (3, 1)]
    assert open_scenes([other], None, (), (), PLANET)[0].bands == PLANET.image_set("tif").bands
    with pytest.raises(UserError, match=r"RN.tif has no band 'G'"):
        open_scenes([other, one], None, (), (), None)


def test_a_pixel_is_as_large_as_the_coarsest_scenes_or_as_the_competition_says(tmp_path) -> None:
    for name, scale in (("fine", 1), ("coarse", 3)):
        write_scene(tmp_path / f"{name}.tif", noise(), names="BGRN", transform=NORTH_UP @ rasterio.Affine.scale(scale))
    scenes = open_scenes((), tmp_path, (), (), PLANET)
    assert usual_metres(PLANET, scenes) == 3
    assert usual_metres(None, scenes) == pytest.approx(9, rel=1e-3)


def test_scenes_that_make_no_data_set_are_one_line(tmp_path) -> None:
    first = str(write_scene(tmp_path / "first.tif", noise(4, 40, 50), names="BGRN"))
    grey = str(write_scene(tmp_path / "grey.tif", noise(4, 40, 50, "uint8"), names="BGRN"))
    deep = str(write_scene(tmp_path / "deep.tif", noise(1, 40, 50, "uint32")))
    scaled = str(write_scene(tmp_path / "scaled.tif", noise(4, 40, 50), names="BGRN"))
    with rasterio.open(scaled, "r+") as dataset:
        dataset.offsets = [-1000] * 4
    (empty := tmp_path / "empty").mkdir()
    for scenes, folder, said in (
        ([], None, "Give --scene SCENE, as often as there are scenes, or --scenes FOLDER"),
        ([first, first], None, "is given twice"),
        ([first, grey], None, "The scenes are not alike: .* holds values of uint16, and .* uint8"),
        ([first, scaled], None, "scales and offsets"),
        ([deep], None, "holds uint32"),
        ([], empty, "holds no images: expected files with .tif"),
        ([], tmp_path / "gone", "Cannot read the folder"),
    ):
        with pytest.raises(UserError) as raised:
            open_scenes(scenes, folder, (), (), None)
        assert re.search(said, raised.value.text)
