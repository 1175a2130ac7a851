"""Blocks of ground, which hold chips together."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio import Affine

from competition.common.errors import UserError
from competition.scene_chips.blocks import Blocks
from competition.scenes.scene import Scene
from tests.competition.scenes.samples import LEFT, METRES, TOP, noise, write_scene

WINDOW = (20, 20)


@pytest.fixture(scope="module")
def scene(tmp_path_factory) -> Scene:
    return Scene.open(write_scene(tmp_path_factory.mktemp("blocks") / "a.tif", noise(1, 200, 300)))


@given(st.floats(0, 300), st.floats(0, 200), st.floats(60.1, 1000))
def test_a_chip_holds_its_place_and_crosses_no_border(scene, x, y, side) -> None:
    blocks = Blocks.of(scene, WINDOW, side)
    window, _ = blocks.place(x, y, WINDOW)
    assert window.x <= x <= window.x + 20
    assert window.y <= y <= window.y + 20
    assert 0 <= window.x <= 280
    assert 0 <= window.y <= 180
    for start, borders in ((window.x, blocks.borders[0]), (window.y, blocks.borders[1])):
        assert not any(start < border < start + 20 for border in borders)


def moved(folder: Path, name: str, transform: Affine, height: int = 200, crs: str = "EPSG:32721") -> Scene:
    return Scene.open(write_scene(folder / name, noise(1, height, 300), transform=transform, crs=crs))


def test_one_place_has_one_block_in_two_scenes(tmp_path, scene) -> None:
    east = moved(tmp_path, "b.tif", Affine(METRES, 0, LEFT + 120 * METRES, 0, -METRES, TOP))
    upside_down = moved(tmp_path, "c.tif", Affine(METRES, 0, LEFT, 0, METRES, TOP - 200 * METRES))
    of = [Blocks.of(each, WINDOW, 100 * METRES) for each in (scene, east, upside_down)]
    for x, y in ((150, 30), (199, 120), (220, 180)):
        names = {
            of[0].place(x, y, WINDOW)[1],
            of[1].place(x - 120, y, WINDOW)[1],
            of[2].place(x, 200 - y, WINDOW)[1],
        }
        assert len(names) == 1
    assert of[0].place(10, 10, WINDOW)[1] != of[0].place(150, 10, WINDOW)[1]


def test_narrow_blocks_at_the_ends_are_joined(scene) -> None:
    blocks = Blocks.of(scene, (90, 90), 100 * METRES)
    for borders, side in zip(blocks.borders, scene.size, strict=True):
        assert (borders[0], borders[-1]) == (0, side)
        assert np.diff(borders).min() >= 90


def test_degrees_and_turned_scenes_have_blocks_too(tmp_path) -> None:
    degrees = moved(tmp_path, "a.tif", Affine(1e-4, 0, -60, 0, -1e-4, 5), crs="EPSG:4326")
    assert [len(each) for each in Blocks.of(degrees, WINDOW, 700).borders] == [6, 4]
    turned = moved(tmp_path, "b.tif", Affine(METRES, 0, LEFT, 0, -METRES, TOP) @ Affine.rotation(20))
    assert Blocks.of(turned, WINDOW, 150 * METRES).borders[0] == (0, 150, 300)


def test_blocks_that_are_smaller_than_chips_are_refused(scene) -> None:
    with pytest.raises(UserError, match=r"Blocks of 30 m are smaller than a chip. Give larger --block-metres"):
        Blocks.of(scene, WINDOW, 30)
