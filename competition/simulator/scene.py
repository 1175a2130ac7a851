"""A chip in the making: the ground that painters draw on, and where things lie on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from competition.simulator.canvas import Colour, Floats, blend, noise

Rng = np.random.Generator

_ALONG = np.linspace(-1, 1, 40)


@dataclass
class Ground:
    """Ground in the making: a chip, or a part of a landscape.

    Attributes:
        image: float32 (height, width, 4), the picture so far.
        forest: float32 (height, width) in [0, 1], where the forest still stands.
    """

    image: Floats
    forest: Floats

    @property
    def size(self) -> int:
        """Pixels that a chip is wide."""
        return len(self.image)

    def noise(self, kind: str, rng: Rng) -> Floats:
        """Return a texture of the picture's size; see `canvas.noise`."""
        return noise(kind, self.size, rng)

    def hills(self, rng: Rng) -> tuple[Floats, Floats, float]:
        """Return hills, as a texture, how steeply they rise towards the light, and the standard deviation of that."""
        hills, step = self.noise("fractal", rng), max(1, self.size // 64)
        slope = hills - np.roll(hills, (step, step), axis=(0, 1))
        return hills, slope, slope.std()

    def cover(self, coverage: Floats, colour: Colour | Floats) -> None:
        """Blend `colour` in and take the forest away under it."""
        blend(self.image, coverage, colour)
        self.forest *= 1 - coverage


@dataclass
class Scene(Ground):
    """A chip in the making.

    Attributes:
        labels: names of the labels of the chip.
        angle: direction of roads, fields and houses, in radians.
        site: where people settle, (x, y); roads pass here.
        river: points (num_points, 2) along the river, or along its valley where there is no water.
        roads: points (num_points, 2) along each road.
    """

    labels: frozenset[str]
    angle: float
    site: NDArray[np.float64]
    river: NDArray[np.float64]
    roads: list[NDArray[np.float64]]

    def forest_place(self, rng: Rng) -> NDArray[np.float64]:
        """Return a place (x, y) away from the rim where forest stands, if any does."""
        places = rng.uniform(0.2, 0.8, (12, 2))
        column, row = (places * self.size).astype(int).T
        return places[int(np.argmax(self.forest[row, column]))]


def path(through: Colour, angle: float, bends: float, rng: Rng, reach: float = 1.5) -> NDArray[np.float64]:
    """Return points (40, 2) of a winding line across the chip."""
    along = reach * _ALONG
    waves, phases = rng.uniform((2, 5, 9), (5, 9, 16)), rng.uniform(0, 2 * np.pi, 3)
    shape = np.sin(along[:, None] * waves + phases) - np.sin(phases)
    aside = bends * shape @ np.array((1.0, 0.5, 0.25))
    cos, sin = np.cos(angle), np.sin(angle)
    return np.asarray(through) + np.stack((cos * along - sin * aside, sin * along + cos * aside), axis=1)


def pick(colours: Sequence[Colour], rng: Rng, spread: float = 0.07) -> NDArray[np.float64]:
    """Return one of `colours`, a little brighter or darker and off its hue."""
    return np.asarray(colours[int(rng.integers(len(colours)))]) * rng.normal(1, spread) * rng.normal(1, spread / 3, 4)


def shade(texture: Floats, strength: float) -> Floats:
    """Return a texture as light that varies around 1."""
    return 1 + np.float32(strength) * texture
