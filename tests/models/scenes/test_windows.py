"""Windows are read in order, whoever reads them."""

import sys

import numpy as np
import pytest

from models.scenes.cutting import Asked, Cutting
from models.scenes.tiles import Tiling
from models.scenes.windows import Windows
from tests.competition.scenes.samples import write_scene
from tests.models.scenes.samples import landscape, scene_in, stand_in


def windows_of(path, tiling=(3, 4, 2), threads=None, **asked):
    predictor, asked = stand_in(), Asked(str(path), **asked)
    scene = asked.scene(predictor)
    cutting = Cutting.of(asked, scene, predictor)
    return Windows(scene, cutting, Tiling(cutting.grid, *tiling), threads)


def all_of(windows):
    grid = windows.cutting.grid
    return list(windows.read(windows.tiling.groups(range(grid.window_rows))))


@pytest.mark.parametrize("threads", [1, 5])
def test_chips_come_row_by_row_however_many_threads_read(tmp_path, threads):
    values = landscape(150, 210)
    values[:, 40:90, 30:100] = 0
    windows = windows_of(write_scene(tmp_path / "s.tif", values, names=tuple("BGRN"), nodata=0), threads=threads)
    read = 0
    for tile, shows, chips in all_of(windows):
        one_by_one = [windows.cutting.chips(windows.scene, [each]) for each in tile.windows(windows.cutting.grid)]
        np.testing.assert_array_equal(shows.ravel(), [has[0] for has, _ in one_by_one])
        expected = [chip for _, cut in one_by_one for chip in cut]
        assert (chips is None) == (not expected)
        if expected:
            np.testing.assert_array_equal(chips, np.stack(expected))
        read += len(expected)
    assert 0 < read < windows.cutting.grid.window_rows * windows.cutting.grid.window_columns


def test_no_more_is_read_ahead_than_is_used_and_turns_are_as_long_as_before_then(tmp_path, monkeypatch):
    windows = windows_of(scene_in(tmp_path), (1, 2, 2), threads=8)
    read = []
    chips = Cutting.chips
    monkeypatch.setattr(Cutting, "chips", lambda self, *given: read.append(1) or chips(self, *given))
    tiles, before = windows.read(windows.tiling.groups(range(8))), sys.getswitchinterval()
    next(tiles)
    assert sys.getswitchinterval() < before
    tiles.close()
    assert sys.getswitchinterval() == before
    assert 1 <= len(read) <= 3


def test_a_sample_has_data_and_is_the_same_each_time(tmp_path):
    windows = windows_of(scene_in(tmp_path))
    np.testing.assert_array_equal(windows.sample(), windows.sample())
    assert windows.sample().shape == (4, 16, 16, 3)
    empty = windows_of(write_scene(tmp_path / "e.tif", 0 * landscape(64, 96), names=tuple("BGRN"), nodata=0))
    assert empty.sample() is None
    assert all(chips is None for _, _, chips in all_of(empty))
