"""Windows and cells of a scene."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from competition.common.errors import UserError
from competition.scenes.grid import Grid, Window, mean_over_cells, window_of


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    sides, windows, steps = [], [], []
    for _ in range(2):
        steps.append(draw(st.integers(1, 6)))
        windows.append(draw(st.integers(steps[-1], 12)))
        sides.append(draw(st.integers(windows[-1], 40)))
    return Grid(sides[0], sides[1], (windows[0], windows[1]), (steps[0], steps[1]))


def in_full(grid: Grid, scores: np.ndarray) -> np.ndarray:
    """Return the mean over cells by its definition, pixel by pixel."""
    height, width, labels = grid.rows, grid.columns, scores.shape[2]
    total, area = np.zeros((height, width, labels)), np.zeros((height, width, labels))
    for row in range(grid.window_rows):
        for column, window in enumerate(grid.row_of_windows(row)):
            y, x = np.mgrid[window.y : window.y + window.height, window.x : window.x + window.width]
            cells = (y // grid.stride[1]).ravel(), (x // grid.stride[0]).ravel()
            np.add.at(total, cells, np.nan_to_num(scores[row, column]))
            np.add.at(area, cells, ~np.isnan(scores[row, column]))
    with np.errstate(invalid="ignore"):
        return np.where(area > 0, total / area, np.nan)


@settings(max_examples=50)
@given(grids())
def test_windows_cover_the_scene_and_lie_within_it(grid: Grid) -> None:
    for axis, side, window in (("x", grid.width, grid.window[0]), ("y", grid.height, grid.window[1])):
        starts = grid.starts(axis)
        assert (np.diff(starts) > 0).all()
        seen = np.zeros(side, dtype=bool)
        for start in starts:
            assert 0 <= start <= side - window
            seen[start : start + window] = True
        assert seen.all()
        assert (grid.weights(axis).sum(axis=1) == window).all()


@settings(max_examples=20)
@given(grids(), st.integers(0, 1000))
def test_cells_have_the_mean_of_their_windows_by_area(grid: Grid, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.random((grid.window_rows, grid.window_columns, 2)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.3] = np.nan
    made = np.stack(list(mean_over_cells(grid, iter(scores))))
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, in_full(grid, scores), rtol=1e-5)


def test_a_row_of_cells_comes_as_soon_as_it_is_final() -> None:
    grid = Grid(8, 40, (8, 8), (4, 4))
    taken = []

    def rows():
        for row in range(grid.window_rows):
            taken.append(row)
            yield np.ones((1, 1), np.float32)

    cells = mean_over_cells(grid, rows())
    next(cells)
    assert taken == [0]
    next(cells)
    assert taken == [0, 1]


def test_the_last_window_is_pulled_inside() -> None:
    grid = Grid(10, 9, (4, 4), (3, 2))
    assert grid.starts("x").tolist() == [0, 3, 6]
    assert grid.starts("y").tolist() == [0, 2, 4, 5]
    assert grid.row_of_windows(3)[1] == Window(3, 5, 4, 4)
    assert (grid.columns, grid.rows, grid.window_columns, grid.window_rows) == (4, 5, 3, 4)


def test_a_large_grid_takes_little_memory() -> None:
    weights = Grid(100_000, 100_000, (256, 256), (8, 8)).weights("x")
    assert weights.nnz < 34 * weights.shape[0]


def test_windows_have_the_ground_size_of_chips() -> None:
    assert Grid.over((1000, 800), (3.0, 3.0), 768, steps=2) == Grid(1000, 800, (256, 256), (128, 128))
    assert Grid.over((1000, 800), (2.0, 4.0), 768, steps=3) == Grid(1000, 800, (384, 192), (128, 64))
    with pytest.raises(UserError, match=r"smaller than a chip: it is 3,000 x 300 m, and a chip's side is 768 m"):
        window_of((1000, 100), (3.0, 3.0), 768)
    with pytest.raises(UserError, match="less than a pixel"):
        window_of((1000, 100), (3000.0, 3000.0), 768)
    with pytest.raises(UserError, match="cannot be divided into 5 steps"):
        Grid.over((1000, 1000), (200.0, 200.0), 768, steps=5)
    with pytest.raises(ValueError, match="do not fit"):
        Grid(10, 10, (4, 4), (5, 4))
