"""Rivers that run through the whole plane, their tributaries, and the creeks that feed these.

Rivers flow side by side, far apart, each winding in meanders about a course of its own; tributaries join them at an
angle. In the frame of the rivers, t is the way along and c the way across.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from competition.landscape.plane import Box, Line, Points, Waves, stream

Floats64 = NDArray[np.float64]

SPACING = 9.0  # between rivers
JOINING = 1.8  # between tributaries of one side
STEP = 0.03  # between points
LONGEST = 6.0  # reach of a tributary
STRAY = 2.6  # of a river's course from where all of them wander
RIVER, TRIBUTARY, CREEK = 0, 1, 2


@dataclass(frozen=True, eq=False)
class Course(Line):
    """The course of running water, or a piece of it.

    Attributes:
        key: which one it is.
        order: RIVER, TRIBUTARY or CREEK.
        points: (num_points, 2), upstream of tributaries and creeks, downstream of rivers.
        half: half its width at each point, (num_points,).
    """

    key: tuple[int, ...]
    order: int
    points: Points
    half: Floats64


@dataclass(frozen=True, eq=False)
class River:
    """What makes one river differ from the others; see `Rivers`."""

    shift: float
    wander: Waves
    wobble: Waves
    swell: Waves
    breadth: Waves
    length: float
    amplitude: float
    half: float

    @property
    def reach(self) -> float:
        """How far its banks stray from its course."""
        return self.amplitude + 1.3 * self.half

    def phase(self, t: ArrayLike) -> Floats64:
        """Return how far its meanders have turned at `t`, in radians."""
        return 2 * np.pi * np.asarray(t) / self.length + 0.9 * self.wobble(t)

    def strength(self, t: ArrayLike) -> Floats64:
        """Return how strong its meanders are at `t`, in (0, 1]."""
        return 0.62 + 0.38 * np.clip(self.swell(t), -1, 1)


class Rivers:
    """All running water of a landscape.

    Args:
        seed: of the landscape.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = stream(seed, "flow")
        angle = rng.uniform(-0.6, 0.6) + np.pi * rng.integers(2)
        self._turn = np.array(((np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))))
        self._common, self._origin = Waves(rng, 40, 160), rng.uniform(0, SPACING, 2)
        self.river = lru_cache(256)(self._river)
        self.joining, self.creeks = lru_cache(1024)(self._joining), lru_cache(256)(self._creeks)

    def place(self, t: ArrayLike, c: ArrayLike) -> Points:
        """Return points (..., 2) of the plane from the frame of the rivers."""
        return (np.stack(np.broadcast_arrays(t, c), axis=-1) - self._origin) @ self._turn

    def frame(self, points: Points) -> Points:
        """Return t and c (..., 2) of points of the plane."""
        return points @ self._turn.T + self._origin

    def span(self, box: Box, margin: float) -> Box:
        """Return the least and greatest t and c, as (t, c, t, c), of a box with a margin."""
        left, top, right, bottom = box
        corners = self.frame(np.array(((left, top), (left, bottom), (right, top), (right, bottom))))
        low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
        return low[0], low[1], high[0], high[1]

    def _river(self, n: int) -> River:
        rng = stream(self.seed, "river", n)
        length, half = rng.uniform(2.2, 4.0), 0.07 + 0.14 * rng.random() ** 1.5
        waves = Waves(rng, 14, 45), Waves(rng, 6, 20), Waves(rng, 5, 15), Waves(rng, 0.8, 2.5)
        return River(rng.uniform(-0.1, 0.1) * SPACING, *waves, length, length * rng.uniform(0.13, 0.25), half)

    def course(self, n: int, t: ArrayLike) -> Floats64:
        """Return the c about which river `n` winds, at `t`."""
        river = self.river(n)
        return SPACING * n + river.shift + 2.0 * self._common(t) + 0.65 * river.wander(t)

    def middle(self, n: int, t: ArrayLike) -> Points:
        """Return the middle of river `n` (..., 2) at `t`."""
        river = self.river(n)
        phase, strength = river.phase(t), river.strength(t)
        # The second wave, along the course, leans the bends over: loops as rivers have, and not sines.
        along = np.asarray(t) - 0.095 * river.length * strength * np.sin(2 * phase)
        return self.place(along, self.course(n, t) + river.amplitude * strength * np.sin(phase))

    def apexes(self, n: int, start: float, end: float) -> Iterator[tuple[int, float, int]]:
        """Yield the bends of river `n`: the number, the t and the side (-1 or 1, towards which c) of each."""
        river = self.river(n)
        first, last = (math.ceil(float(river.phase(t)) / np.pi - 0.5) for t in (start - 2, end + 2))
        for number in range(min(first, last), max(first, last)):
            t = river.length * (number + 0.5) / 2
            for _ in range(12):
                t = river.length * ((number + 0.5) / 2 - 0.9 * float(river.wobble(t)) / (2 * np.pi))
            if start <= t < end:
                yield number, t, 1 if number % 2 == 0 else -1

    def near(self, box: Box, margin: float = 0.3, *, creeks: bool = False) -> Iterator[Course]:
        """Yield the pieces of rivers, and whole tributaries, that may meet a box with a margin; creeks if wanted."""
        low_t, low_c, high_t, high_c = self.span(box, margin)
        for n in self.between(low_t, low_c - LONGEST, high_t, high_c + LONGEST):
            t = np.arange(math.floor((low_t - 1.2) / STEP), math.ceil((high_t + 1.2) / STEP) + 1) * STEP
            course, river = self.course(n, t), self.river(n)
            if course.min() - river.reach < high_c and course.max() + river.reach > low_c:
                half = river.half * (1 + 0.16 * np.clip(river.breadth(t), -2, 2))
                yield Course((n,), RIVER, self.middle(n, t), half)
            first, last = math.floor((low_t - 1) / JOINING), math.ceil((high_t + LONGEST) / JOINING)
            for side in (-1, 1):
                for tributary in (self.joining(n, side, k) for k in range(first, last + 1)):
                    if tributary and tributary.meets(box, margin):
                        yield tributary
                    if tributary and creeks and tributary.meets(box, margin + 1):
                        yield from (creek for creek in self.creeks(tributary) if creek.meets(box, margin))

    def between(self, low_t: float, low_c: float, high_t: float, high_c: float) -> range:
        """Return the numbers of the rivers whose course may lie in a range of the frame."""
        stray = 2.0 * self._common(np.linspace(low_t, high_t, 16))
        low, high = low_c - stray.max() - STRAY, high_c - stray.min() + STRAY
        return range(math.floor(low / SPACING), math.ceil(high / SPACING) + 1)

    def _joining(self, n: int, side: int, k: int) -> Course | None:
        """Return the tributary `k` of one side of a river; None where none joins."""
        rng = stream(self.seed, "tributary", n, side, k)
        t, lean = (k + rng.uniform(0.2, 0.8)) * JOINING, rng.uniform(0.9, 1.3)
        long = k % 2 == 0
        if rng.random() < (0.1 if long else 0.45):
            return None
        gap = abs(float(self.course(n + side, t) - self.course(n, t)))
        length = min(0.46 * gap / math.sin(lean), LONGEST - 1) * rng.uniform(0.75, 1.0) * (1 if long else 0.4)
        start = self.middle(n, t)
        ahead = self.place(-math.cos(lean), side * math.sin(lean)) - self.place(0, 0)
        half = rng.uniform(0.02, 0.042) * (1 if long else 0.6)
        return _branch((n, side, k), TRIBUTARY, start, ahead, length, half, rng)

    def _creeks(self, tributary: Course) -> tuple[Course, ...]:
        """Return the creeks along a tributary, to its left and right in turn."""
        rng, points = stream(self.seed, "creeks", *tributary.key), tributary.points
        at, side, found = int(rng.integers(12, 25)), int(rng.choice((-1, 1))), list[Course]()
        while at < len(points) - 8:
            course = points[at + 6] - points[at - 6]
            turn = math.atan2(course[1], course[0]) + side * rng.uniform(0.7, 1.2)
            ahead, length = np.array((math.cos(turn), math.sin(turn))), rng.uniform(0.3, 0.95)
            found.append(_branch((*tributary.key, at), CREEK, points[at], ahead, length, 0.006, rng))
            at, side = at + int(rng.integers(9, 20)), -side
        return tuple(found)


def _branch(
    key: tuple[int, ...], order: int, start: Points, ahead: Points, length: float, half: float, rng: np.random.Generator
) -> Course:
    """Return a course that winds from its mouth upstream, and narrows."""
    way = np.arange(0, length, STEP)
    bend, wander, wobble = rng.uniform(0.3, 0.6), Waves(rng, 1.2, 4), Waves(rng, 1, 3)
    phase = 2 * np.pi * way / bend + 1.2 * wobble(way)
    grown = np.minimum(1, way / 0.4)
    aside = grown * (0.2 * (wander(way) - wander(0.0)) + 0.17 * bend * np.sin(phase))
    along = way - 0.07 * bend * grown * np.sin(2 * phase)
    points = start + along[:, None] * ahead + aside[:, None] * np.array((-ahead[1], ahead[0]))
    return Course(key, order, points, half * (1 - 0.93 * (way / length) ** 1.5))
