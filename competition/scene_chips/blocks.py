"""Blocks of ground, which hold chips together: what lies in one is learned from, or held out, as a whole.

Neighbouring chips show the same river and the same haze, so that a score for a chip whose neighbour was learned from is
too good. No chip crosses the border of a block. Blocks lie at whole multiples of their side in the scene's coordinate
system, and so at the same places in two scenes of one ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.common.text import short
from competition.scenes.grid import Window
from competition.scenes.scene import Scene

METRES_OF_DEGREE = 111_320.0  # at the equator


@dataclass(frozen=True)
class Blocks:
    """The blocks of a scene.

    Attributes:
        prefix: of their names: of the coordinate system, or of the scene where it has none.
        borders: of columns and rows of blocks, in pixels, from the scene's beginning to its end.
        firsts: numbers of the first column and row.
        rises: whether coordinates rise with columns and rows; blocks are numbered by coordinates.
    """

    prefix: str
    borders: tuple[tuple[int, ...], tuple[int, ...]]
    firsts: tuple[int, int]
    rises: tuple[bool, bool] = (True, True)

    @classmethod
    def of(cls, scene: Scene, window: tuple[int, int], side: float) -> Blocks:
        """Return the blocks of a scene.

        Args:
            scene: whose chips they hold.
            window: width and height of a chip in pixels; no block is smaller.
            side: of a block, in metres of ground.

        Raises:
            UserError: if a block is smaller than a chip.
        """
        a, b, c, d, e, f = scene.transform
        steps = tuple(side / each for each in scene.metres)
        offsets, rises = (0.0, 0.0), (True, True)
        if scene.wkt and b == d == 0:
            unit = METRES_OF_DEGREE if _is_in_degrees(scene) else 1.0
            steps = abs(side / unit / a), abs(side / unit / e)
            offsets, rises = (c / a, f / e), (a > 0, e > 0)  # pixels from the coordinates' origin to the scene's
        if min(step - least for step, least in zip(steps, window, strict=True)) < 0:
            raise UserError(f"Blocks of {side:,.0f} m are smaller than a chip. Give larger --block-metres.")
        prefix = short(digest_json(scene.wkt)) if scene.wkt else scene.name
        sides = [
            _borders(size, step, offset, least)
            for size, step, offset, least in zip(scene.size, steps, offsets, window, strict=True)
        ]
        return cls(prefix, (sides[0][0], sides[1][0]), (sides[0][1], sides[1][1]), rises)

    def place(self, x: float, y: float, window: tuple[int, int]) -> tuple[Window, str]:
        """Return the chip around a pixel, moved into the block in which that lies, and the block's name."""
        corner, names = [], []
        for axis, value in enumerate((x, y)):
            borders, size = self.borders[axis], window[axis]
            block = int(np.clip(np.searchsorted(borders, value, side="right") - 1, 0, len(borders) - 2))
            corner.append(int(np.clip(round(value - size / 2), borders[block], borders[block + 1] - size)))
            number = self.firsts[axis] + block
            names.append(number if self.rises[axis] else -number - 1)
        return Window(corner[0], corner[1], *window), f"{self.prefix}_{names[0]}_{names[1]}"


def _borders(size: int, step: float, offset: float, least: int) -> tuple[tuple[int, ...], int]:
    """Return the borders of blocks along an axis, and the number of the first; narrow ones at its ends are joined."""
    number = int(np.floor(offset / step))
    places = np.rint(np.arange(number, np.ceil((offset + size) / step) + 1) * step - offset).astype(int)
    borders = sorted({0, size, *(int(place) for place in places if 0 < place < size)})
    while len(borders) > 2 and borders[1] - borders[0] < least:
        del borders[1]
        number += 1
    while len(borders) > 2 and borders[-1] - borders[-2] < least:
        del borders[-2]
    return tuple(borders), number


def _is_in_degrees(scene: Scene) -> bool:
    return scene.wkt.startswith(("GEOG", "BASEGEOG"))
