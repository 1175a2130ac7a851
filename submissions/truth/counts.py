"""What was decided of a scene held against what is truly there: cells counted by block of ground, and regions."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.interrupts import check
from competition.common.progress import reporter
from competition.common.text import first
from competition.gdal.imports import import_map
from competition.gdal.vectors import Features
from competition.scenes.score_raster import BLOCK, ScoreRaster
from submissions.map.detections import Detections
from submissions.regions.runs import Runs
from submissions.truth.cover import Shares, in_cells, widened
from submissions.truth.figures import Counts
from submissions.truth.known import Known

SIDES = 8  # of a chip along a block of ground, as of `scene chips`


@dataclass(frozen=True)
class Regions:
    """Connected regions of cells.

    Attributes:
        true: of cells that carry the label.
        found: of these, such as hold a decided cell.
        decided: of decided cells.
        right: of these, such as hold a cell that the label touches.
    """

    true: int
    found: int
    decided: int
    right: int

    def __add__(self, other: Regions) -> Regions:
        return Regions(
            self.true + other.true, self.found + other.found, self.decided + other.decided, self.right + other.right
        )


@dataclass(frozen=True, eq=False)
class Counted:
    """What was counted of one label in one scene, or in one region of it.

    Attributes:
        label: its name.
        region: the region's name; "" of all that is counted.
        cells: by block of ground and kind, int64 (num_blocks, 4), see `figures`.
        scores: cells by truth and number on disk, int64 (2, num_codes); the last is that of unknown ones.
        regions: of cells.
        unknown: cells whose score is not known.
        touched: cells that the label touches, and does not cover enough, which are left out.
        is_there: whether it is anywhere in the scene.
    """

    label: str
    region: str
    cells: Counts
    scores: NDArray[np.int64]
    regions: Regions
    unknown: int
    touched: int
    is_there: bool


@dataclass(frozen=True)
class Terms:
    """On which terms a map is held against the truth.

    Attributes:
        least: share of a cell that features of a label must cover for it to carry the label.
        block_km: side of a block of ground; None: 8 chips' sides.
        buffer: metres to every side of lines and points that count as covered by them.
    """

    least: float
    block_km: float | None = None
    buffer: float = 0.0


def count(
    decided: Detections, truth: Features, told: Set[str], terms: Terms, known: Known | None = None
) -> list[Counted]:
    """Return what was counted of each label that was decided and that the truth tells of, in the raster's order.

    Args:
        decided: regions of a raster.
        truth: features in the raster's coordinate system.
        told: labels that the truth tells of; such as no feature has are nowhere.
        terms: of the comparison.
        known: where the truth is known; None: everywhere.

    Returns:
        Of each label what was counted of all, and then of each region.

    Raises:
        UserError: if they have no label in common, features are lines without a buffer, or the raster is damaged.
    """
    raster = decided.raster
    _check(truth, told, decided, terms)
    labels = tuple(label for label in decided.asked if label in told)
    shapes, named = in_cells(truth.geometries, raster), np.array(truth.labels, dtype=object)
    shares = Shares(*(widened(shapes, named, raster, terms.buffer) if terms.buffer else (shapes, named)), raster)
    parts = dict((known or Known.of(raster)).parts())
    blocks, found = _blocks(raster, terms), list[Counted]()
    with reporter.bar(len(labels), "measuring what is there", "label") as bar:
        for label in labels:
            share, counters = shares.of(label), {region: _Counter(raster, label) for region in parts}
            for start in range(0, raster.rows, BLOCK):
                check()
                codes = raster.codes(label, start, start + BLOCK)
                rows = slice(start, start + len(codes))
                plane = decided.plane(label, rows.start, rows.stop)
                for region, counter in counters.items():
                    counter.add(start, blocks[rows], parts[region][rows], share[rows], terms.least, plane, codes)
            is_there = bool(share.any())
            found += [each.counted(region, decided.neighbours, is_there) for region, each in counters.items()]
            bar.update()
    return found


class _Counter:
    """Counts the cells of one label, some rows after another."""

    def __init__(self, raster: ScoreRaster, label: str) -> None:
        self.label, self.unknown_code = label, raster.scored.unknown
        self.cells = np.zeros((0, 4), dtype=np.int64)
        self.scores = np.zeros((2, self.unknown_code + 1), dtype=np.int64)
        self.unknown = self.touched = 0
        none = np.zeros((0, raster.columns), dtype=np.uint8)
        self.true, self.decided = ([Runs.of(none.view(bool), none)] for _ in range(2))

    def add(
        self,
        start: int,
        blocks: NDArray[np.int64],
        asked: NDArray[np.bool_],
        share: NDArray[np.float32],
        least: float,
        decided: NDArray[np.bool_],
        codes: NDArray[np.integer],
    ) -> None:
        known = asked & (codes != self.unknown_code)
        is_true = known & (share >= least) & (share > 0)
        touched = known & (share > 0)
        told = known & ~(touched & ~is_true)
        self.unknown += int((asked & ~known).sum())
        self.touched += int((known & ~told).sum())
        kind = blocks[told] * 4 + 2 * is_true[told] + decided[told]
        counted = np.bincount(kind, minlength=len(self.cells) * 4)
        counted = np.pad(counted, (0, -len(counted) % 4)).reshape(-1, 4)
        counted[: len(self.cells)] += self.cells
        self.cells = counted
        for truth in (0, 1):
            self.scores[truth] += np.bincount(codes[told & (is_true == truth)], minlength=self.unknown_code + 1)
        self.true.append(Runs.of(is_true, decided.view(np.uint8), start))
        self.decided.append(Runs.of(decided & known, touched.view(np.uint8), start))

    def counted(self, region: str, neighbours: int, is_there: bool) -> Counted:
        """Return what was counted of a region's cells, regions of cells by so many neighbours of a cell."""
        true, found = _regions(Runs.joined(self.true), neighbours)
        decided, right = _regions(Runs.joined(self.decided), neighbours)
        regions = Regions(true, found, decided, right)
        return Counted(self.label, region, self.cells, self.scores, regions, self.unknown, self.touched, is_there)


def _regions(runs: Runs, neighbours: int) -> tuple[int, int]:
    """Return how many regions there are, and how many hold a cell that is marked."""
    if not len(runs):
        return 0, 0
    marked = np.bincount(runs.regions(neighbours), weights=runs.total)
    return len(marked), int((marked > 0).sum())


def _blocks(raster: ScoreRaster, terms: Terms) -> NDArray[np.int64]:
    """Return the number of each cell's block, int64 (rows, columns)."""
    scored = raster.scored
    side = SIDES * scored.chip_metres if terms.block_km is None else 1000 * terms.block_km
    across, down = (max(1, round(side / (m * s))) for m, s in zip(scored.metres, scored.grid.stride, strict=True))
    in_row = -(-raster.columns // across)
    return np.arange(raster.rows)[:, None] // down * in_row + np.arange(raster.columns) // across


def _check(truth: Features, told: Set[str], decided: Detections, terms: Terms) -> None:
    if not told & set(decided.asked):
        raise UserError(
            f"No label of the truth is one that was decided. It has {first(sorted(told)) or 'none'}, and decided in "
            f"{decided.raster.path} are {first(decided.asked)}."
        )
    lines = import_map("shapely").get_dimensions(truth.geometries) == 1
    if lines.any() and not terms.buffer:
        whose: Sequence[str] = sorted({label for label, is_line in zip(truth.labels, lines, strict=True) if is_line})
        raise UserError(
            f"Features of {first(whose)} are lines, which cover no ground. Give --buffer METRES, half their width."
        )
