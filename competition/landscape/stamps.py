"""What a painter of chips paints, as a picture with transparency that can be laid anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from competition.landscape.plane import TILE, Points, Tile, stream
from competition.landscape.sites import Site
from competition.simulator.canvas import Floats
from competition.simulator.scene import Rng, Scene
from competition.simulator.scenery import PAINTERS

# Lies on the forest and is not seen where none stands.
IN_FOREST = ("blooming", "blow_down", "selective_logging")
KEPT = 1 << 27  # bytes of stamps that are kept: they are laid on several tiles, and outlined for the truth
BYTES = 5 * 4  # of a stamp's pixel


class _Chip(Scene):
    """A chip whose forest is where its site is."""

    def forest_place(self, rng: Rng) -> Points:
        """Return the site, as the forest around it is not known here."""
        return self.site


@dataclass(frozen=True, eq=False)
class Stamp:
    """A picture of a site.

    Attributes:
        left: pixels of the plane to the left of it.
        top: pixels of the plane above it.
        ink: colours times opacity, (size, size, 4).
        opacity: (size, size) in [0, 1].
    """

    left: int
    top: int
    ink: Floats
    opacity: Floats


class Stamps:
    """Stamps of the sites of a landscape.

    Args:
        seed: of the landscape.
        scale: pixels that a chip is wide.
    """

    def __init__(self, seed: int, scale: float) -> None:
        self.seed, self.scale = seed, scale
        size = round(scale)
        self.of = lru_cache(max(1, KEPT // (BYTES * size**2)))(self._of)
        across = np.abs((np.arange(size) + 0.5) / size * 2 - 1) ** 4
        # What a painter paints beyond the rim of a chip would end in a straight line.
        self._fade = np.clip(6 * (0.93 - across[:, None] - across), 0, 1).astype(np.float32)

    def _of(self, site: Site) -> Stamp:
        """Paint a site on black and on white: what differs is the ground that shines through."""
        size = round(self.scale)
        left, top = np.round(site.place * self.scale - size / 2).astype(int).tolist()
        near = np.abs(site.line - site.place).max(axis=1) < 1
        line = (site.line[near] * self.scale - (left, top)) / size
        on_black, on_white = (self._painted(site, line, base) for base in (0, 1))
        opacity = 1 - (on_white - on_black).mean(axis=-1)
        return Stamp(left, top, on_black * self._fade[..., None], opacity * self._fade)

    def _painted(self, site: Site, line: Points, base: float) -> Floats:
        size = round(self.scale)
        image, forest = np.full((size, size, 4), base, np.float32), np.ones((size, size), np.float32)
        rng = stream(self.seed, site.label, *site.key)
        angle, labels = rng.uniform(0, np.pi), frozenset((site.label, "primary"))
        chip = _Chip(image, forest, labels, angle, np.array((0.5, 0.5)), line, [line])
        PAINTERS[site.label](chip, rng)
        return image

    def lay(self, tile: Tile, site: Site) -> None:
        """Lay the stamp of a site onto a tile."""
        stamp = self.of(site)
        left, top = stamp.left - tile.column * TILE, stamp.top - tile.row * TILE
        size = len(stamp.opacity)
        rows, columns = slice(max(0, top), max(0, top + size)), slice(max(0, left), max(0, left + size))
        image, forest = tile.image[rows, columns], tile.forest[rows, columns]
        part = slice(rows.start - top, None), slice(columns.start - left, None)
        height, width = forest.shape
        ink, opacity = stamp.ink[part][:height, :width], stamp.opacity[part][:height, :width]
        if site.label in IN_FOREST:
            ink, opacity = ink * forest[..., None], opacity * forest
        image *= 1 - opacity[..., None]
        image += ink
        forest *= 1 - opacity
