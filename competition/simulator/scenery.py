"""What each label looks like on the ground of a simulated chip."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from competition.simulator.canvas import Floats, Layer, inside, spot
from competition.simulator.palette import BARE, BLOSSOMS, CHARCOAL, FIELDS, PLOTS, PONDS, ROADS, ROOFS, SAND, WATERS
from competition.simulator.scene import Ground, Rng, Scene, path, pick, shade


def _paint_agriculture(scene: Scene, rng: Rng) -> None:
    """Large fields and pastures side by side, with straight borders."""
    cover = rng.uniform(0.2, 0.6) if "primary" in scene.labels else 0.95
    # Corners of a wobbly grid, shared by neighbours, turned to the direction of the roads and centred on the site.
    rows, columns = (np.cumsum(rng.uniform(0.12, 0.36, 12)) for _ in range(2))
    grid = np.stack(np.meshgrid(columns - columns[5], rows - rows[5]), axis=-1) + rng.normal(0, 0.02, (12, 12, 2))
    cos, sin = np.cos(scene.angle), np.sin(scene.angle)
    corners = grid @ np.array(((cos, sin), (-sin, cos))) + scene.site
    squares = np.stack((corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1]), axis=2)
    middles = squares.mean(axis=2)
    # Fields lie together around the settlement; clearing them in order of distance keeps the forest in one piece.
    stray = np.hypot(*np.moveaxis(middles - scene.site, -1, 0)) + rng.normal(0, 0.12, middles.shape[:2])
    seen = ((middles > -0.1) & (middles < 1.1)).all(axis=-1)
    layer, main = Layer(scene.size), pick(FIELDS, rng)
    for square in squares[seen & (stray <= np.quantile(stray[seen], cover))]:
        layer.polygon(square, main * rng.normal(1, 0.04) if rng.random() < 0.5 else pick(FIELDS, rng))
    lay_fields(scene, layer, rng)


def lay_fields(ground: Ground, layer: Layer, rng: Rng, where: Floats | float = 1.0) -> None:
    """Lay a sheet of fields onto the ground; clumps of trees and regrowth are left standing here and there."""
    patches = ground.noise("patch", rng)
    texture = shade(ground.noise("mottle", rng), 0.035) + 0.05 * patches
    clumps = patches + ground.noise("mottle", rng)
    shown = where * np.clip(3.6 - 1.4 * clumps, 0.3, 1)
    ground.forest *= 1 - layer.lay_onto(ground.image, texture, where=shown)


def _paint_cultivation(scene: Scene, rng: Rng) -> None:
    """Small irregular plots of shifting cultivation, scattered in the forest."""
    layer = Layer(scene.size)
    heart = scene.forest_place(rng)
    for place in heart + rng.normal(0, 0.18, (rng.integers(9, 16), 2)):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
        rim = np.stack((np.cos(angles), np.sin(angles)), axis=1) * rng.uniform(0.035, 0.075) * rng.uniform(0.7, 1.3, 2)
        layer.polygon(np.clip(place, 0.04, 0.96) + rim, pick(PLOTS, rng, 0.1))
    scene.forest *= 1 - layer.lay_onto(scene.image, shade(scene.noise("mottle", rng), 0.08))


def _paint_slash_burn(scene: Scene, rng: Rng) -> None:
    """Scars of charcoal, near black in all bands, in scorched earth."""
    heart = scene.forest_place(rng)
    scorched = pick(((0.22, 0.27, 0.31, 0.32),), rng)
    for place in heart + rng.normal(0, 0.13, (rng.integers(1, 4), 2)):
        radius, angle = rng.uniform(0.10, 0.19), rng.uniform(0, np.pi)
        rim = scene.noise("patch", rng) + 0.4 * scene.noise("mottle", rng)
        depth = spot(place, radius, rim, 0.2, rng.uniform(1, 1.4), angle)
        scene.cover(inside(depth + 0.15, radius, 0.05 * scene.size), scorched)
        ash = shade(scene.noise("mottle", rng), 0.16)[..., None] * np.asarray(CHARCOAL, np.float32)
        scene.cover(inside(depth, radius, 0.03 * scene.size), ash)


def _paint_water(scene: Scene, rng: Rng) -> None:
    """A creek or river, or water from rim to rim where there is nothing but water; dark in the near infrared."""
    colour = pick(WATERS, rng, 0.06)
    shine = shade(scene.noise("broad", rng), 0.03)
    land = scene.labels - {"water", "clear", "partly_cloudy", "haze"}
    if not land and rng.random() < 0.7:
        scene.cover(np.ones_like(scene.forest), shine[..., None] * colour.astype(np.float32))
        return
    widths = (0.16, 0.45) if land <= {"primary"} and rng.random() < 0.4 else (0.03, 0.11)
    half = rng.uniform(*widths) / 2 * (1 + 0.25 * np.sin(np.linspace(0, rng.uniform(4, 12), len(scene.river))))
    course = np.gradient(scene.river, axis=0)
    normal = np.stack((-course[:, 1], course[:, 0]), axis=1) / np.hypot(*course.T)[:, None]
    layer = Layer(scene.size)
    for bank, paint in ((0.008 * (rng.random() < 0.5), pick((SAND,), rng)), (0.0, colour)):
        aside = normal * (half + bank)[:, None]
        layer.polygon(np.concatenate((scene.river + aside, (scene.river - aside)[::-1])), paint)
    scene.forest *= 1 - layer.lay_onto(scene.image, shine)


def _paint_bare_ground(scene: Scene, rng: Rng) -> None:
    """Smooth open earth without borders of fields."""
    primary = "primary" in scene.labels
    radius = rng.uniform(0.16, 0.26) if primary else rng.uniform(0.35, 0.5)
    place = scene.site + rng.normal(0, 0.12, 2)
    rim = scene.noise("patch", rng) + 0.5 * scene.noise("mottle", rng)
    depth = spot(place, radius, rim, 0.2, rng.uniform(1, 1.5), rng.uniform(0, np.pi))
    light = shade(scene.noise("fractal", rng), 0.06) + 0.03 * scene.noise("mottle", rng)
    scene.cover(inside(depth, radius, 0.03 * scene.size), light[..., None] * pick(BARE, rng).astype(np.float32))


def _paint_artisinal_mine(scene: Scene, rng: Rng) -> None:
    """Bright sand dug up along the river, dotted with turquoise and muddy ponds."""
    shown = scene.river[((scene.river > 0.12) & (scene.river < 0.88)).all(axis=1)]
    stretch = shown if len(shown) else scene.site[None]
    start = rng.integers(0, max(1, len(stretch) * 2 // 3))
    places = stretch[start : start + 9 : 2]
    for place in places + rng.normal(0, 0.03, places.shape):
        radius = rng.uniform(0.08, 0.13)
        sand = shade(scene.noise("mottle", rng), 0.08)[..., None] * pick((SAND,), rng, 0.05).astype(np.float32)
        scene.cover(inside(spot(place, radius, scene.noise("patch", rng), 0.35), radius, 1.5), sand)
    layer = Layer(scene.size)
    for place in np.repeat(places, 3, axis=0):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 7))
        rim = np.stack((np.cos(angles), np.sin(angles)), axis=1) * rng.uniform(0.018, 0.045)
        layer.polygon(place + rng.normal(0, 0.055, 2) + rim, pick(PONDS, rng, 0.05))
    layer.lay_onto(scene.image)


def _paint_conventional_mine(scene: Scene, rng: Rng) -> None:
    """One large pit: terraces stepping down through grey-brown rock to a pool."""
    radius, angle, bearing = rng.uniform(0.24, 0.34), *rng.uniform(0, 2 * np.pi, 2)
    # Nobody settles in the pit.
    away = 0.38 if "habitation" in scene.labels else 0.06
    place = np.clip(scene.site + away * np.array((np.cos(bearing), np.sin(bearing))), 0.2, 0.8)
    rim = scene.noise("broad", rng) + 0.35 * scene.noise("patch", rng)
    depth = spot(place, radius, rim, 0.12, rng.uniform(1, 1.4), angle)
    spoil = inside(depth + 0.2 + 0.1 * scene.noise("patch", rng), radius, 0.06 * scene.size)
    scene.cover(0.75 * spoil, pick(BARE, rng))
    rock = pick(((0.40, 0.46, 0.55, 0.40), (0.34, 0.43, 0.58, 0.42), (0.47, 0.50, 0.54, 0.42)), rng)
    # A bright ledge and a dark wall a step, darker towards the bottom; ledges wander and break off.
    steps = depth * rng.uniform(3.5, 5.5) + 0.12 * scene.noise("patch", rng)
    wall = np.clip(6 * np.abs(steps % 1 - 0.5) - 1, 0, 1) * np.clip(0.7 + 0.4 * scene.noise("patch", rng), 0.2, 1)
    light = 0.82 - 0.25 * np.clip(depth, 0, 1) + 0.30 * wall + 0.05 * scene.noise("mottle", rng)
    scene.cover(inside(depth, radius), light.astype(np.float32)[..., None] * rock.astype(np.float32))
    pool = inside(depth - rng.uniform(0.68, 0.8), radius)
    scene.cover(pool, pick(((0.46, 0.46, 0.26, 0.08), (0.38, 0.36, 0.24, 0.06)), rng))


def _paint_selective_logging(scene: Scene, rng: Rng) -> None:
    """Thin skid tracks branching into the forest, with a small gap where each tree stood."""
    layer, earth = Layer(scene.size), pick(((0.35, 0.43, 0.53, 0.38), (0.39, 0.44, 0.56, 0.40)), rng)
    heart, heading = scene.forest_place(rng), rng.uniform(0, np.pi)
    for shift in rng.normal(0, 0.14, (2, 2)):
        trunk = path(heart + shift, heading + rng.normal(0, 0.5), 0.03, rng, reach=rng.uniform(0.3, 0.5))
        layer.line(trunk, 0.006, earth, 0.55)
        for start in trunk[3::6]:
            angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.06, 0.2)
            end = start + length * np.array((np.cos(angle), np.sin(angle)))
            bend = (start + end) / 2 + rng.normal(0, 0.025, 2)
            layer.line(np.stack((start, bend, end)), 0.005, earth, 0.5)
            for gap in (end, bend):
                rim = rng.normal(0, max(0.011, 0.7 / scene.size), (5, 2))
                layer.polygon(gap + rim, earth * rng.normal(1.15, 0.08))
    layer.lay_onto(scene.image, where=0.25 + 0.75 * scene.forest)


def _paint_blow_down(scene: Scene, rng: Rng) -> None:
    """A fan of trees thrown down by wind: pale trunks pointing away from one place."""
    middle, heading = scene.forest_place(rng), rng.uniform(0, 2 * np.pi)
    spread, length = rng.uniform(0.3, 0.5), rng.uniform(0.45, 0.65)
    apex = middle - 0.5 * length * np.array((np.cos(heading), np.sin(heading)))
    rim = heading + np.linspace(-spread, spread, 12)
    fan = np.stack((np.cos(rim), np.sin(rim)), axis=1) * rng.uniform(0.85, 1.1, (12, 1)) * length
    layer = Layer(scene.size)
    layer.polygon(np.concatenate((apex[None], apex + fan)), (0.29, 0.37, 0.35, 0.50))
    scar = np.clip(0.75 + 0.35 * scene.noise("patch", rng), 0, 1)
    layer.lay_onto(scene.image, where=scar)
    trunks = Layer(scene.size)
    for angle in heading + rng.normal(0, spread * 0.5, 70):
        way, start = np.array((np.cos(angle), np.sin(angle))), length * rng.uniform(0.05, 0.9)
        ends = apex + np.outer((start, start + rng.uniform(0.05, 0.12)), way)
        trunks.line(ends, 0.004, pick(((0.44, 0.53, 0.58, 0.48),), rng), 0.4)
    trunks.lay_onto(scene.image)


def _paint_blooming(scene: Scene, rng: Rng) -> None:
    """Single crowns in flower, most of one kind, dotted over the canopy."""
    layer, kind = Layer(scene.size), pick(BLOSSOMS, rng, 0.04)
    heart = scene.forest_place(rng)
    for place in heart + rng.normal(0, 0.28, (rng.integers(35, 75), 2)):
        colour = kind if rng.random() < 0.85 else pick(BLOSSOMS, rng, 0.04)
        layer.dot(place, rng.uniform(0.004, 0.011), colour * rng.normal(0.95, 0.10), 0.5)
    layer.lay_onto(scene.image, where=scene.forest)


def _paint_road(scene: Scene, rng: Rng) -> None:
    """Thin bright lines, straight or gently winding."""
    layer, colour, width = Layer(scene.size), pick(ROADS, rng), rng.uniform(0.009, 0.018)
    for order, road in enumerate(scene.roads):
        layer.line(road, width / (1 + order / 2), colour)
    scene.forest *= 1 - layer.lay_onto(scene.image)


def _paint_habitation(scene: Scene, rng: Rng) -> None:
    """Small bright roofs in rows along the main road, in trodden yards."""
    layer, count = Layer(scene.size), int(rng.integers(18, 45))
    nearest = int(np.argmin(np.hypot(*(scene.roads[0] - scene.site).T)))
    road = scene.roads[0][max(1, nearest - 3) : nearest + 4]
    course = np.gradient(road, axis=0)
    along, aside = course / np.hypot(*course.T)[:, None], rng.choice((-1, 1), count) * rng.uniform(0.025, 0.12, count)
    yard = spot(scene.site, 0.19, scene.noise("patch", rng), 0.2, 1.2, scene.angle)
    scene.cover(0.6 * inside(yard, 0.19, 4), (0.34, 0.43, 0.47, 0.52))
    for offset in aside:
        at = int(rng.integers(len(road)))
        normal = np.array((-along[at, 1], along[at, 0]))
        place = road[at] + along[at] * rng.normal(0, 0.025) + normal * offset
        length, width = rng.uniform((0.014, 0.011), (0.030, 0.018))
        corners = np.array(((-1, -1), (1, -1), (1, 1), (-1, 1))) / 2 * np.maximum((length, width), 1.1 / scene.size)
        layer.polygon(place + corners @ np.stack((along[at], normal)), pick(ROOFS, rng, 0.05))
    layer.lay_onto(scene.image)


# In the order in which one covers the other.
PAINTERS: dict[str, Callable[[Scene, Rng], None]] = {
    "agriculture": _paint_agriculture,
    "cultivation": _paint_cultivation,
    "slash_burn": _paint_slash_burn,
    "water": _paint_water,
    "bare_ground": _paint_bare_ground,
    "artisinal_mine": _paint_artisinal_mine,
    "selective_logging": _paint_selective_logging,
    "blow_down": _paint_blow_down,
    "blooming": _paint_blooming,
    "road": _paint_road,
    "conventional_mine": _paint_conventional_mine,
    "habitation": _paint_habitation,
}
