"""Drawing a simulated chip for a set of labels.

The picture is built as the eye would read it: a background, then whatever covers it from the ground up, then the air.
Each label draws from a stream of random numbers of its own, so that adding one label leaves the rest of the scene.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from competition.simulator.canvas import Floats, blend
from competition.simulator.palette import FOREST, GRASSLANDS
from competition.simulator.scene import Ground, Rng, Scene, path, pick
from competition.simulator.scenery import PAINTERS

LABELS = (
    "agriculture", "artisinal_mine", "bare_ground", "blooming", "blow_down", "clear",
    "cloudy", "conventional_mine", "cultivation", "habitation", "haze", "partly_cloudy",
    "primary", "road", "selective_logging", "slash_burn", "water",
)  # fmt: skip


def render_chip(labels_row: NDArray[np.bool_] | Sequence[bool], size: int, rng: Rng) -> Floats:
    """Draw a chip that shows a set of labels.

    Args:
        labels_row: bool (17,), in the order of `LABELS`. Without a weather label the sky is clear.
        size: width and height in pixels.
        rng: source of everything that varies; a fixed number of draws is taken from it.

    Returns:
        Float32 array (size, size, 4) in [0, 1]: bands B, G, R, NIR as the eye sees them in the real chips.
    """
    streams = rng.integers(0, 2**63, size=len(LABELS) + 3).tolist()
    labels = frozenset(label for label, present in zip(LABELS, labels_row, strict=True) if present)
    scene = _survey(labels, size, np.random.default_rng(streams[-1]))
    (grow_forest if "primary" in labels or "cloudy" in labels else _grow_grass)(
        scene, np.random.default_rng(streams[-2])
    )
    for label, paint in PAINTERS.items():
        if label in labels:
            paint(scene, np.random.default_rng(streams[LABELS.index(label)]))
    tone(scene, np.random.default_rng(streams[-3]))
    for label, paint in WEATHERS.items():
        if label in labels:
            paint(scene, np.random.default_rng(streams[LABELS.index(label)]))
    return np.clip(scene.image, 0, 1)


def _survey(labels: frozenset[str], size: int, rng: Rng) -> Scene:
    """Lay out the scene: the same whichever labels are present."""
    angle = rng.uniform(0, np.pi)
    site = rng.uniform(0.3, 0.7, 2)
    bends = 0.02 if rng.random() < 0.5 else 0.06
    roads = [path(site, angle, bends, rng)]
    roads.append(path(site + rng.uniform(-0.2, 0.2, 2), angle + np.pi / 2 + rng.normal(0, 0.2), bends, rng))
    # Rivers keep away from the site, so that neither hides the other.
    river_angle = rng.uniform(0, np.pi)
    aside = np.array((-np.sin(river_angle), np.cos(river_angle))) * rng.choice((-1, 1)) * rng.uniform(0.15, 0.32)
    river = path(np.clip(site + aside, 0.15, 0.85), river_angle, rng.uniform(0.05, 0.12), rng)
    image = np.empty((size, size, 4), np.float32)
    return Scene(image, np.ones((size, size), np.float32), labels, angle, site, river, roads[: rng.integers(1, 3)])


def grow_forest(ground: Ground, rng: Rng) -> None:
    """Fill the picture with crowns, hills and stands of trees."""
    canopy = ground.noise("canopy", rng)
    hills, slope, spread = ground.hills(rng)
    # Crowns shade one another less where several share a pixel.
    strength = 0.10 + 0.11 * min(1.0, ground.size / 256)
    light = 1 + np.float32(strength) * np.clip(canopy, -2, 2.5) + 0.04 * ground.noise("mottle", rng)
    if rng.random() < 0.3:
        light += np.float32(rng.uniform(0.05, 0.12) / spread) * slope
    else:
        light += 0.04 * hills
    # Kinds of trees: some stands are yellower and brighter in the near infrared.
    stands = 0.04 * ground.noise("broad", rng)[..., None] * np.array((0.2, 0.8, 1.2, 1.5), np.float32)
    ground.image[:] = light[..., None] * pick((FOREST,), rng, 0.12).astype(np.float32) * (1 + stands)


def _grow_grass(scene: Scene, rng: Rng) -> None:
    """Fill the chip with savanna or old pasture."""
    scene.forest[:] = 0
    light = 1 + 0.07 * scene.noise("fractal", rng) + 0.03 * scene.noise("mottle", rng)
    light += np.float32(0.025) * scene.noise("canopy", rng)
    scene.image[:] = light[..., None] * pick(GRASSLANDS, rng, 0.1).astype(np.float32)


def tone(ground: Ground, rng: Rng) -> None:
    """Give the picture a sun, an air and a camera of its own."""
    gain = rng.normal(1, 0.09) * rng.normal(1, 0.035, 4)
    air = rng.uniform(0, 0.05) * np.array((1.2, 1.0, 0.8, 0.4)) + rng.normal(0, 0.008, 4)
    ground.image *= np.clip(gain, 0.7, 1.3).astype(np.float32)
    ground.image += air.astype(np.float32)


def _cover_partly(scene: Scene, rng: Rng) -> None:
    """Scattered clouds, each with its shadow to one side."""
    billows = scene.noise("fractal", rng) + 0.1 * scene.noise("patch", rng) + 0.05 * scene.noise("mottle", rng)
    cut = np.quantile(billows, 1 - rng.uniform(0.1, 0.35))
    cloud = np.clip((billows - cut) * np.float32(rng.uniform(1.2, 2.2)), 0, 1).astype(np.float32)
    offset = (rng.uniform(0.06, 0.14, 2) * rng.choice((-1, 1), 2) * scene.size).astype(int)
    # The noise is tileable, so a cloud may leave on one side and its shadow enter on the other.
    lay_clouds(scene.image, billows - np.float32(cut), cloud, np.roll(cloud, tuple(offset.tolist()), axis=(0, 1)))


def lay_clouds(image: Floats, rise: Floats, cloud: Floats, shadow: Floats) -> None:
    """Lay clouds and their shadows onto an image in place, whiter the higher they `rise`.

    Args:
        image: (height, width, 4).
        rise: height of the billows, (height, width), above that at which cloud begins.
        cloud: opacity of the clouds, (height, width) in [0, 1].
        shadow: opacity of the clouds that stand between the sun and each place.
    """
    image *= 1 - np.float32(0.5) * shadow[..., None]
    white = 0.80 + 0.07 * np.clip(rise, 0, 2.5)
    blend(image, 0.97 * cloud, white[..., None] * np.array((1.0, 0.99, 0.98, 0.85), np.float32))


def cover_haze(ground: Ground, rng: Rng, extent: Floats | float = 1.0) -> None:
    """A whitish-blue veil that takes the contrast away, less so in the near infrared; as thick as its `extent` says."""
    veil = rng.uniform(0.42, 0.62) * np.array((1.06, 1.02, 0.95, 0.95)) * rng.normal(1, 0.02, 4)
    thickness = extent * np.clip(rng.uniform(0.55, 0.75) + 0.05 * ground.noise("broad", rng), 0.4, 0.85)
    ground.image += (thickness[..., None] * np.array((1.05, 1, 0.95, 0.55), np.float32)) * (
        veil.astype(np.float32) - ground.image
    )


def _cover_fully(scene: Scene, rng: Rng) -> None:
    """Cloud from rim to rim, smooth or in billows."""
    billows = scene.noise("fractal", rng)
    white = rng.uniform(0.55, 0.85) + np.float32(rng.uniform(0.01, 0.07)) * billows
    tint = np.array((1.0, 1.0, 0.98, 0.85)) * rng.normal(1, 0.02, 4)
    cover = np.clip(0.97 + 0.04 * billows, 0.85, 1).astype(np.float32)
    blend(scene.image, cover, white[..., None].astype(np.float32) * tint.astype(np.float32))


WEATHERS: dict[str, Callable[[Scene, Rng], None]] = {
    "partly_cloudy": _cover_partly,
    "haze": cover_haze,
    "cloudy": _cover_fully,
}
