"""Roads: highways across the rivers, side roads into the forest as the bones of a fish, and roads to the villages.

All lie in the frame of the rivers: highways run across the flow, side roads with it, away from the highway, and roads
to villages follow the river at a distance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike

from competition.landscape.plane import Box, Line, Points, Waves, stream
from competition.landscape.rivers import Floats64, Rivers

BETWEEN_HIGHWAYS = 10.0
BETWEEN_SIDE_ROADS = 1.7
BETWEEN_VILLAGES = 3.6  # along a river
STEP = 0.075  # between points, as far apart as those of a chip's roads
LONGEST = 4.4  # side road
WIDE, MIDDLE, NARROW = 0.0085, 0.006, 0.0045  # half the width of a highway, a road to a village, a side road


@dataclass(frozen=True, eq=False)
class Road(Line):
    """A road, or a piece of it.

    Attributes:
        key: which one it is; its first number says of which kind.
        points: (num_points, 2), away from where it begins.
        half: half its width.
        old: how many of the points it had at the earlier date.
    """

    key: tuple[int, ...]
    points: Points
    half: float
    old: int

    def at(self, later: bool) -> Points:
        """Return its points at a date."""
        return self.points if later else self.points[: self.old]


HIGHWAY, SIDE, VILLAGE = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Village:
    """A village on a river: its place, and the road to the nearest highway."""

    key: tuple[int, ...]
    place: Points
    road: Road


class Roads:
    """All roads of a landscape.

    Args:
        rivers: of the landscape.
    """

    def __init__(self, rivers: Rivers) -> None:
        self.rivers, self.seed = rivers, rivers.seed
        self._settled = Waves(stream(self.seed, "settled"), 9, 45, plane=True)
        self.side_road = lru_cache(1024)(self._side_road)
        self.village = lru_cache(512)(self._village)
        self._highway = lru_cache(64)(self._make_highway)
        self.crossing = lru_cache(512)(self._crossing)

    def settled(self, place: Points) -> float:
        """Return how settled the land is at a place (x, y), in (0, 1)."""
        return float(1 / (1 + np.exp(-1.3 - 1.1 * self._settled(*place))))

    def _make_highway(self, m: int) -> tuple[float, Waves, float]:
        rng = stream(self.seed, "highway", m)
        return BETWEEN_HIGHWAYS * (m + rng.uniform(0.35, 0.65)), Waves(rng, 12, 40), rng.uniform(0.3, 0.7)

    def highway_at(self, m: int, c: ArrayLike) -> Floats64:
        """Return the t of highway `m` at `c`, in the frame of the rivers."""
        middle, bends, strength = self._highway(m)
        return middle + strength * bends(c)

    def _crossing(self, m: int, n: int) -> tuple[float, float]:
        """Return t and c where highway `m` crosses the course of river `n`."""
        t = BETWEEN_HIGHWAYS * (m + 0.5)
        for _ in range(8):
            c = float(self.rivers.course(n, t))
            t = float(self.highway_at(m, c))
        return t, c

    def near(self, box: Box, margin: float = 0.3) -> Iterator[Road]:
        """Yield the roads, and pieces of highways, that may meet a box with a margin."""
        low_t, low_c, high_t, high_c = self.rivers.span(box, margin)
        for m in self.highways(low_t - LONGEST, high_t + LONGEST):
            c = np.arange(math.floor(low_c / STEP), math.ceil(high_c / STEP) + 1) * STEP
            highway = Road((HIGHWAY, m), self.rivers.place(self.highway_at(m, c), c), WIDE, len(c))
            if highway.meets(box, margin):
                yield highway
            for k in self.junctions(low_c - 1, high_c + 1):
                for side in (-1, 1):
                    if (road := self.side_road(m, side, k)) and road.meets(box, margin):
                        yield road
        for village in self.villages(box, margin + BETWEEN_HIGHWAYS):
            if village.road.meets(box, margin):
                yield village.road

    def highways(self, low_t: float, high_t: float) -> range:
        """Return the numbers of the highways that may lie in a range of t."""
        return range(math.floor(low_t / BETWEEN_HIGHWAYS) - 1, math.ceil(high_t / BETWEEN_HIGHWAYS) + 1)

    def junctions(self, low_c: float, high_c: float) -> range:
        """Return the numbers of the junctions of a highway that may lie in a range of c."""
        return range(math.floor(low_c / BETWEEN_SIDE_ROADS), math.ceil(high_c / BETWEEN_SIDE_ROADS) + 1)

    def villages(self, box: Box, margin: float) -> Iterator[Village]:
        """Yield the villages on rivers that may lie in a box with a margin."""
        low_t, low_c, high_t, high_c = self.rivers.span(box, margin)
        first, last = math.floor(low_t / BETWEEN_VILLAGES), math.ceil(high_t / BETWEEN_VILLAGES)
        for n in self.rivers.between(low_t, low_c, high_t, high_c):
            yield from (village for k in range(first, last + 1) if (village := self.village(n, k)))

    def _side_road(self, m: int, side: int, k: int) -> Road | None:
        rng = stream(self.seed, "side road", m, side, k)
        c = (k + 0.5 + rng.uniform(-0.12, 0.12)) * BETWEEN_SIDE_ROADS
        t = float(self.highway_at(m, c))
        if rng.random() > 0.3 + 0.7 * self.settled(self.rivers.place(t, c)):
            return None
        away = np.arange(0, rng.uniform(1.0, LONGEST), STEP)
        bends = Waves(rng, 1.5, 6)
        across = c + away * rng.normal(0, 0.06) + rng.choice((0.0, 0.05)) * (bends(away) - bends(0.0))
        along = t + side * away
        dry = len(away)
        for n in self.rivers.between(along.min(), c - 3, along.max(), c + 3):
            wet = np.abs(across - self.rivers.course(n, along)) < self.rivers.river(n).reach + 0.3
            dry = min(dry, int(np.argmax(wet)) if wet.any() else dry)
        if dry * STEP < 0.6:
            return None
        old = int(dry * rng.uniform(0.55, 1.0))
        return Road((SIDE, m, side, k), self.rivers.place(along, across)[:dry], NARROW, old)

    def _village(self, n: int, k: int) -> Village | None:
        """Return the village in stretch `k` of a river, at a bend that comes close to the land of its side."""
        rng = stream(self.seed, "village", n, k)
        bends = list(self.rivers.apexes(n, k * BETWEEN_VILLAGES, (k + 1) * BETWEEN_VILLAGES))
        if not bends or rng.random() < 0.15:
            return None
        river = self.rivers.river(n)
        _, t, side = max(bends, key=lambda bend: float(river.strength(bend[1])))
        m = min(self.highways(t, t), key=lambda m: abs(self.crossing(m, n)[0] - t))
        end, c = self.crossing(m, n)
        end = float(self.highway_at(m, c + side * (river.reach + 0.2)))
        along = np.linspace(t, end, max(3, round(abs(end - t) / STEP)))
        sway = Waves(rng, 3, 8)
        # Its road keeps so far from the course that no bend of the river reaches it.
        across = river.reach + 0.17 + 0.05 * (1 + sway(along)) * np.minimum(1, np.abs(along - t) / 0.5)
        points = self.rivers.place(along, self.rivers.course(n, along) + side * across)
        return Village((n, k), points[1], Road((VILLAGE, n, k), points, MIDDLE, len(points)))
