"""From a score raster to detections.

The raster is read once, in blocks of rows, and of a block no more is held than one label's scores (of all labels, where
cuts do not decide). What is kept grows with what is decided: its runs of cells, then its outlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import unknown_name
from competition.common.interrupts import check
from competition.common.progress import reporter
from competition.common.text import counted
from competition.scenes.score_raster import BLOCK, ScoreRaster
from submissions.map.detections import Detections
from submissions.map.rules import MapRule
from submissions.regions.ground import Ground
from submissions.regions.regions import Measured, Regions
from submissions.regions.runs import Runs

HECTARES = 100  # in a square kilometre


@dataclass(frozen=True)
class Isolation:
    """When a region is isolated, and what score it then needs.

    Source: Amazon Mining Watch, which takes 3 km to the fifth neighbour, and .75 in place of .43.

    Attributes:
        km: within which it lacks `NEAR` other cells of its label.
        cut: that the highest score of an isolated region must reach; 0: any will do.
    """

    km: float
    cut: float = 0.0


def decide(
    raster: ScoreRaster,
    rule: MapRule,
    *,
    labels: Sequence[str] | None = None,
    neighbours: int = 8,
    smallest_ha: float = 0.0,
    isolation: Isolation | None = None,
) -> Detections:
    """Return the connected regions of cells that a rule decides.

    Args:
        raster: of the scores.
        rule: that decides.
        labels: that are wanted; None: all.
        neighbours: 8, so that cells are connected that share a corner, or 4: a side.
        smallest_ha: least area of a region in hectares.
        isolation: when regions need a higher score.

    Raises:
        UserError: if the raster lacks a label, or is damaged.
    """
    asked = chosen(raster, labels)
    ground, most, notes = Ground(raster), raster.scored.unknown - 1, []
    every: list[tuple[Measured, NDArray[np.bool_]]] = []
    for label, runs in runs_of(raster, rule, asked).items():
        regions = Regions(runs, runs.regions(neighbours), ground, most)
        kept = regions.area_km2 * HECTARES >= smallest_ha
        if small := int((~kept).sum()):
            notes.append(f"{label}: {counted(small, 'region')} of less than {smallest_ha:g} ha left out.")
        isolated = np.zeros(len(kept), dtype=bool)
        if isolation is not None:
            isolated = regions.isolated(isolation.km)
            weak = kept & isolated & (regions.highest < isolation.cut)
            kept &= ~weak
            if weak.any():
                left = counted(int(weak.sum()), "isolated region")
                notes.append(f"{label}: {left} with a score below {isolation.cut:g} left out.")
        order = regions.ranked(kept)
        every.append((regions.measured(order), isolated[order]))
    return Detections(
        raster=raster,
        rule=rule,
        asked=asked,
        label=np.repeat([raster.labels.index(label) for label in asked], [len(part) for _, part in every]),
        measured=Measured.joined([part for part, _ in every]),
        isolated=np.concatenate([part for _, part in every]),
        left_out=tuple(notes),
        neighbours=neighbours,
    )


def chosen(raster: ScoreRaster, labels: Sequence[str] | None) -> tuple[str, ...]:
    """Return the labels that are wanted, in the raster's order.

    Raises:
        UserError: if the raster lacks one.
    """
    for label in labels or ():
        if label not in raster.labels:
            raise unknown_name("label", label, list(raster.labels))
    return tuple(label for label in raster.labels if labels is None or label in labels)


def runs_of(raster: ScoreRaster, rule: MapRule, labels: tuple[str, ...]) -> dict[str, Runs]:
    """Return the runs of decided cells by label.

    Raises:
        UserError: if the raster is damaged.
    """
    none = np.zeros((0, raster.columns), dtype=np.uint8)
    parts = {label: [Runs.of(none.view(bool), none)] for label in labels}
    with reporter.bar(-(-raster.rows // BLOCK) * len(labels), "deciding", "block") as bar:
        for first, label, decided, codes in rule.planes(raster, labels):
            check()
            parts[label].append(Runs.of(decided, codes, first))
            bar.update()
    return {label: Runs.joined(found) for label, found in parts.items()}
