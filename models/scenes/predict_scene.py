"""Scoring a scene of any size into a score raster."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from competition.common.files import digest_json, versions_of
from competition.common.progress import reporter
from competition.common.text import counted
from competition.gdal.imports import import_map
from competition.scenes.hidden import hiding_labels
from competition.scenes.scene import Scene
from competition.scenes.score_raster import Scored
from competition.scenes.score_rows import ScoreRows, score_rows
from models.backend.devices import batch_size_for
from models.predict.predictor import Predictor
from models.scenes.cutting import Asked, Cutting
from models.scenes.rows import Group, RowScorer
from models.scenes.tiles import Tiling
from models.scenes.windows import Windows

if TYPE_CHECKING:
    from models.scenes.on_ray import Elsewhere

ScoreGroups = Callable[[Iterable[range]], Iterator[Group]]


@dataclass(frozen=True)
class SceneScores:
    """What was scored.

    Attributes:
        path: of the score raster.
        scored: what its scores are of.
        num_windows: of the scene.
        num_read: windows that this call has read; the others were scored before.
        num_scored: of these, windows that have data enough.
        num_hidden: of these, windows in which clouds hide the ground.
    """

    path: Path
    scored: Scored
    num_windows: int
    num_read: int
    num_scored: int
    num_hidden: int

    def text(self) -> str:
        """Return it for people."""
        grid, metres = self.scored.grid, self.scored.metres
        cell = " x ".join(f"{step * each:,.0f}" for step, each in zip(grid.stride, metres, strict=True))
        lines = []
        if before := self.num_windows - self.num_read:
            lines.append(f"{before:,} of {counted(self.num_windows, 'window')} had been scored before.")
        if empty := self.num_read - self.num_scored:
            lines.append(f"Not scored, as they lack data: {counted(empty, 'window')}.")
        if self.num_hidden:
            hides = " or ".join(self.scored.hides)
            lines.append(f"Unknown, as they show {hides}: {counted(self.num_hidden, 'window')}.")
        labels = counted(len(self.scored.labels), "label")
        lines.append(f"Wrote {self.path}: {labels}, {grid.columns:,} x {grid.rows:,} cells of {cell} m.")
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        """Return the same for JSON."""
        numbers = {"windows": self.num_windows, "read": self.num_read, "scored": self.num_scored}
        return {"path": str(self.path), **numbers, "hidden": self.num_hidden, "of": self.scored.as_dict()}


@dataclass(frozen=True)
class Wanted:
    """What a score raster is to hold.

    Attributes:
        cuts: score of each label from which it is decided.
        hides: labels that hide the ground; None: those that stand alone, and haze.
        bits: of a score on disk.
    """

    cuts: Mapping[str, float]
    hides: Collection[str] | None = None
    bits: Literal[8, 16] = 8


def predict_scene(
    predictor: Predictor,
    asked: Asked,
    output: Path,
    wanted: Wanted,
    *,
    threads: int | None = None,
    elsewhere: Elsewhere | None = None,
) -> SceneScores:
    """Score the windows of a scene, and write the score raster.

    Interrupted, the next call scores the rows of windows that are not there yet; the raster has the same bytes.

    Args:
        predictor: that the scores are by.
        asked: which scene, and how it is cut.
        output: folder to fill.
        wanted: what the raster is to hold.
        threads: that read; None: as many as there are cores.
        elsewhere: whose processes score; None: this one does.

    Raises:
        UserError: if the scene cannot be read, or not be what the model takes, or the folder holds something else.
    """
    scene = asked.scene(predictor)
    cutting = Cutting.of(asked, scene, predictor)
    scored = scored_of(predictor, scene, cutting, wanted)
    tiling = tiling_of(predictor, scene, cutting)

    def score(groups: Iterable[range]) -> Iterator[Group]:
        if elsewhere:
            return elsewhere.groups(asked, cutting, tiling, scored, groups)
        return RowScorer(Windows(scene, cutting, tiling, threads), predictor, scored)(groups)

    with score_rows(output, scored, scene) as rows:
        return fill(rows, tiling, predictor, score)


def fill(rows: ScoreRows, tiling: Tiling, predictor: Predictor, score: ScoreGroups) -> SceneScores:
    """Score the groups of rows that are left, wherever that is done, and make the raster."""
    grid, groups = rows.scored.grid, tiling.groups(rows.left)
    total = sum(map(len, groups)) * grid.window_columns
    counts = np.zeros(2, dtype=np.int64)
    if groups:
        reporter.say(f"Scoring {counted(total, 'window')} with {predictor.said}.")
        with reporter.bar(total, "scoring", "window") as bar:
            for group in score(groups):
                for row, scores in zip(group.rows, group.scores, strict=True):
                    rows.put(row, scores)
                counts += group.num_scored, group.num_hidden
                bar.update(len(group.rows) * grid.window_columns)
    num_scored, num_hidden = counts.tolist()
    windows = grid.window_rows * grid.window_columns
    return SceneScores(rows.finish(), rows.scored, windows, total, num_scored, num_hidden)


def tiling_of(predictor: Predictor, scene: Scene, cutting: Cutting) -> Tiling:
    """Return which windows of a scene are scored together."""
    pixel = np.dtype(scene.dtype).itemsize * len(scene.bands)
    return Tiling.of(cutting.grid, batch_size_for(predictor.recipe.input_size), pixel)


def scored_of(predictor: Predictor, scene: Scene, cutting: Cutting, wanted: Wanted) -> Scored:
    """Return what the scores of a scene are of.

    Raises:
        UserError: if a label that is to hide the ground is not scored.
    """
    labels, competition = predictor.task.labels, predictor.task.competition
    as_chips = {"views": list(predictor.views), "pixels": cutting.pixels, "missing": cutting.most_missing}
    values = [cutting.values.scale, cutting.values.offset, cutting.values.dtype]
    return Scored(
        labels=labels,
        exclusive=tuple(group for group in competition.exclusive if set(group) <= set(labels)),
        alone=tuple(label for label in competition.alone if label in labels),
        hides=hiding_labels(competition, labels, wanted.hides),
        cuts={label: float(wanted.cuts[label]) for label in labels},
        model=predictor.model,
        digests={
            "model": predictor.digest,
            "scene": scene.digest(),
            "windows": digest_json({**as_chips, "values": values}),
        },
        competition=competition.name,
        scene=scene.name,
        date=scene.date,
        metres=scene.metres,
        chip_metres=cutting.metres,
        grid=cutting.grid,
        bits=wanted.bits,
        versions={**versions_of("planet-toolkit", "rasterio"), "gdal": import_map("rasterio").__gdal_version__},
    )
