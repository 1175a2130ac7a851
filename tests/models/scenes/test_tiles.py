"""Which windows are scored together."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from competition.scenes.grid import Grid
from models.scenes import tiles
from models.scenes.tiles import Tile, Tiling


@given(st.integers(20, 90), st.integers(20, 90), st.integers(3, 20), st.integers(1, 300), st.integers(1, 10**6))
def test_every_window_is_in_one_tile_and_one_strip(width: int, height: int, step: int, at_once: int, pixel: int):
    grid = Grid(width, height, (20, 20), (step, step))
    tiling = Tiling.of(grid, at_once, pixel)
    seen = np.zeros((grid.window_rows, grid.window_columns), dtype=int)
    for group in tiling.groups(range(grid.window_rows)):
        for tile in tiling.tiles(group):
            assert 0 < np.prod(tile.shape) <= at_once
            for strip in tiling.strips(tile):
                seen[np.ix_(strip.rows, strip.columns)] += 1
    assert (seen == 1).all()


def test_a_group_is_the_same_whichever_of_its_rows_is_left():
    tiling = Tiling(Grid(100, 100, (20, 20), (10, 10)), rows=4, columns=3, strip=2)
    assert tiling.groups(range(9)) == [range(0, 4), range(4, 8), range(8, 9)]
    assert tiling.groups([5]) == [range(4, 8)]
    assert tiling.groups([]) == []


def test_windows_of_a_tile_come_row_by_row():
    grid = Grid(100, 45, (20, 20), (10, 10))
    windows = Tile(range(2, 4), range(1, 3)).windows(grid)
    assert [(window.x, window.y) for window in windows] == [(10, 20), (20, 20), (10, 25), (20, 25)]


def test_what_a_thread_reads_is_bounded():
    grid = Grid(100_000, 100_000, (256, 256), (128, 128))
    tiling = Tiling.of(grid, 512, 8)
    for strip in tiling.strips(tiling.tiles(range(tiling.rows))[0]):
        windows = strip.windows(grid)
        width = windows[-1].x + windows[-1].width - windows[0].x
        height = windows[-1].y + windows[-1].height - windows[0].y
        assert width * height * 8 <= tiles.STRIP
    assert tiling.strip > 1
    large = Tiling.of(Grid(100_000, 100_000, (4096, 4096), (2048, 2048)), 512, 8)
    assert (large.rows, large.strip) == (1, 1)
