"""Light, haze and clouds over a landscape: another sky on each date."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from competition.landscape.plane import TILE, Points, Square, Tile, Waves, stream
from competition.simulator.canvas import Floats
from competition.simulator.render import cover_haze, lay_clouds, tone

KEPT = 32  # tiles of 2 MB whose clouds are remembered for the shadows that they throw: a sheet's three rows
CUMULUS = 0.25  # how deep scattered clouds get; banks reach 1, and cover everything from .6 on
STEEP = 2  # how much faster banks get deep from their rim on, so that half of one hides the ground


@dataclass(frozen=True)
class Kind:
    """A kind of weather: how far its patches lie apart, how many of these places have one, and its half axes."""

    name: str
    apart: float
    chance: float
    longest: tuple[float, float]
    shortest: tuple[float, float]


BANKS = Kind("bank", 13, 0.8, (3.2, 4.6), (1.9, 2.7))
SCATTERED = Kind("scattered", 9, 0.6, (1.5, 3.2), (1.2, 2.4))
VEILS = Kind("veil", 10, 0.7, (2.0, 3.4), (1.3, 2.4))


class Sky:
    """The sky over a landscape on one date.

    Args:
        seed: of the landscape.
        scale: pixels that a chip is wide.
        later: the later of the two dates.
    """

    def __init__(self, seed: int, scale: float, *, later: bool = False) -> None:
        self.seed, self.scale, self.date = seed, scale, int(later)
        rng = stream(seed, "sun", self.date)
        # Clouds are so high, and the sun stands so, that every shadow falls as far to the same side.
        self._fall = tuple((rng.uniform(0.06, 0.14, 2) * rng.choice((-1, 1), 2) * scale).astype(int).tolist())
        self._edge = Waves(rng, 0.7, 3, plane=True)
        self._clouds = lru_cache(KEPT)(self._clouds_of)

    def cover(self, tile: Tile) -> tuple[Floats, Floats]:
        """Put light and weather onto a tile in place; return how opaque its clouds, and how thick its haze is."""
        tone(tile, self._stream("light"))
        haze = self._haze(tile)
        if haze.any():
            cover_haze(tile, self._stream("haze"), haze)
        rise, cloud = self._clouds(tile.column, tile.row) or (None, np.zeros_like(haze))
        shadow = self._shadow(tile.column, tile.row)
        if rise is not None or shadow.any():
            lay_clouds(tile.image, cloud if rise is None else rise, cloud, shadow)
        return cloud, haze

    def _stream(self, what: str) -> np.random.Generator:
        return stream(self.seed, what, self.date)

    def _depth(self, kind: Kind, x: Points, y: Points) -> Points:
        """Return how deep places lie within the patches of a kind: 1 in the middle, 0 on the rim, negative outside."""
        depth = np.full(np.broadcast_shapes(x.shape, y.shape), -1.0)
        for column, row in product(*(_steps(axis, kind.apart) for axis in (x, y))):
            rng = stream(self.seed, kind.name, self.date, column, row)
            middle = (np.array((column, row)) + rng.uniform(0.2, 0.8, 2)) * kind.apart
            angle, there = rng.uniform(0, np.pi), rng.random() < kind.chance
            long, short = rng.uniform(*kind.longest), rng.uniform(*kind.shortest)
            if there:
                right, down, cos, sin = x - middle[0], y - middle[1], np.cos(angle), np.sin(angle)
                radius = np.hypot((right * cos + down * sin) / long, (down * cos - right * sin) / short)
                depth = np.maximum(depth, 1 - radius)
        return depth

    def _haze(self, tile: Tile) -> Floats:
        """Return how thick the haze is at each pixel, in [0, 1]."""
        x, y = tile.mesh()
        depth = self._depth(VEILS, x, y) + 0.12 * self._edge(x + 50, y)
        return tile.spread(np.clip(3 * depth, 0, 1))

    def _clouds_of(self, column: int, row: int) -> tuple[Floats, Floats] | None:
        """Return how far a tile's billows rise above where cloud begins, and how opaque they are; None if clear."""
        square = Square(self.seed, column, row, self.scale)
        x, y = square.mesh()
        edge = 0.16 * self._edge(x, y)
        bank = np.minimum(STEEP * self._depth(BANKS, x, y), 1)
        depth = np.maximum(bank, np.minimum(self._depth(SCATTERED, x, y), CUMULUS)) + edge
        if depth.max() < -0.2:
            return None
        rng = self._stream("clouds")
        billows = square.noise("fractal", rng) + 0.1 * square.noise("patch", rng) + 0.05 * square.noise("mottle", rng)
        rise = billows - square.spread(2.2 - 6.5 * depth)
        cloud = np.clip(1.7 * rise, 0, 1)
        if not cloud.any():
            return None
        # Deep in a bank it is the billows that show, and no longer how deep it is.
        return np.minimum(rise, 1.3 + 0.7 * billows), cloud

    def _shadow(self, column: int, row: int) -> Floats:
        """Return how opaque the clouds are that stand between the sun and each pixel of a tile."""
        shadow = np.zeros((TILE, TILE), np.float32)
        down, right = self._fall
        top, left = row * TILE - down, column * TILE - right
        for other_row, other_column in product((top // TILE, top // TILE + 1), (left // TILE, left // TILE + 1)):
            if clouds := self._clouds(other_column, other_row):
                to, of = zip(_overlap(other_row * TILE - top), _overlap(other_column * TILE - left), strict=True)
                shadow[to] = clouds[1][of]
        return shadow


def _steps(axis: Points, apart: float) -> range:
    """Return which squares of a width, and their neighbours, lie along an axis."""
    return range(math.floor(axis.min() / apart) - 1, math.floor(axis.max() / apart) + 2)


def _overlap(start: int) -> tuple[slice, slice]:
    """Return which part of a tile one covers that starts so many pixels after it, and with which part of its own."""
    return slice(max(0, start), min(TILE, start + TILE)), slice(max(0, -start), min(TILE, TILE - start))
