"""The verb on maps whose truth is known: `scene evaluate`, which imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.flags import in_workspace
from competition.terminal.command_line import FILE, Finite
from competition.terminal.output import as_json, show
from submissions.map.verbs import RASTER, deciding, finder, isolating

if TYPE_CHECKING:
    from competition.workspace import Workspace


@click.command()
@in_workspace
@as_json
@click.option(
    "--scores",
    type=RASTER,
    required=True,
    multiple=True,
    help="folder that `scene predict` has written, of each scene",
)
@click.option(
    "--truth",
    type=FILE,
    required=True,
    multiple=True,
    help="polygons, points or lines with a label: one file, or one a scene",
)
@click.option("--label", "column", default="label", show_default=True, help="column of the labels in that file")
@click.option(
    "--buffer", type=Finite(min=0), default=0.0, help="metres to every side of lines and points that they cover"
)
@click.option("--area", type=FILE, help="polygons within which the truth is known; default: everywhere")
@click.option(
    "--regions", type=FILE, help="polygons with a name, each with figures of its own; other ground is left out"
)
@click.option("--region-name", "region_column", default="name", show_default=True, help="column of their names")
@deciding
@isolating
@click.option(
    "--cover",
    type=Finite(0, 1),
    default=0.02,
    show_default=True,
    help="share of a cell that a label's polygons must cover for it to carry the label",
)
@click.option("--block-km", type=Finite(min=0, min_open=True), help="side of a block of ground; default: 8 chips'")
@click.option("--output", type=FILE, help="page to write: .html")
def evaluate(
    workspace: Workspace,
    scores: tuple[Path, ...],
    truth: tuple[Path, ...],
    column: str,
    buffer: float,
    area: Path | None,
    regions: Path | None,
    region_column: str,
    cover: float,
    block_km: float | None,
    output: Path | None,
    **how: Any,
) -> None:
    """Hold maps against what is truly there: sensitivity, specificity and F-beta by label, over blocks of ground."""
    from competition.scenes.score_raster import ScoreRaster
    from submissions.truth.counts import Terms
    from submissions.truth.evaluate import evaluate_maps

    if output is not None:
        workspace.check_output(output, *scores, *truth)
        if output.suffix.lower() != ".html":
            raise UserError(f"--output {output}: expected a page to write, .html. For figures, give --json.")
    find = finder(workspace, **how)
    rasters = [ScoreRaster.read(path) for path in scores]
    where = {"column": column, "area": area, "regions": regions, "region_column": region_column}
    found = evaluate_maps(rasters, find, truth, Terms(cover, block_km, buffer), **where)
    show(found)
    if output is not None:
        from submissions.truth.page import write_page

        write_page(found, output)
        reporter.say(f"Wrote {output}.")
