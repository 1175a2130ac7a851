"""Which cells of a map are held against the truth: those where it is known, and in which of some named regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.text import first
from competition.gdal.imports import import_map
from competition.gdal.vectors import Features
from competition.scenes.score_raster import ScoreRaster
from submissions.truth.cover import cover, in_cells

INSIDE = 0.5  # of a cell that must lie in an area or region
NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Known:
    """Which cells are counted, and where.

    Attributes:
        names: of regions; () where none are asked for.
        region: of each cell the place of its region's name, 0 where none are asked for, and `NOWHERE` of cells that are
            left out: int64 (rows, columns).
    """

    names: tuple[str, ...]
    region: NDArray[np.int64]

    @classmethod
    def of(cls, raster: ScoreRaster, area: NDArray[np.object_] | None = None, regions: Features | None = None) -> Known:
        """Return which cells are counted.

        Args:
            raster: of the cells.
            area: polygons of where the truth is known, in the raster's coordinate system; None: everywhere.
            regions: polygons with a name, likewise: a cell that lies in several is of the one that covers most of it,
                and one that lies in none is left out; None: none are asked for.
        """
        region = np.zeros((raster.rows, raster.columns), dtype=np.int64)
        names = () if regions is None else tuple(dict.fromkeys(regions.labels))
        if regions is not None:
            _check(regions)
            most, named = np.full(region.shape, INSIDE, dtype=np.float32), np.array(regions.labels, dtype=object)
            region[:] = NOWHERE
            for place, name in enumerate(names):
                share = cover(in_cells(regions.geometries[named == name], raster), raster)
                larger = (share >= most) & ((region == NOWHERE) | (share > most))
                region[larger], most[larger] = place, share[larger]
        if area is not None:
            region[cover(in_cells(area, raster), raster) < INSIDE] = NOWHERE
        return cls(names, region)

    def parts(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield the cells that are counted together, bool (rows, columns): all, as "", and those of each region."""
        yield "", self.region != NOWHERE
        yield from ((name, self.region == place) for place, name in enumerate(self.names))


def _check(regions: Features) -> None:
    flat = import_map("shapely").get_dimensions(regions.geometries) < 2
    if flat.any():
        whose = sorted({name for name, is_flat in zip(regions.labels, flat, strict=True) if is_flat})
        raise UserError(f"Regions are polygons, and features of {first(whose)} are points or lines. Leave them out.")
