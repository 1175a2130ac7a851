"""Chips of two groups share no ground, from whichever scenes they are."""

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from rasterio import Affine

from competition.scene_chips.blocks import RIM
from competition.scene_chips.groups import keep_together
from competition.scene_chips.places import Place
from competition.scenes.scene import Scene
from tests.competition.scene_chips.test_blocks import blocks_of, moved
from tests.competition.scenes.samples import LEFT, METRES, NORTH_UP, TOP, UTM


@pytest.fixture
def scene(tmp_path) -> Scene:
    return moved(tmp_path / "a.tif", NORTH_UP)


@pytest.mark.parametrize("seed", range(3))
def test_chips_of_two_groups_share_no_ground_whatever_the_scenes(tmp_path, scene, seed) -> None:
    rng = np.random.default_rng(seed)
    zone = Transformer.from_crs(UTM, "EPSG:32722", always_xy=True)
    west, north = zone.transform(LEFT, TOP)
    degree = METRES / 111_320
    corner = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(LEFT, TOP)
    others = (
        [moved(tmp_path / "b.tif", NORTH_UP @ Affine.translation(*rng.uniform(-90, 90, 2)) @ Affine.rotation(20))],
        [moved(tmp_path / "b.tif", Affine(METRES, 0, west, 0, -METRES, north), crs="EPSG:32722")],
        [moved(tmp_path / "b.tif", Affine(degree, 0, corner[0], 0, -degree, corner[1]), crs="EPSG:4326")],
    )[seed]
    blocks = blocks_of(scene, *others, side=300)
    places = [
        Place(each.scene, window, (), name)
        for each in blocks
        for window, name in each.place(rng.uniform(0, each.scene.size, (150, 2)))
    ]
    kept = keep_together(places, blocks)
    outlines = {each.scene: each for each in blocks}
    shapes = [shapely.Polygon(outlines[place.scene].outlines([place.window], RIM)[0]) for place in kept]
    groups = [place.group for place in kept]
    one, other = shapely.STRtree(shapes).query(shapes, predicate="overlaps")
    assert len(one) > 300
    assert all(groups[i] == groups[j] for i, j in zip(one.tolist(), other.tolist(), strict=True))
    assert 5 <= len(set(groups)) <= len({place.group for place in places})


def test_chips_that_stand_out_of_a_narrow_block_join_the_one_beside(scene, tmp_path) -> None:
    strip = moved(tmp_path / "b.tif", NORTH_UP, size=(300, 30))  # of which 5 rows lie in the next blocks
    (blocks,) = blocks_of(strip, side=150)
    places = [Place(strip, window, (), name) for window, name in blocks.place([(50, 5), (50, 27), (250, 5)])]
    groups = [place.group for place in keep_together(places, [blocks])]
    assert groups[0] == groups[1] != groups[2]
    assert keep_together([], []) == []
