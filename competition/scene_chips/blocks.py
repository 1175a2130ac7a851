"""Blocks of ground, which hold chips together: what lies in one is learned from, or held out, as a whole.

Neighbouring chips show the same river and the same haze, so that a score for a chip whose neighbour was learned from is
too good. Blocks are squares of one coordinate system, whatever the scenes have, and so at the same places in all of
them. A chip lies within one, unless the scene has no room for it there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import digest_json
from competition.common.text import short
from competition.gdal.imports import import_map
from competition.scenes.grid import Window
from competition.scenes.scene import Scene

EARTH = 6_378_137.0  # metres of a radian at the equator
WORLD = "EPSG:6933"  # of the whole Earth but its poles, equal in area, where scenes have several coordinate systems
MOVES = (
    4  # times that chips are moved into their blocks: the first reaches it, but for bent coordinates and whole pixels
)
RIM = 1.0  # pixels at each side of a chip that may lie in the next block, as borders cut pixels
CORNERS = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=float)

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Blocks:
    """The blocks of a scene.

    Attributes:
        scene: whose chips they hold.
        window: width and height of a chip in pixels.
        wkt: coordinate system of the blocks, of which they lie at whole multiples of their side.
        side: in its units.
    """

    scene: Scene
    window: tuple[int, int]
    wkt: str
    side: float

    @classmethod
    def of(cls, scene: Scene, window: tuple[int, int], metres: float, wkt: str) -> Blocks:
        """Return the blocks of a scene.

        Args:
            scene: whose chips they hold.
            window: width and height of a chip in pixels.
            metres: side of a block.
            wkt: its coordinate system, see `common_system`.

        Raises:
            UserError: if a block is smaller than a chip.
        """
        blocks = cls(scene, window, wkt, metres / _metres_of_unit(wkt))
        middle = Window(*((side - each) // 2 for side, each in zip(scene.size, window, strict=True)), *window)
        if (np.ptp(blocks.outlines([middle], rim=RIM)[0], axis=0) > blocks.side).any():
            raise UserError(f"Blocks of {metres:,.0f} m are smaller than a chip. Give larger --block-metres.")
        return blocks

    def place(self, points: Sequence[tuple[float, float]] | Points) -> list[tuple[Window, str]]:
        """Return the chips around pixels, moved into the blocks in which these lie, and the names of the blocks.

        Where the scene has no room for a chip within a block, it stands out of it.
        """
        pixels, size = np.array(points, dtype=float).reshape(-1, 2), np.array(self.window)
        most, move = np.array(self.scene.size) - size, _mover(self.scene, self.wkt)
        block = np.floor(move(pixels) / self.side)
        low, high = block * self.side, (block + 1) * self.side
        corner = np.clip(np.rint(pixels - size / 2), 0, most)
        for _ in range(MOVES):
            outline = move((corner[:, None] + CORNERS * size).reshape(-1, 2)).reshape(-1, 4, 2)
            off = np.maximum(low - outline.min(axis=1), 0) + np.minimum(high - outline.max(axis=1), 0)
            across, down = (outline[:, other] - outline[:, 0] for other in (1, 3))
            steps = np.linalg.solve(np.stack([across, down], axis=2), off[:, :, None])[:, :, 0] * size
            corner = np.clip(corner + np.trunc(steps.round(6)), 0, most)  # up to the pixel that the border cuts
        prefix = short(digest_json(self.wkt))
        names = [f"{prefix}_{column}_{row}" for column, row in block.astype(int).tolist()]
        corners = [Window(x, y, *self.window) for x, y in corner.astype(int).tolist()]
        return list(zip(corners, names, strict=True))

    def outlines(self, windows: Sequence[Window], rim: float = 0.0) -> Points:
        """Return the corners of chips (num_windows, 4, 2) in the blocks' coordinate system, without a rim of pixels."""
        boxes = np.array([(x, y, width, height) for x, y, width, height in windows], dtype=float)
        rims = np.minimum(rim, boxes[:, None, 2:] / 4)
        pixels = boxes[:, None, :2] + rims + CORNERS * (boxes[:, None, 2:] - 2 * rims)
        return _mover(self.scene, self.wkt)(pixels.reshape(-1, 2)).reshape(-1, 4, 2)


def common_system(scenes: Sequence[Scene]) -> str:
    """Return the coordinate system in which the blocks of scenes lie: theirs, or one of the whole Earth."""
    pyproj = import_map("pyproj")
    one, *others = (pyproj.CRS.from_wkt(wkt) for wkt in dict.fromkeys(scene.wkt for scene in scenes))
    alike = all(one.equals(other, ignore_axis_order=True) for other in others)
    return scenes[0].wkt if alike else str(pyproj.CRS.from_user_input(WORLD).to_wkt())


@lru_cache(64)
def _mover(scene: Scene, wkt: str) -> Callable[[Points], Points]:
    """Return what moves pixels of a scene (num_points, 2) into a coordinate system."""
    a, b, c, d, e, f = scene.transform
    linear = np.array([[a, d], [b, e]])
    if scene.wkt == wkt:
        return lambda pixels: pixels @ linear + (c, f)
    pyproj = import_map("pyproj")
    systems = (pyproj.CRS.from_wkt(each) for each in (scene.wkt, wkt))
    move = pyproj.Transformer.from_crs(*systems, always_xy=True).transform
    return lambda pixels: np.stack(move(*(pixels @ linear + (c, f)).T), axis=1)


def _metres_of_unit(wkt: str) -> float:
    system: Any = import_map("pyproj").CRS.from_wkt(wkt)
    unit = float(system.axis_info[0].unit_conversion_factor)
    return unit * EARTH if system.is_geographic else unit
