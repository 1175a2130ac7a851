"""Maps of one or more scenes held against the truth: each decided by its own rule, and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from competition.common.errors import UserError
from competition.common.text import counted, first
from competition.gdal.vectors import Features, read_features, read_shapes
from competition.scenes.score_raster import ScoreRaster
from submissions.map.detections import Detections
from submissions.truth.counts import Terms, count
from submissions.truth.evaluation import MapEvaluation, Place
from submissions.truth.figures import FEWEST
from submissions.truth.known import Known


def evaluate_maps(
    rasters: Sequence[ScoreRaster],
    find: Callable[[ScoreRaster], Detections],
    truth: Sequence[Path],
    terms: Terms,
    *,
    column: str = "label",
    area: Path | None = None,
    regions: Path | None = None,
    region_column: str = "name",
) -> MapEvaluation:
    """Return what maps are worth.

    Args:
        rasters: of the scores of scenes.
        find: decides one of them.
        truth: a file of labelled polygons or points for each scene, or one for all. One without any says that none of
            the labels of the others is there.
        terms: of the comparison.
        column: that says their labels.
        area: a file of polygons within which the truth is known; None: everywhere.
        regions: a file of polygons with a name, of which figures are wanted; ground in none is left out; None: no file.
        region_column: that says their names.

    Raises:
        UserError: if there are not as many files as scenes, one cannot be read, no feature lies in a scene and
            neither area nor regions say that this is known, scores differ in their bits, no cell is left to count, or
            as `count`.
    """
    if len(truth) not in (1, len(rasters)):
        raise UserError(
            f"Expected a file of truth for each of {counted(len(rasters), 'scene')}, or one for all, received "
            f"{len(truth)}. Give --truth as often as --scores."
        )
    if len({raster.path.resolve() for raster in rasters}) < len(rasters):
        raise UserError("The same scores are given twice. Give each scene once by --scores.")
    if len(bits := sorted({raster.scored.bits for raster in rasters})) > 1:
        raise UserError(
            f"Scores have {bits[0]} bits in one scene and {bits[1]} in another. Score all with the same --bits."
        )
    known, files, places = dict[tuple[Path, str], Features](), tuple(truth) * len(rasters), []
    for raster, file in zip(rasters, files, strict=False):
        if (file, raster.wkt) not in known:
            known[file, raster.wkt] = read_features(file, raster.wkt, column)
    said = {label for features in known.values() for label in features.labels}
    for raster, name, file in zip(rasters, _names(rasters), files, strict=False):
        features = known[file, raster.wkt]
        shapes = read_shapes(area, raster.wkt) if area else None
        asked = Known.of(raster, shapes, _regions(regions, raster.wkt, region_column))
        decided = find(raster)
        told = set(features.labels) or said
        places.append(Place(name, decided, tuple(count(decided, features, told, terms, asked))))
    _check(places, area or regions)
    evaluation = MapEvaluation(terms, tuple(places), ())
    return replace(evaluation, notes=tuple(_notes(evaluation, said)))


def _check(places: Sequence[Place], area: Path | None) -> None:
    every, scenes = [one for place in places for one in place.of_region()], first([place.name for place in places])
    if area is None and not any(one.is_there for one in every):
        raise UserError(
            f"No feature of the truth lies in {scenes}. Give that of its place, or, if nothing is there, --area: "
            "polygons within which this is known."
        )
    if not any(one.cells.any() for one in every):
        raise UserError(f"No cell of {scenes} is left to count: none lies within {area} and has a known score.")


def _regions(path: Path | None, wkt: str, column: str) -> Features | None:
    return None if path is None else read_features(path, wkt, column, flag="--region-name")


def _names(rasters: Sequence[ScoreRaster]) -> list[str]:
    """Return the names of scenes, with their folders where two have the same."""
    names = [raster.scored.scene for raster in rasters]
    return [name if names.count(name) == 1 else str(raster.path) for name, raster in zip(names, rasters, strict=True)]


def _notes(evaluation: MapEvaluation, said: set[str]) -> Iterator[str]:
    """Yield the lines to read with what maps are worth; `said` are the labels of the truth."""
    labels, places, terms = evaluation.labels, evaluation.places, evaluation.terms
    every = [one for place in places for one in place.of_region()]
    if few := [one.label for one in labels if one.blocks < FEWEST]:
        yield f"In fewer than {FEWEST} blocks of ground, too few for an interval: {first(few)}."
    if bare := [name for name in evaluation.regions if not any(one.cells.any() for one in evaluation.of_region(name))]:
        yield f"No cell with a known score lies in: {first(bare)}."
    if touched := sum(one.touched for one in every):
        yield f"Left out: {counted(touched, 'cell')} that a label touches, and covers by less than {terms.least:g}."
    if unknown := max(one.unknown for one in every):
        yield f"Left out: up to {counted(unknown, 'cell')} of a label whose score is not known."
    if differ := [one.label for one in labels if len(evaluation.cuts(one.label)) > 1]:
        yield f"Each scene has its own cuts, which differ: {first(differ)}."
    for place in places:
        yield from (line if len(places) == 1 else f"{place.name}: {line}" for line in place.decided.left_out)
    scored = list(dict.fromkeys(label for place in places for label in place.decided.asked))
    has = {label for place in places for label in place.decided.raster.labels}
    if untold := [label for label in scored if label not in said]:
        yield f"The truth says nothing of: {first(untold)}."
    if stray := sorted(said - has):
        yield f"The scores have nothing of: {first(stray)}."
    yield "Cells are as large as the step between windows; a window also sees the ground around its cell."
