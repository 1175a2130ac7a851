"""The verb that shows a map: `scene map`, which imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.flags import Bands, in_workspace
from competition.terminal.command_line import FILE, Finite, Words
from competition.terminal.completion import of_scored
from competition.terminal.output import as_json, show
from submissions.map.verbs import RASTER

if TYPE_CHECKING:
    from competition.workspace import Workspace


@click.command("map")
@in_workspace
@as_json
@click.option("--scores", type=RASTER, required=True, help="folder that `scene predict` has written, or its scores.tif")
@click.option("--output", type=FILE, required=True, help="page to write: .html")
@click.option("--scene", "where", help="the scene, which is shown behind the scores")
@click.option("--scene-bands", "named", type=Bands(), help="names of all the scene's bands, in order: BGRN")
@click.option(
    "--rule",
    default="cuts",
    show_default=True,
    help="whose cuts the page begins with: cuts, cut=C, precision=P, f0.5 or f2, as of `scene decide`",
)
@click.option("--name", shell_complete=of_scored, help="model or blend of the workspace, whose cuts or chips count")
@click.option("--labels", type=Words(needed=True), help="only these; default: all that the raster has")
@click.option("--smallest-ha", type=Finite(min=0), default=0.0, help="smaller regions are left out to begin with")
def scene_map(
    workspace: Workspace,
    scores: Path,
    output: Path,
    where: str | None,
    named: tuple[str, ...] | None,
    rule: str,
    name: str | None,
    labels: tuple[str, ...] | None,
    smallest_ha: float,
) -> None:
    """Show a map: one page with scene, scores and regions, on which cuts can be moved."""
    from competition.scenes.scene import Scene
    from competition.scenes.score_raster import ScoreRaster
    from submissions.map.rules import rule_of
    from submissions.map_page.page import write_map

    raster = ScoreRaster.read(scores)
    workspace.check_output(output, raster.path)
    if output.suffix.lower() != ".html":
        raise UserError(f"--output {output}: expected a page to write, .html.")
    metres = None if raster.wkt else raster.scored.metres[0]
    scene = None if where is None else Scene.open(where, tuple("RGB"), named=named or (), metres_per_pixel=metres)
    with reporter.busy("finding cuts"):
        decided_by = rule_of(rule, raster.scored, workspace, name)
    show(write_map(raster, decided_by, output, scene=scene, labels=labels, smallest_ha=smallest_ha))
