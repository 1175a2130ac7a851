"""Where chips are cut: around points, within polygons, and beside and far from them; and which labels they carry."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.common.text import counted, first
from competition.gdal.imports import import_map
from competition.gdal.vectors import Features, read_features
from competition.scene_chips.blocks import Blocks
from competition.scene_chips.rules import Rules
from competition.scenes.grid import Window
from competition.scenes.scene import Scene

JITTER = 0.25  # of a chip's side: so far a point may lie off the middle, or all would be learned to lie there
MOST_OF_ONE = 20  # chips within one polygon
SHARED = 0.5  # of a chip: one that shares more with another is left out
LEAST_OF_CHIP = 0.005  # of a chip that a polygon must cover to label it,
LEAST_OF_SHAPE = 0.5  # or else of the polygon that must lie in the chip
NEAR = 3.0  # chips' sides: negatives nearby lie so near to a feature
TRIES = 200  # random places of which those in a polygon are taken
BATCH, PATIENCE = 256, 4  # random places looked at together for negatives; so often without finding one


@dataclass(frozen=True)
class Place:
    """Where a chip is cut.

    Attributes:
        scene: that it is cut from.
        window: of the scene.
        labels: that the chip carries, sorted.
        group: the block in which it lies.
        negative: no feature shows in it.
    """

    scene: Scene
    window: Window
    labels: tuple[str, ...]
    group: str
    negative: bool = False


class Ground:
    """Features on a scene, in its pixels, and what chips of them say.

    Args:
        features: in the scene's coordinate system.
        blocks: of the scene, that chips stay within.
        rules: that their labels keep to.
    """

    def __init__(self, features: Features, blocks: Blocks, rules: Rules) -> None:
        self._shapely, self.scene, self._window = import_map("shapely"), blocks.scene, blocks.window
        self._blocks, self._rules, scene = blocks, rules, blocks.scene
        shapes = self._shapely.transform(features.geometries, lambda xy: _to_pixels(scene, xy))
        inside = self._shapely.intersects(shapes, self._shapely.box(0, 0, scene.width, scene.height))
        self.shapes, self.labels = shapes[inside], [features.labels[place] for place in np.flatnonzero(inside)]
        self._hides = np.isin(np.array(self.labels, dtype=object), np.array(rules.alone, dtype=object))
        self.num_outside = int((~inside).sum())
        self._tree = self._shapely.STRtree(self.shapes)
        self._taken: dict[tuple[int, int], list[Window]] = {}

    def positives(self, rng: np.random.Generator) -> Iterator[Place]:
        """Yield chips around points and within polygons, none of which shares half with another."""
        for shape in self.shapes:
            for placed in self._blocks.place(list(self._points_in(shape, rng))):
                place = self._placed(*placed)
                if place is not None and not place.negative:
                    yield place

    def labels_in(self, window: Window) -> tuple[str, ...]:
        """Return the labels that a chip carries."""
        return self._rules.labels(self._shown_in(window))

    def negatives(self, count: int, rng: np.random.Generator) -> Iterator[Place]:
        """Yield chips that no feature touches: half of them near features, the others anywhere farther away.

        Where there is no room for so many, there are fewer.
        """
        near = count // 2 if len(self.shapes) else 0
        for is_near, wanted in ((True, near), (False, count - near)):
            yield from islice(self._beside(rng, is_near=is_near), wanted)

    def anywhere(self, count: int, rng: np.random.Generator) -> Iterator[Place]:
        """Yield chips at random places, whatever shows in them; there are fewer where there is no room for so many."""
        yield from islice(self._at_random(rng), count)

    def _at_random(self, rng: np.random.Generator) -> Iterator[Place]:
        """Yield chips at random places, until there is no room for any."""
        while made := [place for each in self._somewhere(rng, is_near=False) if (place := self._placed(*each))]:
            yield from made

    def _beside(self, rng: np.random.Generator, *, is_near: bool) -> Iterator[Place]:
        """Yield chips that no feature touches, until none is found any more."""
        fruitless = 0
        while fruitless < PATIENCE:
            fruitless += 1
            placed = self._somewhere(rng, is_near=is_near)
            boxes = [_box(self._shapely, window) for window, _ in placed]
            touched, _ = self._tree.query(boxes, predicate="intersects")
            reached, _ = self._tree.query(boxes, predicate="dwithin", distance=NEAR * max(self._window))
            fits = np.isin(np.arange(BATCH), reached) == is_near
            fits[touched] = False
            for place in np.flatnonzero(fits):
                window, group = placed[place]
                if self._take(window):
                    fruitless = 0
                    yield Place(self.scene, window, self._rules.labels({}), group, negative=True)

    def _somewhere(self, rng: np.random.Generator, *, is_near: bool) -> list[tuple[Window, str]]:
        """Return random chips and their blocks: of the scene, or of the surroundings of features."""
        most = np.array(self.scene.size, dtype=float)
        if not is_near:
            return self._blocks.place(rng.uniform(0, most, (BATCH, 2)))
        reach = (NEAR + 1) * max(self._window)
        bounds = self._shapely.bounds(self.shapes[rng.integers(len(self.shapes), size=BATCH)])
        found = rng.uniform(bounds[:, :2] - reach, bounds[:, 2:] + reach)
        return self._blocks.place(np.clip(found, 0, most))

    def _points_in(self, shape: Any, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
        """Yield where chips of a feature lie: of points themselves, a little off; of polygons random places in them."""
        shapely = self._shapely
        if not shapely.area(shape):
            for x, y in shapely.get_coordinates(shape)[:MOST_OF_ONE]:
                off = rng.uniform(-JITTER, JITTER, 2) * self._window
                yield float(x + off[0]), float(y + off[1])
            return
        shape = shapely.intersection(shape, shapely.box(0, 0, *self.scene.size))
        wanted = min(MOST_OF_ONE, max(1, round(shapely.area(shape) / (self._window[0] * self._window[1]))))
        left, top, right, bottom = shapely.bounds(shape)
        tried = rng.uniform((left, top), (right, bottom), (TRIES, 2))
        found = tried[shapely.contains_xy(shape, tried[:, 0], tried[:, 1])][:wanted]
        if not len(found):
            found = shapely.get_coordinates(shapely.point_on_surface(shape))
        yield from ((float(x), float(y)) for x, y in found)

    def _placed(self, window: Window, group: str) -> Place | None:
        if not self._take(window):
            return None
        shown = self._shown_in(window)
        return Place(self.scene, window, self._rules.labels(shown), group, negative=not shown)

    def _shown_in(self, window: Window) -> dict[str, float]:
        """Return the labels of the features that show in a chip, and the share of it that each covers."""
        shapely, box = self._shapely, _box(self._shapely, window)
        found = np.sort(self._tree.query(box, predicate="intersects"))
        shapes, labels, hides = self.shapes[found], [self.labels[place] for place in found], self._hides[found]
        seen = shapely.intersection(shapes, box)
        if hides.any():
            seen[~hides] = shapely.difference(seen[~hides], shapely.union_all(seen[hides]))
        whole, shared = shapely.area(shapes), shapely.area(seen)
        least = np.minimum(LEAST_OF_CHIP * shapely.area(box), LEAST_OF_SHAPE * whole)
        shows = np.where(whole == 0, ~shapely.is_empty(seen), shared >= least)
        parts: dict[str, list[Any]] = {}
        for place in np.flatnonzero(shows):
            parts.setdefault(labels[place], []).append(seen[place])
        return {
            label: float(shapely.area(shapely.union_all(of_label)) / shapely.area(box))
            for label, of_label in parts.items()
        }

    def _take(self, window: Window) -> bool:
        """Take a chip, unless it shares half with one that is taken."""
        cell = window.x // window.width, window.y // window.height
        near = [
            taken
            for column in range(cell[0] - 1, cell[0] + 2)
            for row in range(cell[1] - 1, cell[1] + 2)
            for taken in self._taken.get((column, row), ())
        ]
        if any(_shared(window, taken) > SHARED for taken in near):
            return False
        self._taken.setdefault(cell, []).append(window)
        return True


def grounds_of(blocks: Sequence[Blocks], files: Sequence[Path], column: str, rules: Rules) -> list[Ground]:
    """Return the ground of scenes, with what files say of it.

    Args:
        blocks: of each scene.
        files: of features, one for each scene, or one for all.
        column: that says their labels.
        rules: that the labels of chips keep to.

    Raises:
        UserError: if there are not as many files as scenes, one cannot be read, or no feature lies on any scene.
    """
    if len(files) not in (1, len(blocks)):
        raise UserError(
            f"Expected a file of features for each of {counted(len(blocks), 'scene')}, or one for all, received "
            f"{len(files)}. Give it as often as there are scenes."
        )
    files = tuple(files) * (len(blocks) // len(files))
    read = lru_cache(maxsize=None)(lambda file, wkt: read_features(file, wkt, column))
    grounds = [Ground(read(file, each.scene.wkt), each, rules) for each, file in zip(blocks, files, strict=True)]
    bare = [ground.scene.source.shown for ground in grounds if not len(ground.shapes)]
    if len(bare) == len(grounds):
        raise UserError(f"None of the features lies on {first(bare)}. Is it the scene that they were drawn on?")
    if bare:
        reporter.say(f"No feature lies on {first(bare)}.")
    return grounds


def sample_places(grounds: Sequence[Ground], num_negatives: int, seed: int, num_anywhere: int = 0) -> list[Place]:
    """Return where chips are cut: around features, beside them, and anywhere; the same for a seed.

    Args:
        grounds: of the scenes; the larger one has more of the negatives, and of the chips anywhere.
        num_negatives: chips beside all features.
        seed: of what is random.
        num_anywhere: further chips, whatever they show.
    """
    sizes = [ground.scene.width * ground.scene.height * math.prod(ground.scene.metres) for ground in grounds]
    negatives, anywhere = (_dealt(total, sizes) for total in (num_negatives, num_anywhere))
    streams = [np.random.default_rng(each) for each in np.random.SeedSequence(seed).spawn(3 * len(grounds))]
    positive, negative, further = list[Place](), list[Place](), list[Place]()
    for number, ground in enumerate(grounds):
        of_features, of_negatives, of_any = streams[3 * number : 3 * number + 3]
        positive += ground.positives(of_features)
        negative += ground.negatives(negatives[number], of_negatives)
        further += ground.anywhere(anywhere[number], of_any)
    for made, wanted, what in ((negative, num_negatives, "negative"), (further, num_anywhere, "chip")):
        if len(made) < wanted:
            reporter.say(f"There is room for {len(made):,} of {counted(wanted, what)}.")
    return [*positive, *negative, *further]


def _dealt(total: int, sizes: Sequence[float]) -> list[int]:
    """Return a number in parts as large as the sizes say."""
    ends = np.rint(total * np.cumsum(sizes) / sum(sizes)).astype(int)
    return [int(part) for part in np.diff(ends, prepend=0)]


def _to_pixels(scene: Scene, xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return coordinates (num_points, 2) of a scene's coordinate system as (column, row)."""
    a, b, c, d, e, f = scene.transform
    return np.linalg.solve(np.array([[a, b], [d, e]]), (xy - (c, f)).T).T


def _box(shapely: Any, window: Window) -> Any:
    return shapely.box(window.x, window.y, window.x + window.width, window.y + window.height)


def _shared(one: Window, other: Window) -> float:
    """Return the share of a chip that another one of its size covers."""
    width = one.width - abs(one.x - other.x)
    height = one.height - abs(one.y - other.y)
    return max(0, width) * max(0, height) / (one.width * one.height)
