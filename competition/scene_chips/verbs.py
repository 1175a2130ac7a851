"""The verb `scene chips`. It imports what it needs when it runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import rich_click as click

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.flags import Bands
from competition.terminal.command_line import FILE, FOLDER, Words
from competition.terminal.output import as_json, output_flags, show, show_next

SIDES = 8  # of a chip along a block of ground


@click.command()
@click.option("--scene", "where", required=True, help="a GeoTIFF, a folder of tiles, a VRT, or an address of a GeoTIFF")
@click.option("--points", type=FILE, help="file of points with a label: .geojson, .gpkg, .fgb or .shp")
@click.option("--polygons", type=FILE, help="file of polygons with a label")
@click.option("--output", type=FOLDER, required=True, help="new folder for the chips, their table and competition.toml")
@click.option("--label", "column", default="label", show_default=True, help="column of the labels in that file")
@click.option("--negatives", type=click.IntRange(min=0), default=0, help="chips beside all features, near and far")
@click.option("--anywhere", type=click.IntRange(min=0), default=0, help="further chips at random, whatever they show")
@click.option("--with", "always", type=Words(), default="none", help="labels of chips where no feature says other")
@click.option("--size", type=click.IntRange(16, 2048), default=256, show_default=True, help="pixels of a chip's side")
@click.option("--chip-metres", type=click.FloatRange(min=0, min_open=True), help="a chip's side on the ground")
@click.option("--bands", type=Bands(), help="bands that are cut, such as BGRN; default: all")
@click.option("--scene-bands", type=Bands(), help="names of all the scene's bands, in their order, such as BGRN")
@click.option("--block-metres", type=click.FloatRange(min=0, min_open=True), help="side of a block; default: 8 chips'")
@click.option("--competition", "like", help="whose labels, rules and metric hold; a known name, or a .toml file")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="the same seed, the same chips")
@as_json
@output_flags
def chips(
    where: str,
    points: Path | None,
    polygons: Path | None,
    output: Path,
    column: str,
    negatives: int,
    anywhere: int,
    always: tuple[str, ...],
    size: int,
    chip_metres: float | None,
    bands: tuple[str, ...] | None,
    scene_bands: tuple[str, ...] | None,
    block_metres: float | None,
    like: str | None,
    seed: int,
) -> None:
    """Cut labelled chips from a scene, to train on a place of your own.

    Chips of one block of ground have one group, which `folds` keeps together.
    """
    from competition.gdal.vectors import read_features
    from competition.scene_chips.blocks import Blocks
    from competition.scene_chips.cut import cut_chips, usual_bands, usual_metres
    from competition.scene_chips.described import FILE as DESCRIBED
    from competition.scene_chips.places import Ground, sample_places
    from competition.scene_chips.rules import Rules
    from competition.scenes.grid import window_of
    from competition.scenes.scene import Scene
    from competition.spec.load import load

    features = points or polygons
    if features is None or (points and polygons):
        raise UserError("Give --points FILE, or --polygons FILE.")
    competition = None if like is None else load(like)
    scene = Scene.open(where, bands or (), named=scene_bands or ())
    if not bands:
        scene = Scene.open(where, usual_bands(competition, scene.bands), named=scene_bands or ())
    if scene.doubt:
        reporter.say(scene.doubt)
    metres = chip_metres or size * usual_metres(competition, scene)
    window = window_of(scene.size, scene.metres, metres)
    blocks = Blocks.of(scene, window, block_metres or SIDES * metres)
    ground = Ground(scene, read_features(features, scene.wkt, column), window, blocks, Rules.of(competition, always))
    places = sample_places(ground, negatives, seed, anywhere)
    show(cut_chips(scene, places, size, output, like=competition))
    folder = shlex.quote(str(output))
    show_next(f"data prepare --from {folder} --competition {shlex.quote(str(output / DESCRIBED))} --workspace DIR")
