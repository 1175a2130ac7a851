"""The verb `scene chips`. It imports what it needs when it runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import rich_click as click

from competition.common.errors import UserError
from competition.flags import Bands
from competition.terminal.command_line import FILE, FOLDER, Finite, Words
from competition.terminal.output import as_json, output_flags, show, show_next

SIDES = 8  # of a chip along a block of ground


@click.command()
@click.option("--scene", "where", multiple=True, help="a GeoTIFF, a folder of one scene's tiles, a VRT, or an address")
@click.option("--scenes", "folder", type=FOLDER, help="folder in which each GeoTIFF is a scene of its own")
@click.option("--points", type=FILE, multiple=True, help="points with a label, .geojson, .gpkg, .fgb or .shp")
@click.option("--polygons", type=FILE, multiple=True, help="polygons with a label: one file, or one for each scene")
@click.option("--output", type=FOLDER, required=True, help="new folder for the chips, their table and competition.toml")
@click.option("--label", "column", default="label", show_default=True, help="column of the labels in that file")
@click.option("--negatives", type=click.IntRange(min=0), default=0, help="chips beside all features, near and far")
@click.option("--anywhere", type=click.IntRange(min=0), default=0, help="further chips at random, whatever they show")
@click.option("--with", "always", type=Words(), default="none", help="labels of chips where no feature says other")
@click.option("--size", type=click.IntRange(16, 2048), default=256, show_default=True, help="pixels of a chip's side")
@click.option("--chip-metres", type=Finite(min=0, min_open=True), help="a chip's side on the ground")
@click.option("--bands", type=Bands(), help="bands that are cut, such as BGRN; default: all")
@click.option("--scene-bands", type=Bands(), help="names of all the scene's bands, in their order, such as BGRN")
@click.option("--block-metres", type=Finite(min=0, min_open=True), help="side of a block; default: 8 chips'")
@click.option("--competition", "like", help="whose labels, rules and metric hold; a known name, or a .toml file")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="the same seed, the same chips")
@as_json
@output_flags
def chips(
    where: tuple[str, ...],
    folder: Path | None,
    points: tuple[Path, ...],
    polygons: tuple[Path, ...],
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
    """Cut labelled chips from scenes, to train on places of your own.

    Chips of one block of ground have one group, which `folds` keeps together, from whichever scenes they are.
    """
    from competition.scene_chips.blocks import Blocks, common_system
    from competition.scene_chips.cut import check_output, cut_chips
    from competition.scene_chips.described import FILE as DESCRIBED
    from competition.scene_chips.groups import keep_together
    from competition.scene_chips.places import grounds_of, sample_places
    from competition.scene_chips.rules import Rules
    from competition.scene_chips.scenes import open_scenes, usual_metres
    from competition.scenes.grid import window_of
    from competition.spec.load import load

    if bool(points) == bool(polygons):
        raise UserError("Give --points FILE, or --polygons FILE.")
    check_output(output)
    competition = None if like is None else load(like)
    scenes = open_scenes(where, folder, bands or (), scene_bands or (), competition)
    metres, system = chip_metres or size * usual_metres(competition, scenes), common_system(scenes)
    side = block_metres or SIDES * metres
    blocks = [Blocks.of(each, window_of(each.size, each.metres, metres), side, system) for each in scenes]
    grounds = grounds_of(blocks, points or polygons, column, Rules.of(competition, always))
    places = keep_together(sample_places(grounds, negatives, seed, anywhere), blocks)
    show(cut_chips(scenes, places, size, output, like=competition))
    made = shlex.quote(str(output))
    show_next(f"data prepare --from {made} --competition {shlex.quote(str(output / DESCRIBED))} --workspace DIR")
