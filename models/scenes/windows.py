"""The windows of a scene as chips, read by several threads ahead of who scores them."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import cpu_count
from numpy.typing import NDArray

from competition.scenes.scene import Scene
from models.scenes.cutting import Cutting
from models.scenes.tiles import Tile, Tiling

# Seconds for which a thread of Python runs before others may. In Python's own 5 ms OpenVINO is done with what it has
# and waits for the thread that feeds it: measured with MobileNetV2 at 64 px on two cores, 590 windows a second become
# 820, and two threads read 1,630 instead of 950.
TURN = 0.0005
AHEAD = 2  # tiles that are read while one is scored
REMOTE = 16  # threads that read from an address, which answers each after a while
SAMPLED, TRIED = 4, 64  # chips of a sample, and windows that are looked at for them

Read = tuple[NDArray[np.bool_], list[NDArray[Any]]]


@dataclass(frozen=True)
class Windows:
    """The windows of a scene.

    Attributes:
        scene: that they lie in.
        cutting: how they become chips.
        tiling: which are scored together.
        threads: that read; None: as many as there are cores, more from elsewhere.
    """

    scene: Scene
    cutting: Cutting
    tiling: Tiling
    threads: int | None = None

    def read(self, groups: Iterable[range]) -> Iterator[tuple[Tile, NDArray[np.bool_], NDArray[Any] | None]]:
        """Yield the tiles of groups of rows in order; while one is used, the next ones are read.

        Yields:
            A tile; bool array of its shape, which windows have data enough; and the chips of these, row by row, None
            where there are none.

        Raises:
            UserError: if the scene is damaged or gone.
        """
        pool = ThreadPoolExecutor(self.threads or (REMOTE if self.scene.source.is_remote else cpu_count()))
        with ExitStack() as ending:
            ending.callback(sys.setswitchinterval, sys.getswitchinterval())
            sys.setswitchinterval(TURN)
            # Of what was to be read, where somebody else stops before the end.
            ending.callback(pool.shutdown, cancel_futures=True)
            reading: deque[tuple[Tile, list[tuple[Tile, Future[Read]]]]] = deque()
            for tile in (tile for group in groups for tile in self.tiling.tiles(group)):
                strips = self.tiling.strips(tile)
                reading.append((tile, [(strip, pool.submit(self._strip, strip)) for strip in strips]))
                if len(reading) > AHEAD:
                    yield _joined(*reading.popleft())
            while reading:
                yield _joined(*reading.popleft())

    def sample(self) -> NDArray[Any] | None:
        """Return a few chips, the first with data of windows at random, the same each time; None if none has any."""
        chips: list[NDArray[Any]] = []
        for window in self.scene.sample(self.cutting.grid.window, TRIED):
            chips += self.cutting.chips(self.scene, [window])[1]
            if len(chips) == SAMPLED:
                break
        return np.stack(chips) if chips else None

    def _strip(self, strip: Tile) -> Read:
        return self.cutting.chips(self.scene, strip.windows(self.cutting.grid))


def _joined(
    tile: Tile, reading: list[tuple[Tile, Future[Read]]]
) -> tuple[Tile, NDArray[np.bool_], NDArray[Any] | None]:
    """Return what was read of a tile, strip by strip, with its chips row by row."""
    shows, places, chips = np.zeros(tile.shape, dtype=bool), list[NDArray[np.int64]](), list[NDArray[Any]]()
    numbers = np.arange(shows.size).reshape(tile.shape)
    for strip, future in reading:
        of_strip, cut = future.result()
        columns = slice(strip.columns.start - tile.columns.start, strip.columns.stop - tile.columns.start)
        shows[:, columns] = of_strip.reshape(strip.shape)
        places.append(numbers[:, columns][shows[:, columns]])
        chips += cut
    if not chips:
        return tile, shows, None
    order = np.argsort(np.concatenate(places))
    return tile, shows, np.stack([chips[place] for place in order])
