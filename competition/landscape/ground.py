"""The ground of a tile: forest, and in the order in which one covers the other, what rivers and people made of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from competition.landscape.plane import TILE, Points, Tile, Waves, stream
from competition.landscape.rivers import CREEK, RIVER, Course, Rivers
from competition.landscape.roads import Roads
from competition.landscape.sites import Sites
from competition.landscape.stamps import Stamps
from competition.simulator.canvas import Colour, Floats, Layer
from competition.simulator.palette import ROADS, SAND, WATERS
from competition.simulator.render import grow_forest
from competition.simulator.scene import pick, shade
from competition.simulator.scenery import PAINTERS, lay_fields

# In which one covers the other: as in chips, but that rivers run through bare ground too.
UNDER_WATER = ("cultivation", "slash_burn", "bare_ground")
ORDER = sorted(PAINTERS, key=lambda label: label not in UNDER_WATER)
FAR = 0.6  # chip widths from a river at which it no longer shows
VALLEY = (0.155, 0.215, 0.140, 0.40)
MARSH = np.array((1.04, 1.10, 1.08, 1.12), np.float32)


@dataclass(frozen=True)
class Land:
    """A landscape at a scale: the same for every tile.

    Attributes:
        seed: of the landscape.
        scale: pixels that a chip is wide.
        later: the later of the two dates.
    """

    seed: int
    scale: float
    later: bool
    rivers: Rivers
    roads: Roads
    sites: Sites
    stamps: Stamps

    @classmethod
    def of(cls, seed: int, scale: float, *, later: bool = False) -> Land:
        """Return the landscape of a seed."""
        rivers = Rivers(seed)
        roads = Roads(rivers)
        return cls(seed, scale, later, rivers, roads, Sites(rivers, roads), Stamps(seed, scale))


def draw_ground(land: Land, column: int, row: int) -> Tile:
    """Draw the ground of a tile as it is seen without air."""
    tile = Tile.blank(land.seed, column, row, land.scale)
    courses = list(land.rivers.near(tile.box, FAR, creeks=True))
    sites = list(land.sites.near(tile.box, land.later))
    water = _distance_to_water(tile, courses)
    _grow(tile, courses, water)
    _till(land, tile, water)
    for label in ORDER:
        if label == "water":
            _pour(land, tile, [course for course in courses if course.order != CREEK])
        elif label == "road":
            _pave(land, tile)
        for site in sites:
            if site.label == label:
                land.stamps.lay(tile, site)
    return tile


def _distance_to_water(tile: Tile, courses: Iterable[Course]) -> Floats:
    """Return how far each pixel is from the bank of a river or tributary, up to about FAR; negative in the water."""
    x, y = tile.mesh()
    wet = [course for course in courses if course.order != CREEK]
    if not wet:
        return np.full((TILE, TILE), FAR, np.float32)
    points = np.concatenate([course.points for course in wet])
    half = np.concatenate([course.half for course in wet])
    places = np.stack(np.broadcast_arrays(x, y), axis=-1)
    # The nearest of a few, as a wide river may be nearer by its bank than a narrow one by its middle.
    distance, nearest = cKDTree(points).query(places, k=min(8, len(points)))
    return tile.spread(np.minimum((distance - half[nearest]).reshape(*places.shape[:2], -1).min(axis=-1), FAR))


def _grow(tile: Tile, courses: Iterable[Course], water: Floats) -> None:
    """Grow the forest: another over the plains than along rivers, darker in the valleys of creeks."""
    grow_forest(tile, stream(tile.seed, "forest"))
    rng = stream(tile.seed, "regions")
    regions = tile.spread(Waves(rng, 3, 20, plane=True)(*tile.mesh()))
    light = Waves(rng, 4, 30, plane=True)
    tile.image *= 1 + 0.05 * tile.spread(light(*tile.mesh()))[..., None]
    tile.image *= 1 + 0.035 * regions[..., None] * np.array((0.1, 0.7, 1.0, 1.4), np.float32)
    flooded = np.clip(1.1 - (water + 0.06 * tile.noise("patch", rng)) / 0.22, 0, 1)
    tile.image *= 1 + flooded[..., None] * (MARSH - 1)
    layer = Layer(TILE)
    creeks = [course for course in courses if course.order == CREEK]
    for course in creeks:
        layer.line(tile.on_sheet(course.points), 2.6 * course.half[0] * tile.scale / TILE, VALLEY)
    if creeks:
        layer.lay_onto(tile.image, shade(tile.noise("mottle", rng), 0.1), where=np.full_like(water, 0.55))


def _till(land: Land, tile: Tile, water: Floats) -> None:
    """Lay the fields along the side roads, but for a strip of forest along the water."""
    layer, any_field = Layer(TILE), False
    for _, fields in land.sites.fields(tile.box, land.later):
        for field in fields:
            if field.meets(tile.box):
                layer.polygon(tile.on_sheet(field.points), field.colour)
                any_field = True
    if any_field:
        lay_fields(tile, layer, stream(tile.seed, "fields"), np.clip((water - 0.045) / 0.015, 0, 1))


def _pour(land: Land, tile: Tile, courses: list[Course]) -> None:
    """Pour the water, with bars of sand on the inner side of the bends of rivers."""
    near = [course for course in courses if course.meets(tile.box, 0.3)]
    if not near:
        return
    layer, rng = Layer(TILE), stream(tile.seed, "water")
    sand = pick((SAND,), rng)
    colours = {course.key: _colour(tile.seed, course) for course in near}
    for course in near:
        if course.order == RIVER:
            _lay_bars(tile, layer, course, sand)
    for course in sorted(near, key=lambda course: -course.order):
        ribbon(tile, layer, course.points, course.half, colours[course.key])
    tile.forest *= 1 - layer.lay_onto(tile.image, shade(tile.noise("broad", rng), 0.03))


def _colour(seed: int, course: Course) -> Colour:
    """Return the colour of a river's water; many a tributary brings its own."""
    own = course.order != RIVER and stream(seed, "own colour", *course.key).random() < 0.4
    return pick(WATERS, stream(seed, "colour", *(course.key if own else course.key[:1])), 0.06)


def _lay_bars(tile: Tile, layer: Layer, course: Course, sand: Colour) -> None:
    """Lay sand where the river bends, towards the centre of the bend."""
    way = np.gradient(course.points, axis=0)
    turn = np.gradient(np.unwrap(np.arctan2(way[:, 1], way[:, 0]))) / np.hypot(*way.T)
    inwards = np.stack((-way[:, 1], way[:, 0]), axis=1) / np.hypot(*way.T)[:, None] * np.sign(turn)[:, None]
    sharp = np.clip((np.abs(turn) - 0.7) / 1.5, 0, 1)
    ribbon(tile, layer, course.points + inwards * (0.6 * course.half)[:, None], 0.75 * course.half * sharp, sand)


def ribbon(tile: Tile, layer: Layer, points: Points, half: Points, colour: Colour) -> None:
    """Draw a line of changing width: discs along it, joined. As one polygon it would have holes where it bends."""
    left, top, right, bottom = tile.box
    x, y = points.T
    margin = float(half.max()) + 0.1
    seen = (x > left - margin) & (x < right + margin) & (y > top - margin) & (y < bottom + margin) & (half > 0.002)
    way = np.gradient(points, axis=0)
    aside = np.stack((-way[:, 1], way[:, 0]), axis=1) / np.hypot(*way.T)[:, None] * half[:, None]
    rims = tile.on_sheet(np.stack((points + aside, points - aside)))
    for at in np.flatnonzero(seen[:-1] & seen[1:]).tolist():
        layer.polygon(rims[(0, 0, 1, 1), (at, at + 1, at + 1, at)], colour)
    for at in np.flatnonzero(seen).tolist():
        layer.dot(rims[:, at].mean(axis=0), half[at] * tile.scale / TILE, colour)


def _pave(land: Land, tile: Tile) -> None:
    """Draw the roads."""
    roads = [road for road in land.roads.near(tile.box, 0.1) if len(road.at(land.later)) > 1]
    if not roads:
        return
    layer, rng = Layer(TILE), stream(tile.seed, "road")
    colours = [pick(ROADS, rng) for _ in range(3)]
    for road in sorted(roads, key=lambda road: road.half):
        layer.line(tile.on_sheet(road.at(land.later)), 2 * road.half * tile.scale / TILE, colours[road.key[0]])
    tile.forest *= 1 - layer.lay_onto(tile.image)
