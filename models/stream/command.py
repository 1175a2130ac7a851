"""The flags of `predict`, and what it shows. It imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.cluster.flags import HERE, RAY, place_flags
from competition.common.errors import UserError
from competition.terminal.completion import of_models

if TYPE_CHECKING:
    from competition.workspace import Workspace
    from models.predict.predictor import Predictor
    from models.stream.parts import Tagging

_FLAGS = (
    click.option(
        "--model", required=True, shell_complete=of_models, help="a trained model, or a file that `export` wrote"
    ),
    click.option("--images", required=True, help="folder of chips, or URL, such as s3://bucket/prefix"),
    click.option(
        "--output",
        required=True,
        help="CSV file to write: ids and one column per label; with --on ray also a folder, for Parquet files; or the "
        "URL of either",
    ),
    click.option("--tags", is_flag=True, help="add a column with the decided tags"),
    click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping"),
    place_flags(RAY),
)


def predict_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the flags of `predict`."""
    for flag in reversed(_FLAGS):
        verb = flag(verb)
    return verb


def run_predict(
    workspace: Workspace,
    tagging_of: Callable[[Predictor], Tagging] | None,
    *,
    model: str,
    images: str,
    output: str,
    skip_broken: bool = False,
    on: str = HERE,
    **cluster: Any,
) -> None:
    """Score chips, here or on a Ray cluster, and show what was written.

    Args:
        workspace: of the model.
        tagging_of: how tags are decided of what a predictor scores; None where none are asked for.
        model: its name, or an exported file.
        images: folder or URL of the chips.
        output: file, on Ray also folder, or URL.
        skip_broken: leave broken chips out, instead of stopping.
        on: where the work is done.
        cluster: the values of `Cluster`.
    """
    _check_output(workspace, output, on, model, images)
    make = predictor_maker(workspace, model)
    predictor = make()
    tagging = tagging_of(predictor) if tagging_of else None
    if on == RAY:
        from models.stream.deal import Cluster
        from models.stream.predict_on_ray import predict_on_ray

        reached = Cluster(**cluster)
        click.echo(predict_on_ray(make, images, output, reached, skip_broken=skip_broken, tagging=tagging).text())
        return
    from models.predict.predictor import predict_chips
    from models.stream.predict_on_ray import written_to

    predictions = predict_chips(predictor, images, skip_broken=skip_broken)
    tags = tagging(predictions) if tagging else None
    with written_to(output) as path:
        predictions.write(path, tags)
    click.echo(predictions.text(output))


def predictor_maker(workspace: Workspace, model: str) -> Callable[[], Predictor]:
    """Return what makes what scores chips, on any machine."""
    from models.export.export import is_file
    from models.export.predict_with_file import predictor_of_file
    from models.predict.trained_model import predictor_in

    if is_file(model):
        return partial(predictor_of_file, Path(model).absolute())
    return partial(predictor_in, replace(workspace, root=workspace.root.absolute()), model)


def _check_output(workspace: Workspace, output: str, on: str, model: str, images: str) -> None:
    from competition.remote.reaching import is_url
    from models.export.export import is_file
    from models.stream.predict_on_ray import is_csv

    is_folder, path = on == RAY and not is_csv(output), output.removeprefix("file://")
    if not is_url(path):
        given = [*([Path(model)] if is_file(model) else []), *([] if is_url(images) else [Path(images)])]
        (workspace.check_not_kept if is_folder else workspace.check_output)(Path(path), *given)
    elif is_folder:
        return
    elif output.count("/") < 3 or output.endswith("/"):  # a bucket, or a folder
        raise UserError(
            f"--output {output} names no file. Give the URL of one, such as {output.rstrip('/')}/scores.csv."
        )
