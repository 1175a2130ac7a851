"""Outlines of regions of cells: corners found among the ends of runs, and linked to rings.

GDAL polygonises too, but from a plane of 32-bit numbers held as a whole (256 MB of 8,000 x 8,000 cells, against what
the runs take), and where cells of a region touch by a corner alone it makes rings that cross themselves, which readers
refuse. Here such a region is a multipolygon, and a ring that comes back to a corner is a ring and a hole.

Each of a run's four corners is one of the outline, unless that of a run above or below takes it up. Along a line
between rows, corners pair to the outline's horizontal sides, and along a line between columns to its vertical ones.
"""

from __future__ import annotations

from array import array
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from competition.gdal.imports import import_map
from submissions.regions.runs import Ints, Runs, counting


class _Corners(NamedTuple):
    """Corners of outlines, from above and the left.

    Attributes:
        x: column line, int64 (num_corners,).
        y: row line.
        part: to which each belongs.
        is_end: whether it is at the end of a run, and not at the start.
        is_top: whether that run lies below it.
    """

    x: Ints
    y: Ints
    part: Ints
    is_end: NDArray[np.bool_]
    is_top: NDArray[np.bool_]


def outlines(runs: Runs, regions: Ints) -> NDArray[np.object_]:
    """Return the outlines of regions as valid multipolygons of shapely: x is a column line, y a row line.

    Args:
        runs: of cells.
        regions: of each run its region, from 0, int array (num_runs,).

    Returns:
        Object array (num_regions,).
    """
    shapely = import_map("shapely")
    if not len(runs):
        return np.zeros(0, dtype=object)
    parts = runs.regions(4)
    region_of = np.zeros(parts.max() + 1, dtype=np.int64)
    region_of[parts] = regions
    corners = _corners(runs, parts)
    across, down, tails = _sides(corners)
    order, begins = _rings(down[across], tails)
    lengths, tail = np.diff(begins, append=len(order)), order
    points = np.stack([_at(corners, tail), _at(corners, across[tail])], axis=1)  # of each horizontal side, both ends
    is_hole = np.add.reduceat((points[:, 1, 0] - points[:, 0, 0]) * points[:, 0, 1], begins) > 0
    part = corners.part[tail[begins]]
    placed = np.lexsort((is_hole, part, region_of[part]))  # each part's outer ring before its holes
    sides = np.repeat(begins[placed], lengths[placed]) + counting(lengths[placed])
    closed = np.cumsum(2 * lengths[placed])
    rings = np.insert(points[sides].reshape(-1, 2), closed, points[begins[placed], 0], axis=0)
    outer = np.flatnonzero(~is_hole[placed])
    polygons = np.bincount(region_of[part[placed[outer]]])
    offsets = (
        np.concatenate([[0], closed + np.arange(1, len(begins) + 1)]),
        np.append(outer, len(begins)),
        np.concatenate([[0], np.cumsum(polygons)]),
    )
    made: NDArray[np.object_] = shapely.from_ragged_array(
        shapely.GeometryType.MULTIPOLYGON, rings.astype(np.float64), offsets
    )
    return made


def _corners(runs: Runs, parts: Ints) -> _Corners:
    """Return the corners of outlines, sorted by row line, column line, and ends before starts."""
    lines = runs.row.astype(np.int64)
    four = [(x, y, end, top) for end, x in enumerate((runs.start, runs.end)) for top, y in ((1, lines), (0, lines + 1))]
    x, y = (np.concatenate([corner[axis] for corner in four]).astype(np.int64) for axis in (0, 1))
    is_end, is_top = (np.repeat([bool(corner[axis]) for corner in four], len(runs)) for axis in (2, 3))
    part = np.tile(parts, 4)
    key = (y * (runs.columns + 1) + x) * 2 + ~is_end
    order = np.argsort(key, kind="stable")
    same = key[order[1:]] == key[order[:-1]]  # the side of the run above goes on below
    kept = order[~(np.append(same, False) | np.insert(same, 0, False))]
    return _Corners(x[kept], y[kept], part[kept], is_end[kept], is_top[kept])


def _sides(corners: _Corners) -> tuple[Ints, Ints, Ints]:
    """Return to which corner each is linked across, and down, and the corners from which horizontal sides are walked.

    They are walked with the region to the right hand, as seen from above.
    """
    x, y, part, is_end, is_top = corners
    every = np.arange(len(x))
    across = _paired(every)
    # Where two runs touch by a corner, two corners are at one place: of one part, outside is parted there, or else it.
    twice = np.flatnonzero((x[1:] == x[:-1]) & (y[1:] == y[:-1]))
    joined = twice[part[twice] == part[twice + 1]]
    later = is_top.copy()
    later[joined], later[joined + 1] = ~is_top[joined], ~is_top[joined + 1]
    down = np.empty_like(across)
    order = np.lexsort((later, y, x))
    down[order] = order[_paired(every)]
    left = every[::2]
    return across, down, np.where(is_end[left] != is_top[left], left, left + 1)


def _rings(following: Ints, tails: Ints) -> tuple[Ints, Ints]:
    """Return corners ring by ring, and where in them each ring begins.

    Args:
        following: the corner from which the next horizontal side is walked, of each.
        tails: corners to begin with, in order.
    """
    after, seen = following.tolist(), bytearray(len(following))
    order, begins = array("q"), array("q")
    for tail in tails.tolist():
        if seen[tail]:
            continue
        begins.append(len(order))
        at = tail
        while not seen[at]:
            seen[at] = 1
            order.append(at)
            at = after[at]
    return np.frombuffer(order, dtype=np.int64), np.frombuffer(begins, dtype=np.int64)


def _paired(every: Ints) -> Ints:
    return every ^ 1


def _at(corners: _Corners, places: Ints) -> Ints:
    return np.stack([corners.x[places], corners.y[places]], axis=1)
