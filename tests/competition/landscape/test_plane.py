"""The plane: chance by place, slow changes, and textures that go on from square to square."""

from __future__ import annotations

import numpy as np
import pytest

from competition.landscape.plane import MESH, TILE, Square, Tile, Waves, stream

SCALE = 64.0


def noise_of(column: int, row: int, kind: str = "mottle", seed: int = 1) -> np.ndarray:
    return Square(seed, column, row, SCALE).noise(kind, np.random.default_rng(5))


def test_chance_belongs_to_one_thing_at_one_place():
    draws = {
        (what, *place): stream(seed, what, *place).random()
        for seed, what, *place in ((0, "a", 1), (1, "a", 1, 0), (0, "b", 1), (0, "a", -1), (0, "a", 2), (0, "a", 1, 2))
    }
    assert len(set(draws.values())) == len(draws)
    assert stream(0, "a", -3, 4).random() == stream(0, "a", -3, 4).random()


def test_waves_are_slow_and_of_unit_size():
    x = np.arange(0, 4000, 0.5)
    for plane in (False, True):
        values = Waves(np.random.default_rng(2), 5, 50, plane=plane)(x, 0.3 * x)
        assert abs(values.mean()) < 0.1
        assert values.std() == pytest.approx(1, abs=0.1)
        assert np.abs(np.diff(values)).max() < 1.5


@pytest.mark.parametrize("kind", ["canopy", "fractal"])
def test_textures_have_no_seams(kind):
    left, right, below = noise_of(-1, 2, kind), noise_of(0, 2, kind), noise_of(-1, 3, kind)
    usual = np.abs(np.diff(left, axis=1)).mean()
    assert np.abs(right[:, 0] - left[:, -1]).mean() < 1.15 * usual
    assert np.abs(below[0] - left[-1]).mean() < 1.15 * usual


def test_textures_are_as_rough_everywhere_and_hardly_repeat():
    first, second = (noise_of(column, 0, "canopy") for column in (0, 1))
    middle, corner = first[192:320, 192:320], first[:128, :128]
    assert middle.std() == pytest.approx(corner.std(), rel=0.15)
    # Neighbours share two corners of four.
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.4
    assert abs(np.corrcoef(first.ravel(), noise_of(2, 0, "canopy").ravel())[0, 1]) < 0.1


def test_slow_changes_go_on_from_square_to_square():
    field = Waves(np.random.default_rng(0), 2, 9, plane=True)
    squares = [Square(0, column, 0, SCALE) for column in (0, 1)]
    left, right = (square.spread(field(*square.mesh())) for square in squares)
    assert left.shape == (TILE, TILE)
    assert np.abs(right[:, 0] - left[:, -1]).max() < 3 * np.abs(np.diff(left, axis=1)).max()
    x, y = squares[0].mesh()
    assert left[MESH // 2, MESH // 2] == pytest.approx(float(field(x, y)[:2, :2].mean()), abs=0.05)


def test_hills_rise_by_what_is_said():
    _, slope, spread = Tile.blank(0, 3, -2, SCALE).hills(np.random.default_rng(0))
    assert slope.std() == pytest.approx(spread, rel=0.3)
