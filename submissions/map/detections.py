"""Detections: connected regions of cells that carry a label, as a table and as a file that other tools open."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.files import replace_atomically
from competition.common.interrupts import check
from competition.common.text import counted
from competition.gdal.imports import import_map, unwarned
from competition.scenes.score_raster import ScoreRaster
from competition.terminal.tables import table
from submissions.map.rules import MapRule, shown_cut
from submissions.regions.ground import Ground
from submissions.regions.regions import Measured
from submissions.regions.runs import Ints

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf"}
LAYER = "detections"
NO_DATE = "2000-01-01"  # in a GeoPackage, of a scene of which nobody knows when it was taken
DEGREES = "EPSG:4326"


@dataclass(frozen=True, eq=False)
class Detections:
    """Regions of cells that carry a label, sorted by label as the raster has them, then by falling highest score.

    Attributes:
        raster: in which they are.
        rule: that decided them.
        asked: the labels that were decided.
        label: place of each one's label in `raster.labels`, int64 (num,).
        measured: of each, see `Measured`.
        isolated: whether it lies far from others of its label, bool (num,).
        left_out: lines that say what was left out.
        neighbours: of a cell, by which regions hang together: 4 or 8.
    """

    raster: ScoreRaster
    rule: MapRule
    asked: tuple[str, ...]
    label: Ints
    measured: Measured
    isolated: NDArray[np.bool_]
    left_out: tuple[str, ...] = ()
    neighbours: int = 8

    def __len__(self) -> int:
        return len(self.label)

    @property
    def labels(self) -> list[str]:
        """The label of each."""
        return [self.raster.labels[place] for place in self.label.tolist()]

    @cached_property
    def geometries(self) -> NDArray[np.object_]:
        """Multipolygons in the raster's coordinate system, object array (num,)."""
        return in_coordinates(self.measured.shapes, self.raster)

    def plane(self, label: str, first: int, stop: int) -> NDArray[np.bool_]:
        """Return which cells of some rows carry a label that was asked for: bool array (stop - first, columns)."""
        runs, _ = self.measured.parts[self.asked.index(label)]
        return runs.plane(first, stop)

    def write(self, path: Path) -> None:
        """Write them to a GeoPackage, GeoJSON or FlatGeobuf file, whole or not at all; the same ones, the same bytes.

        Raises:
            UserError: as `write_features`.
        """
        scored = self.raster.scored
        columns = {
            "label": np.array(self.labels, dtype=object),
            "area_km2": self.measured.area_km2.round(6),  # to the square metre
            "cells": self.measured.cells,
            "mean": self.measured.mean.round(4),
            "highest": self.measured.highest.round(4),
            "isolated": self.isolated,
            "date": np.full(len(self), scored.date, dtype=object),
            "scene": np.full(len(self), scored.scene, dtype=object),
        }
        write_features(path, self.measured, columns, self.raster, LAYER)

    def text(self) -> str:
        """Return how many there are of each label, and by what they were decided."""
        rows = [
            (
                row["label"],
                shown_cut(row["cut"]),
                *(f"{row[name]:,}" for name in ("regions", "cells")),
                f"{row['area_km2']:,.3f}",
                "–" if row["highest"] is None else f"{row['highest']:.3f}",
                f"{row['isolated']:,}",
            )
            for row in self._by_label()
        ]
        headers = ("label", "cut", "regions", "cells", "km2", "highest", "isolated")
        spare = ("isolated", "cells") if self.isolated.any() else ("isolated",)
        shown = table(headers, rows, spare=spare)
        scene = self.raster.scored
        when = f" of {scene.date}" if scene.date else ""
        what = f"{scene.scene}{when}: {counted(len(self), 'region')} of {counted(len(self.asked), 'label')}."
        return "\n".join([self.rule.text(), "", what, shown, *self.left_out])

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by label and the rule, for JSON; each region by itself stands in the file."""
        scored = self.raster.scored
        found = {"scene": scored.scene, "date": scored.date, "model": scored.model, "regions": len(self)}
        return {**found, "labels": self._by_label(), "left_out": list(self.left_out), **self.rule.as_dict()}

    def _by_label(self) -> list[dict[str, Any]]:
        rows = []
        for label in self.asked:
            of_it = self.label == self.raster.labels.index(label)
            rows.append(
                {
                    "label": label,
                    "cut": self.rule.cuts.get(label),
                    "regions": int(of_it.sum()),
                    "cells": int(self.measured.cells[of_it].sum()),
                    "area_km2": float(self.measured.area_km2[of_it].sum()),
                    "highest": float(self.measured.highest[of_it].max()) if of_it.any() else None,
                    "isolated": int(self.isolated[of_it].sum()),
                }
            )
        return rows


def in_coordinates(shapes: NDArray[np.object_], raster: ScoreRaster) -> NDArray[np.object_]:
    """Return shapes in cells as shapes in a raster's coordinate system."""
    moved: NDArray[np.object_] = import_map("shapely").transform(shapes, Ground(raster).coordinates)
    return moved


def check_output(path: Path, raster: ScoreRaster) -> None:
    """Refuse, before any work, what `write_features` could not write.

    Raises:
        UserError: if the suffix is unknown, or is that of a format that needs degrees which the raster does not know.
    """
    if path.suffix.lower() not in DRIVERS:
        raise UserError(f"{path}: expected a file to write with {', '.join(DRIVERS)}.")
    if path.suffix.lower() == ".geojson" and not raster.wkt:
        raise UserError("GeoJSON is in degrees, and these scores have no coordinate system. Give a .gpkg or .fgb file.")


def write_features(
    path: Path, measured: Measured, columns: dict[str, NDArray[Any]], raster: ScoreRaster, layer: str
) -> None:
    """Write the outlines of regions with what is said of each, numbered from 1 by a column `id`, atomically.

    Args:
        path: of the file, whose suffix says the format.
        measured: the regions.
        columns: of the table, by name.
        raster: gives the coordinate system and the date.
        layer: name of the table in the file.

    Raises:
        UserError: as `check_output`.
    """
    check_output(path, raster)
    pyogrio, shapely = import_map("pyogrio"), import_map("shapely")
    options, crs = {}, raster.wkt or None
    if in_degrees := path.suffix.lower() == ".geojson":
        options, crs = {"RFC7946": "YES", "COORDINATE_PRECISION": "7"}, DEGREES
    binary = [np.zeros(0, dtype=object)]
    for piece in measured.pieces():
        check()
        shapes = in_coordinates(piece, raster)
        binary.append(shapely.to_wkb(_in_degrees(shapes, raster) if in_degrees else shapes))
    every = {"id": np.arange(1, len(measured) + 1), **columns}
    # A GeoPackage says when it was written, unless it is told when that was.
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": f"{raster.scored.date or NO_DATE}T00:00:00.000Z"})
    try:
        with replace_atomically(path) as temporary, unwarned():
            temporary.unlink()  # else it is opened, as if it had layers already
            pyogrio.raw.write(
                temporary,
                np.concatenate(binary),
                list(every.values()),
                list(every),
                layer=layer,
                driver=DRIVERS[path.suffix.lower()],
                geometry_type="MultiPolygon",
                crs=crs,
                **options,
            )
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def _in_degrees(shapes: NDArray[np.object_], raster: ScoreRaster) -> NDArray[np.object_]:
    pyproj, shapely = import_map("pyproj"), import_map("shapely")
    move = pyproj.Transformer.from_crs(pyproj.CRS.from_wkt(raster.wkt), DEGREES, always_xy=True).transform
    moved: NDArray[np.object_] = shapely.transform(shapes, lambda x, y: np.stack(move(x, y)), interleaved=False)
    return moved
