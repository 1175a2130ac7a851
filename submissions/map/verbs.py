"""The verb on score rasters: `scene decide`, which imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.flags import in_workspace
from competition.terminal.command_line import FILE, FOLDER, Finite, Words
from competition.terminal.completion import of_scored
from competition.terminal.demonstration import demonstrate
from competition.terminal.output import as_json, show

if TYPE_CHECKING:
    from competition.scenes.score_raster import ScoreRaster
    from competition.workspace import Workspace
    from submissions.map.detections import Detections
    from submissions.map.rules import MapRule

RASTER = click.Path(exists=True, path_type=Path)


vectors = click.option("--output", type=FILE, required=True, help="file of vectors to write: .gpkg, .geojson or .fgb")
_DECIDING = (
    click.option(
        "--rule",
        default="cuts",
        show_default=True,
        help="cuts (kept with the scores), cut=C, expected, precision=P, f0.5 or f2 (learnt from a model's chips)",
    ),
    click.option("--name", shell_complete=of_scored, help="model or blend of the workspace, whose cuts or chips count"),
    click.option("--labels", type=Words(needed=True), help="only these; default: all that the raster has"),
    click.option("--neighbours", type=click.Choice(["4", "8"]), default="8", show_default=True, help="of a cell"),
    click.option("--smallest-ha", type=Finite(min=0), default=0.0, help="leave smaller regions out, in hectares"),
)
_ISOLATING = (
    click.option(
        "--isolated-km",
        type=Finite(min=0, min_open=True),
        help="a region is isolated that lacks five other cells of its label within so many kilometres; such as 3",
    ),
    click.option("--isolated-cut", type=Finite(0, 1), help="score that an isolated one must reach; such as .75"),
)


def deciding(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the flags that say what is decided."""
    for flag in reversed(_DECIDING):
        verb = flag(verb)
    return verb


def isolating(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the flags that say what far from others is decided."""
    for flag in reversed(_ISOLATING):
        verb = flag(verb)
    return verb


@click.command()
@in_workspace
@as_json
@click.option("--scores", type=RASTER, required=True, help="folder that `scene predict` has written, or its scores.tif")
@vectors
@deciding
@isolating
def decide(workspace: Workspace, scores: Path, output: Path, **how: Any) -> None:
    """Turn scores of a scene into regions with a label: their outlines, areas and scores, for any GIS."""
    from competition.scenes.score_raster import ScoreRaster
    from submissions.map.detections import check_output

    find = finder(workspace, **how)
    raster = ScoreRaster.read(scores)
    workspace.check_output(output, raster.path)
    check_output(output, raster)
    found = find(raster)
    found.write(output)
    show(found)
    reporter.say(f"Wrote {output}.")


def finder(
    workspace: Workspace,
    rule: str,
    name: str | None,
    labels: tuple[str, ...] | None,
    neighbours: str,
    smallest_ha: float,
    isolated_km: float | None,
    isolated_cut: float | None,
) -> Callable[[ScoreRaster], Detections]:
    """Return what decides a raster, as the flags of `deciding` and `isolating` say.

    Raises:
        UserError: if one of them needs another.
    """
    from submissions.map.decide import Isolation, decide

    if isolated_cut is not None and isolated_km is None:
        raise UserError("--isolated-cut needs --isolated-km: how far from others a region is isolated.")
    isolation = None if isolated_km is None else Isolation(isolated_km, isolated_cut or 0.0)

    def find(raster: ScoreRaster) -> Detections:
        by = rule_for(raster, rule, workspace, name)
        return decide(
            raster, by, labels=labels, neighbours=int(neighbours), smallest_ha=smallest_ha, isolation=isolation
        )

    return find


def rule_for(raster: ScoreRaster, text: str, workspace: Workspace, name: str | None) -> MapRule:
    """Return the rule that a verb is given, see `rule_of`."""
    from submissions.map.rules import rule_of

    with reporter.busy("finding cuts"):
        return rule_of(text, raster.scored, workspace, name)


@click.command("demo")
@click.option("--output", type=FOLDER, default="workspace/scene-demo", show_default=True, help="folder of all of it")
def scene_demo(output: Path) -> None:
    """See a map come out of made-up scenes, in some minutes: learnt on one of them, and judged on the other."""
    from submissions.map.demo import BEGINS, chain, demo_text

    demonstrate(BEGINS, chain(output))
    click.echo(demo_text(output))
