"""The plane that a landscape lies on: random numbers by place, slow changes, and textures without seams.

Places and lengths are in chip widths, x to the right and y down, so that the painters of chips draw here too. Nothing
knows how large the scene is: what lies at a place depends on the place and the seed alone.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.simulator.canvas import Floats, noise
from competition.simulator.scene import Ground, Rng

Points = NDArray[np.float64]
Box = tuple[float, float, float, float]

TILE = 512  # pixels of a side of what is drawn at once; textures hang on its corners, so it is part of the picture
MESH = 16  # pixels between places where what changes slowly is computed


def stream(seed: int, what: str, *place: int) -> Rng:
    """Return the random numbers of one thing at one place, which nothing else shares."""
    # Seeds are not negative, places are.
    return np.random.default_rng((seed, zlib.crc32(what.encode()), *(2 * k if k >= 0 else -2 * k - 1 for k in place)))


class Line:
    """Something that lies along points (num_points, 2)."""

    points: Points

    @cached_property
    def bounds(self) -> tuple[float, ...]:
        """Its left, upper, right and lower end."""
        return (*self.points.min(axis=0).tolist(), *self.points.max(axis=0).tolist())

    def meets(self, box: Box, margin: float = 0.0) -> bool:
        """Return whether the rectangle around it, with a margin, meets a box."""
        left, top, right, bottom = self.bounds
        return left - margin < box[2] and right + margin > box[0] and top - margin < box[3] and bottom + margin > box[1]


class Waves:
    """A value that changes slowly along a line or over the plane, mean 0 and standard deviation 1: a sum of sines.

    Args:
        rng: source of lengths, directions and phases.
        shortest: length of the shortest wave.
        longest: length of the longest.
        plane: waves run in all directions, and not along the line only.
    """

    def __init__(self, rng: Rng, shortest: float, longest: float, *, plane: bool = False) -> None:
        count = 9
        frequency = 2 * np.pi / np.exp(rng.uniform(np.log(shortest), np.log(longest), count))
        angle = rng.uniform(0, 2 * np.pi, count) * plane
        self._waves = np.stack((frequency * np.cos(angle), frequency * np.sin(angle), rng.uniform(0, 2 * np.pi, count)))

    def __call__(self, x: ArrayLike, y: ArrayLike = 0.0) -> NDArray[np.float64]:
        """Return the values at places, broadcast against each other."""
        right, down, phase = self._waves
        x, y = np.asarray(x, float)[..., None], np.asarray(y, float)[..., None]
        return np.asarray(np.sin(right * x + down * y + phase).sum(axis=-1) * np.sqrt(2 / len(phase)))


def _corner_weights() -> Floats:
    """Return how much the texture of each corner counts in a tile, (2, 2, TILE, TILE); squares add up to 1.

    So the mix is as rough everywhere as the textures are.
    """
    turn = np.pi / 2 * (np.arange(TILE) + 0.5) / TILE
    ramps = np.stack((np.cos(turn), np.sin(turn))).astype(np.float32)
    return ramps[:, None, :, None] * ramps[None, :, None, :]


_CORNERS = _corner_weights()
_SHARES = ((np.arange(MESH) + 0.5) / MESH).astype(np.float32)


@lru_cache(maxsize=4)
def _spread_of_slopes(size: int, step: int) -> float:
    """Return the standard deviation of slopes, the same for all tiles."""
    hills = noise("fractal", TILE, np.random.default_rng(0), size)
    return float((hills - np.roll(hills, (step, step), axis=(0, 1))).std())


@dataclass
class Square:
    """A square of the plane, `TILE` pixels wide.

    Attributes:
        seed: of the landscape.
        column: squares to the left of it; negative where the landscape goes on beyond the scene.
        row: squares above it.
        scale: pixels that a chip is wide.
    """

    seed: int
    column: int
    row: int
    scale: float

    @property
    def size(self) -> int:
        """Pixels that a chip is wide."""
        return round(self.scale)

    @property
    def box(self) -> Box:
        """Its left, upper, right and lower rim."""
        return box_of(self.column * TILE, self.row * TILE, TILE, TILE, self.scale)

    def noise(self, kind: str, rng: Rng) -> Floats:
        """Return its part of a texture that spans the plane; all squares must ask with `rng` in the same state."""
        return self._texture(kind, int(rng.integers(2**31)))

    def hills(self, rng: Rng) -> tuple[Floats, Floats, float]:
        """Return hills, as a texture, how steeply they rise towards the light, and the standard deviation of that."""
        salt, step = int(rng.integers(2**31)), max(1, self.size // 64)
        hills = self._texture("fractal", salt)
        return hills, hills - self._texture("fractal", salt, shift=step), _spread_of_slopes(self.size, step)

    def _texture(self, kind: str, salt: int, shift: int = 0) -> Floats:
        """Mix the textures that hang on the four corners; each square at a corner shows its part of the same one."""
        total, part = np.zeros((TILE, TILE), np.float32), np.empty((TILE, TILE), np.float32)
        for down, right in product((0, 1), repeat=2):
            rng = stream(self.seed, kind, salt, self.column + right, self.row + down)
            field = noise(kind, TILE, rng, self.size)
            field = np.roll(field, (shift, shift), axis=(0, 1)) if shift else field
            total += np.multiply(_CORNERS[down, right], field, out=part)
        return total

    def mesh(self) -> tuple[Points, Points]:
        """Return the places x (1, n) and y (n, 1) of the mesh on which slow changes are computed."""
        steps = np.arange(0, TILE + 1, MESH)
        return ((self.column * TILE + steps) / self.scale)[None, :], ((self.row * TILE + steps) / self.scale)[:, None]

    def spread(self, values: NDArray[np.floating]) -> Floats:
        """Return values of the mesh (n, n) at each pixel (TILE, TILE)."""
        mesh = values.astype(np.float32)
        wide = (mesh[:, :-1, None] + np.diff(mesh, axis=1)[..., None] * _SHARES).reshape(len(mesh), TILE)
        return (wide[:-1, None] + np.diff(wide, axis=0)[:, None] * _SHARES[:, None]).reshape(TILE, TILE)

    def on_sheet(self, points: Points) -> Points:
        """Return places as a `Layer` of the square takes them, which spans 0 to 1."""
        return (points * self.scale - (self.column * TILE, self.row * TILE)) / TILE


@dataclass
class Tile(Square, Ground):
    """A square of the landscape in the making."""

    @classmethod
    def blank(cls, seed: int, column: int, row: int, scale: float) -> Tile:
        """Return a tile with nothing on it."""
        image, forest = np.zeros((TILE, TILE, 4), np.float32), np.ones((TILE, TILE), np.float32)
        return cls(image=image, forest=forest, seed=seed, column=column, row=row, scale=scale)


def box_of(left: int, top: int, width: int, height: int, scale: float) -> Box:
    """Return the rims of a window that is given in pixels."""
    return left / scale, top / scale, (left + width) / scale, (top + height) / scale
