"""The verb on two score rasters: `scene change`, which imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from competition.common.progress import reporter
from competition.flags import in_workspace
from competition.terminal.command_line import Finite
from competition.terminal.output import as_json, show
from submissions.map.verbs import RASTER, deciding, rule_for, vectors

if TYPE_CHECKING:
    from competition.workspace import Workspace


@click.command()
@in_workspace
@as_json
@click.option("--before", type=RASTER, required=True, help="scores of the earlier date: a folder of `scene predict`")
@click.option("--after", type=RASTER, required=True, help="scores of the later date")
@click.option(
    "--again",
    type=RASTER,
    help="scores of the earlier ground made once more, of another scene of those days or by other views: what differs "
    "from --before is noise",
)
@click.option(
    "--margin",
    type=Finite(0, 20),
    default=1.0,
    show_default=True,
    help="log odds by which a score must move to have changed, besides crossing the cut",
)
@vectors
@deciding
def change(
    workspace: Workspace,
    before: Path,
    after: Path,
    again: Path | None,
    output: Path,
    rule: str,
    name: str | None,
    labels: tuple[str, ...] | None,
    neighbours: str,
    smallest_ha: float,
    margin: float,
) -> None:
    """Compare two dates of one place: regions that appeared, are gone, grew, shrank or stayed, beside mere noise."""
    from competition.scenes.score_raster import ScoreRaster
    from submissions.change.changes import find_changes
    from submissions.change.compare import Terms
    from submissions.map.detections import check_output

    earlier, later = ScoreRaster.read(before), ScoreRaster.read(after)
    repeated = None if again is None else ScoreRaster.read(again)
    workspace.check_output(output, *(each.path for each in (earlier, later, repeated) if each))
    check_output(output, earlier)
    found = find_changes(
        earlier,
        later,
        rule_for(earlier, rule, workspace, name),
        again=repeated,
        labels=labels,
        terms=Terms(margin, int(neighbours), smallest_ha),
    )
    found.write(output)
    show(found)
    reporter.say(f"Wrote {output}.")
