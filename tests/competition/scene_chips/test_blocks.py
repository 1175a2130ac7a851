"""Blocks of ground, which hold chips together, from whichever scenes they are."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio import Affine

from competition.common.errors import UserError
from competition.scene_chips.blocks import Blocks, common_system
from competition.scenes.scene import Scene
from tests.competition.scenes.samples import LEFT, METRES, NORTH_UP, TOP, UTM, noise, write_scene

WINDOW = (20, 20)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return Scene.open(write_scene(tmp_path_factory.mktemp("blocks") / "a.tif", noise(1, 200, 300)))


def moved(path: Path, transform: Affine, size: tuple[int, int] = (300, 200), crs: str = UTM) -> Scene:
    return Scene.open(write_scene(path, noise(1, *size[::-1]), transform=transform, crs=crs))


def blocks_of(*scenes: Scene, side: float = 150.0) -> list[Blocks]:
    return [Blocks.of(each, WINDOW, side, common_system(scenes)) for each in scenes]


@settings(max_examples=40)
@given(st.floats(0, 300), st.floats(0, 200), st.floats(60, 1000))
def test_a_chip_holds_its_place_and_crosses_no_border_that_it_has_room_beside(scene, x, y, side) -> None:
    (blocks,) = blocks_of(scene, side=side)
    ((window, name),) = blocks.place([(x, y)])
    assert window.x <= x <= window.x + 20
    assert window.y <= y <= window.y + 20
    assert 0 <= window.x <= 280
    assert 0 <= window.y <= 180
    left, top = LEFT + METRES * window.x, TOP - METRES * window.y
    (right, bottom), (column, row) = (left + 60, top - 60), map(int, name.split("_")[1:])
    for least, most, number, ends in (
        (left, right, column, (LEFT, LEFT + 900)), (bottom, top, row, (TOP - 600, TOP))
    ):  # fmt: skip
        low, high = max(ends[0], number * side), min(ends[1], (number + 1) * side)
        if high - low >= 60:
            assert low - METRES < least < most < high + METRES  # as borders cut pixels


def test_one_place_has_one_block_in_scenes_that_lie_otherwise(tmp_path, scene) -> None:
    """One begins farther east, one is upside down, one is turned, one has smaller pixels, one another system."""
    zone = Transformer.from_crs(UTM, "EPSG:32722", always_xy=True)
    west, north = zone.transform(LEFT, TOP)
    others = [
        scene,
        moved(tmp_path / "b.tif", NORTH_UP @ Affine.translation(120, 0)),
        moved(tmp_path / "c.tif", Affine(METRES, 0, LEFT, 0, METRES, TOP - 200 * METRES)),
        moved(tmp_path / "d.tif", NORTH_UP @ Affine.translation(50, -50) @ Affine.rotation(30)),
        moved(tmp_path / "e.tif", NORTH_UP @ Affine.scale(0.5), size=(600, 400)),
        moved(tmp_path / "f.tif", Affine(METRES, 0, west, 0, -METRES, north), crs="EPSG:32722"),
    ]
    every = blocks_of(*others)
    for x, y in ((150, 60), (199, 120), (220, 125)):
        place = NORTH_UP @ (x, y)
        pixels = [~Affine(*each.transform) @ place for each in others[:-1]]
        pixels.append(~Affine(*others[-1].transform) @ zone.transform(*place))
        assert len({blocks.place([pixel])[0][1] for blocks, pixel in zip(every, pixels, strict=True)}) == 1
    assert len({name for _, name in every[0].place([(10, 10), (150, 10), (150, 190)])}) == 3


def test_blocks_that_are_smaller_than_chips_are_refused(scene) -> None:
    with pytest.raises(UserError, match=r"Blocks of 30 m are smaller than a chip. Give larger --block-metres"):
        blocks_of(scene, side=30)


def test_a_scene_in_feet_or_degrees_has_blocks_of_as_many_metres(tmp_path) -> None:
    degrees = moved(tmp_path / "a.tif", Affine(3e-5, 0, -60, 0, -3e-5, 5), crs="EPSG:4326")
    feet = moved(tmp_path / "b.tif", Affine(10, 0, 6e6, 0, -10, 2e6), crs="EPSG:2229")
    for each in (degrees, feet):
        (blocks,) = blocks_of(each, side=300)
        names = [name for _, name in blocks.place([(x, 100) for x in range(300)])]
        ends = [x for x, (one, other) in enumerate(pairwise(names)) if one != other]
        assert np.diff(ends) * each.metres[0] == pytest.approx(300, rel=0.02)
