"""What people do where: fields along roads, villages, mines along rivers, clearings at the ends of roads.

Each thing belongs to a road, a river or a square of the plane, and is found from there, so that any window of the plane
knows what lies in it without looking at the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, pairwise, product

import numpy as np

from competition.landscape.plane import Box, Line, Points, stream
from competition.landscape.rivers import TRIBUTARY, Course, Rivers
from competition.landscape.roads import SIDE, Road, Roads, Village
from competition.simulator.palette import FIELDS
from competition.simulator.scene import Rng, pick

SQUARE = 4.0  # side of the squares of the plane in which things of the forest lie
REACH = 2.5  # how far things may lie from what they belong to
SEASONAL = ("blooming", "slash_burn")  # at another place on every date
# What lies at the ends of side roads: how often, how far ahead of the end, and how far aside of it.
AT_ENDS = (
    ("bare_ground", 0.3, 0.1, 0.0), ("slash_burn", 0.5, 0.3, 0.0), ("selective_logging", 0.5, 0.7, 0.0),
    ("cultivation", 0.3, 0.5, 0.2), ("conventional_mine", 0.13, 0.1, 0.32),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Site(Line):
    """A place where a painter of chips paints; see `competition.simulator.scenery`.

    Attributes:
        label: what is painted.
        key: which one it is; its numbers are the painter's chance.
        points: its middle, (1, 2).
        line: points (num_points, 2) of the road that houses stand on, or of the river that is dug up.
        late: there at the later date only; None is at the earlier only.
    """

    label: str
    key: tuple[int, ...]
    points: Points
    line: Points
    late: bool | None = False

    @property
    def place(self) -> Points:
        """Its middle (x, y)."""
        return self.points[0]

    def there(self, later: bool) -> bool:
        """Return whether it is there at a date."""
        return (self.late is not True) if not later else self.late is not None


@dataclass(frozen=True, eq=False)
class Field(Line):
    """A field or pasture along a road: its corners, its colour, and whether it is there at the later date only."""

    points: Points
    colour: Points
    late: bool


class Sites:
    """All that people do in a landscape, and what befalls the forest.

    Args:
        rivers: of the landscape.
        roads: of the landscape.
    """

    def __init__(self, rivers: Rivers, roads: Roads) -> None:
        self.rivers, self.roads, self.seed = rivers, roads, rivers.seed
        self.fields_of = lru_cache(1024)(self._fields_of)
        self._by_road, self._by_village = lru_cache(512)(self._at_road), lru_cache(512)(self._at_village)
        self._by_crossing, self._by_river = lru_cache(128)(self._at_crossing), lru_cache(512)(self._at_tributary)
        self._by_square = lru_cache(512)(self._in_square)

    def near(self, box: Box, later: bool) -> Iterator[Site]:
        """Yield what is there at a date and may reach into a box, in an order that is the same from everywhere."""
        found = chain.from_iterable(self._parents(box))
        there = (site for site in found if site.there(later) and site.meets(box, 0.5))
        yield from sorted(there, key=lambda site: (site.label, site.key))

    def fields(self, box: Box, later: bool) -> Iterator[tuple[Road, list[Field]]]:
        """Yield the roads near a box with their fields that are there at a date."""
        for road in self.roads.near(box, REACH / 2):
            if road.key[0] == SIDE:
                yield road, [field for field in self.fields_of(road) if later or not field.late]

    def _parents(self, box: Box) -> Iterator[tuple[Site, ...]]:
        """Yield the sites of everything that sites near a box may belong to."""
        for road in self.roads.near(box, REACH):
            if road.key[0] == SIDE:
                yield self._by_road(road)
        for village in self.roads.villages(box, REACH):
            yield self._by_village(village)
        low_t, low_c, high_t, high_c = self.rivers.span(box, REACH)
        for m in self.roads.highways(low_t, high_t):
            for n in self.rivers.between(low_t, low_c, high_t, high_c):
                yield self._by_crossing(m, n)
        for course in self.rivers.near(box, 0.6):
            if course.order == TRIBUTARY:
                yield self._by_river(course)
        left, top, right, bottom = (math.floor(side / SQUARE) for side in box)
        for column, row in product(range(left - 1, right + 2), range(top - 1, bottom + 2)):
            yield self._by_square(column, row)

    def _at_road(self, road: Road) -> tuple[Site, ...]:
        """Houses on a side road, and what becomes of the forest at its end."""
        rng, key, line = stream(self.seed, "at road", *road.key), road.key, road.points
        found = []
        if rng.random() < 0.22:
            found.append(Site("habitation", key, line[min(4, len(line) - 2)][None], line))
        for number, (label, chance, ahead, aside) in enumerate(AT_ENDS):
            # What is burnt is a field later, and the fire has gone on to where the road ends then.
            for late in (None, True) if label in SEASONAL else (bool(rng.random() < 0.25),):
                end = len(line) - 1 if late else road.old - 1
                way = line[end] - line[end - 2]
                way = way / np.hypot(*way)
                place = line[end] + ahead * way + aside * np.array((-way[1], way[0])) + rng.normal(0, 0.07, 2)
                if rng.random() < chance:
                    found.append(Site(label, (*key, number, int(bool(late))), place[None], line, late))
        return tuple(found)

    def _at_village(self, village: Village) -> tuple[Site, ...]:
        """Houses along the road, a trodden place, and plots of shifting cultivation around."""
        rng, key, line = stream(self.seed, "at village", *village.key), village.key, village.road.points
        at = min(3, len(line) - 2)
        found = [Site("habitation", key, line[[at]], line)]
        if rng.random() < 0.6:
            found.append(Site("bare_ground", key, line[[at]] + rng.normal(0, 0.25, 2), line))
        for number in range(int(rng.integers(2, 5))):
            angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.2)
            place = line[[0]] + far * np.array((np.cos(angle), np.sin(angle)))
            found.append(Site("cultivation", (*key, number), place, line, bool(rng.random() < 0.3)))
            if rng.random() < 0.5:
                late = True if rng.random() < 0.5 else None
                found.append(Site("slash_burn", (*key, number), place + rng.normal(0, 0.25, 2), line, late))
        return tuple(found)

    def _at_crossing(self, m: int, n: int) -> tuple[Site, ...]:
        """The town where a highway crosses a river."""
        rng = stream(self.seed, "at crossing", m, n)
        _, middle = self.roads.crossing(m, n)
        bank = int(rng.choice((-1, 1)))
        c = middle + bank * (self.rivers.river(n).reach + 0.15) + np.arange(-20, 40) * 0.075 * bank
        line = self.rivers.place(self.roads.highway_at(m, c), c)
        size = int(rng.integers(1, 5))
        return tuple(
            Site("habitation", (m, n, number), line[[20 + 4 * number]], line, number > 2) for number in range(size)
        )

    def _at_tributary(self, course: Course) -> tuple[Site, ...]:
        """Mines that eat their way up a tributary; each date finds them farther."""
        rng = stream(self.seed, "at tributary", *course.key)
        if rng.random() > 0.42 or len(course.points) < 60:
            return ()
        step = 15  # between pits, in points of the course
        first = int(rng.integers(24, max(25, len(course.points) // 2)))
        pits = np.arange(first, len(course.points) - 5, step)[: int(rng.integers(3, 9))]
        t, c = self.rivers.frame(course.points[pits]).T
        # Nobody digs up the highway, or the town on it.
        free = np.min([np.abs(t - self.roads.highway_at(m, c)) for m in self.roads.highways(t[0], t[0])], axis=0)
        old, late = int(rng.integers(2, 6)), bool(rng.random() < 0.35)
        return tuple(
            Site("artisinal_mine", (*course.key, k), course.points[[pit]], course.points, late or k >= old)
            for k, pit in enumerate(pits.tolist())
            if free[k] > 1.1
        )

    def _in_square(self, column: int, row: int) -> tuple[Site, ...]:
        """What befalls the forest away from people, and trees in flower, which are others at the later date."""
        found = []
        for label, chance in (("blow_down", 0.3), ("blooming", 0.4), ("selective_logging", 0.12)):
            for late in (None, True) if label in SEASONAL else (False,):
                rng = stream(self.seed, label, column, row, int(bool(late)))
                place = (np.array(((column, row),)) + rng.uniform(0, 1, 2)) * SQUARE
                if rng.random() < chance:
                    found.append(Site(label, (column, row, int(bool(late))), place, place, late))
        return tuple(found)

    def _fields_of(self, road: Road) -> tuple[Field, ...]:
        """Fields side by side along both sides of a road, fewer towards its end, where the forest was cleared last."""
        rng = stream(self.seed, "fields", *road.key)
        course = np.gradient(road.points, axis=0)
        normal = np.stack((-course[:, 1], course[:, 0]), axis=1) / np.hypot(*course.T)[:, None]
        settled = self.roads.settled(road.points[0])
        found: list[Field] = []
        for side in (-1, 1):
            at = int(rng.integers(0, 3))
            while (end := at + int(rng.integers(3, 7))) < len(road.points):
                depths, chance = rng.uniform(0.25, 0.8, 2), rng.random()
                share = 0.55 + 0.45 * settled - 0.4 * at / len(road.points)
                late = chance > share or end > road.old
                if chance < share + 0.2:
                    found += _plots(road.points[[at, end]], side * normal[[at, end]], depths, rng, late)
                at = end
        return tuple(found)


def _plots(front: Points, aside: Points, depths: Points, rng: Rng, late: bool) -> Iterator[Field]:
    """Yield the one or two fields of a lot, which lie behind each other."""
    near = front + 0.012 * aside
    back = near + aside * depths.mean() + rng.normal(0, 0.02, (2, 2))
    cuts = (0.0, rng.uniform(0.35, 0.65), 1.0) if rng.random() < 0.45 else (0.0, 1.0)
    for start, end in pairwise(cuts):
        (a, b), (c, d) = near + (back - near) * start, near + (back - near) * end
        yield Field(np.stack((a, b, d, c)), pick(FIELDS, rng), late)
