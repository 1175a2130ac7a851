"""A score raster as a page holds it: planes of numbers from 0 to 254, packed, and where its cells lie."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.interrupts import check
from competition.scenes.ground import on_ground
from competition.scenes.score_raster import BLOCK, ScoreRaster
from submissions.decide.decisions import at_or_above
from submissions.map.rules import MapRule
from submissions.regions.ground import Ground

UNKNOWN = 255  # of a cell whose score is not known; scores are the numbers below
MOST_CELLS = 4_000_000  # of all labels; of more, several are shown as one
SPANS = 8  # along each side, between places whose longitude and latitude a page knows


def coarsening(raster: ScoreRaster, num_labels: int) -> int:
    """Return how many cells along each side a page shows as one."""
    return max(1, math.ceil(math.sqrt(raster.rows * raster.columns * num_labels / MOST_CELLS)))


def plane_of(raster: ScoreRaster, label: str, factor: int) -> NDArray[np.uint8]:
    """Return a label's scores, uint8 (rows, columns): of several cells that are shown as one the highest.

    Args:
        raster: of the scores.
        label: of it.
        factor: cells along each side that are shown as one.
    """
    unknown, rows = raster.scored.unknown, max(1, BLOCK // factor) * factor
    parts = []
    for first in range(0, raster.rows, rows):
        check()
        codes = raster.codes(label, first, first + rows).astype(np.int64)
        scores = np.where(codes == unknown, -1, np.rint(codes * (UNKNOWN - 1) / (unknown - 1)).astype(np.int64))
        scores = np.pad(scores, [(0, -side % factor) for side in scores.shape], constant_values=-1)
        shape = scores.shape[0] // factor, factor, scores.shape[1] // factor, factor
        parts.append(scores.reshape(shape).max(axis=(1, 3)))
    plane = np.concatenate(parts)
    return np.where(plane < 0, UNKNOWN, plane).astype(np.uint8)


def packed(plane: NDArray[np.uint8]) -> str:
    """Return a plane as text: Base64 of zlib's format of differences, modulo 256, first downwards, then to the right.

    Neighbouring windows overlap, so that their scores are near each other: differences take half the room.
    """
    down = np.diff(plane, axis=0, prepend=np.zeros_like(plane[:1]))
    right = np.diff(down, axis=1, prepend=np.zeros_like(down[:, :1]))
    return base64.b64encode(zlib.compress(right.tobytes(), 9)).decode()


def first_reached(rule: MapRule, label: str) -> int:
    """Return the least number of a plane that reaches a label's cut; `UNKNOWN` where none does."""
    reached = at_or_above(np.arange(UNKNOWN, dtype=np.float32) / np.float32(UNKNOWN - 1), rule.cuts[label])
    return int(np.argmax(reached)) if reached.any() else UNKNOWN


def content_of(raster: ScoreRaster, rule: MapRule, labels: Sequence[str]) -> dict[str, Any]:
    """Return what a page holds of a raster, of values that JSON knows.

    Args:
        raster: of the scores.
        rule: whose cuts a page begins with.
        labels: that it shows.

    Raises:
        UserError: if the raster is damaged.
    """
    factor, scored = coarsening(raster, len(labels)), raster.scored
    sky = {*scored.alone, *scored.hides, *(label for group in scored.exclusive for label in group)}
    planes = [plane_of(raster, label, factor) for label in labels]
    rows, columns = planes[0].shape
    return {
        "rows": rows,
        "columns": columns,
        "factor": factor,
        "labels": [
            {"name": label, "first": first_reached(rule, label), "plane": packed(plane), "sky": label in sky}
            for label, plane in zip(labels, planes, strict=True)
        ],
        "areas": _areas(raster, factor),
        "degrees": _degrees(raster, factor),
    }


def _areas(raster: ScoreRaster, factor: int) -> list[list[float]]:
    """Return the area of what is shown as a cell, in km2, as far as the scene reaches: of each row, and times what of
    each column."""
    ground = Ground(raster)
    starts = [np.arange(0, side, factor) for side in (raster.rows, raster.columns)]
    middle = raster.columns // 2
    by_row = np.zeros(len(starts[0]))
    for step in range(factor):
        row = np.minimum(starts[0] + step, raster.rows - 1)
        by_row += ground.km2(row, np.full(len(row), middle), np.full(len(row), middle + 1)) * (
            starts[0] + step < raster.rows
        )
    ends = np.minimum(starts[1] + factor, min(ground.width, raster.columns))
    return [[float(f"{value:.6g}") for value in by_row], [round(float(value), 6) for value in ends - starts[1]]]


def _degrees(raster: ScoreRaster, factor: int) -> list[list[list[float]]] | None:
    """Return longitude and latitude on a grid of places from the upper left to the lower right; None if unknown."""
    if not raster.wkt:
        return None
    a, b, c, d, e, f = raster.transform
    sides = (-(-side // factor) * factor for side in (raster.rows, raster.columns))
    rows, columns = (np.linspace(0, side, SPANS + 1) for side in sides)
    places = [(a * column + b * row + c, d * column + e * row + f) for row in rows for column in columns]
    found = np.array(on_ground(raster.wkt, places)).reshape(SPANS + 1, SPANS + 1, 2)
    return None if not np.isfinite(found).all() else [[list(map(_rounded, each)) for each in row] for row in found]


def _rounded(degrees: float) -> float:
    return round(float(degrees), 6)
