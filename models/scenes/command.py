"""The verb `scene predict`. It imports what it needs when it runs."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.cluster.flags import RAY, place_flags
from competition.common.errors import UserError
from competition.flags import Bands, in_workspace
from competition.terminal.command_line import FOLDER, Finite, Words
from competition.terminal.completion import of_models
from competition.terminal.output import as_json, show, show_next
from models.recipes.view_sets import VIEW_SETS, views_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from competition.workspace import Workspace
    from models.predict.predictor import Predictor


POSITIVE = Finite(min=0, min_open=True)
_FLAGS = (
    click.option(
        "--model",
        required=True,
        shell_complete=of_models,
        help="a trained model, or a file of `export`: .zip and .onnx keep memory below 1 GB, .keras loads TensorFlow",
    ),
    click.option(
        "--scene", "where", required=True, help="a GeoTIFF, a folder of tiles, a VRT, or an address of a GeoTIFF"
    ),
    click.option("--output", type=FOLDER, required=True, help="folder for the score raster; begun with it, it goes on"),
    click.option("--overlap", type=Finite(0, 0.99), default=0.5, show_default=True, help="of windows: 0, .5, .67, .75"),
    click.option("--bits", type=click.Choice(["8", "16"]), default="8", show_default=True, help="of a score on disk"),
    click.option(
        "--views",
        help=f"that scores are averaged over: any of {', '.join(VIEW_SETS)}, joined by commas; default: as made",
    ),
    click.option(
        "--hides", type=Words(), help="labels that hide the ground; default: those that stand alone, and haze"
    ),
    click.option(
        "--missing",
        "most_missing",
        type=Finite(0, 1),
        default=0.2,
        show_default=True,
        help="of a window, at most",
    ),
    place_flags(RAY),
    click.option("--threads", type=click.IntRange(1, 256), help="that read; default: as many as there are cores"),
)
_OF_SCENE = (
    click.option("--scene-bands", "named", type=Bands(), help="names of all the scene's bands, in order: BGRN"),
    click.option("--chip-metres", type=POSITIVE, help="a window's side on the ground; default: as the chips'"),
    click.option("--metres-per-pixel", type=POSITIVE, help="of the scene, where it does not say so"),
    click.option("--values", "how", type=click.Choice(["match"]), help="stretch values to those of the chips"),
    click.option(
        "--scale", type=Finite(), metavar="NUMBER", help="factor that brings the scene's values to those of the chips"
    ),
    click.option("--offset", type=Finite(), metavar="NUMBER", help="what is added to them then"),
    click.option("--date", "taken", help="when the scene was taken, as 2026-11-28; default: what it says"),
)


def scene_predict(cuts_of: Callable[[str, Workspace], NDArray[Any]]) -> click.Command:
    """Return the verb.

    Args:
        cuts_of: returns the cuts (num_labels,) of a model of a workspace.
    """

    @click.command("predict")
    @in_workspace
    @as_json
    @_flagged
    def predict(
        workspace: Workspace,
        model: str,
        output: Path,
        overlap: float,
        bits: str,
        views: str | None,
        named: tuple[str, ...] | None,
        **options: Any,
    ) -> None:
        """Score a scene of any size by windows as large on the ground as chips, into one raster of scores.

        Interrupted, the same command goes on where it stopped.
        """
        from models.scenes.cutting import Asked
        from models.scenes.predict_scene import Wanted, predict_scene
        from models.stream.command import predictor_maker

        workspace.check_not_kept(output)
        hides, threads, elsewhere = options.pop("hides"), options.pop("threads"), None
        make = partial(_made, predictor_maker(workspace, model), views)
        cluster = {name: options.pop(name) for name in ("address", "cpus")}
        if options.pop("on") == RAY:
            from models.scenes.on_ray import Elsewhere
            from models.stream.deal import Cluster

            elsewhere = Elsewhere(make, Cluster(**cluster), threads)
        asked = Asked(**options, named=named or (), steps=_steps(overlap))
        predictor = make()
        cuts = cuts_of(model, workspace) if predictor.cuts is None else predictor.cuts
        of_label = dict(zip(predictor.task.competition.labels, cuts.tolist(), strict=True))
        wanted = Wanted(of_label, hides, 16 if bits == "16" else 8)
        show(predict_scene(predictor, asked, output, wanted, threads=threads, elsewhere=elsewhere))
        show_next(f"scene decide --scores {shlex.quote(str(output))} --output detections.gpkg")

    return predict


def _made(make: Callable[[], Predictor], views: str | None) -> Predictor:
    """Return a predictor, under other views where these are given; on any machine."""
    from models.predict.predictor import under

    return under(make(), views_of(views)) if views else make()


def _flagged(verb: Callable[..., None]) -> Callable[..., None]:
    for flag in reversed((*_FLAGS, *_OF_SCENE)):
        verb = flag(verb)
    return verb


def _steps(overlap: float) -> int:
    """Return into how many steps windows that overlap by so much divide their side."""
    exact = 1 / (1 - overlap)
    if abs(exact - round(exact)) > 0.02 * exact:
        raise UserError(
            f"--overlap {overlap:g} divides no window into whole steps. Give 0, 0.5, 0.67, 0.75, 0.8 or the like."
        )
    return round(exact)
