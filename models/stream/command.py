"""The flags of `predict`, and what it shows. It imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.cluster.flags import HERE, RAY, place_flags
from competition.common.errors import UserError
from competition.terminal.completion import of_models

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from competition.spec.competition import Competition
    from competition.workspace import Workspace
    from folds.scores import Scores
    from models.predict.predictions import Predictions
    from models.predict.predictor import Predictor

    Cuts = NDArray[np.float64]

_FLAGS = (
    click.option(
        "--model", required=True, shell_complete=of_models, help="a trained model, or a file that `export` wrote"
    ),
    click.option("--images", required=True, help="folder of chips, or URL, such as s3://bucket/prefix"),
    click.option(
        "--output",
        required=True,
        help="CSV file to write: ids and one column per label; on Ray a folder of Parquet files; or the URL of either",
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


@dataclass(frozen=True)
class Deciding:
    """How tags are decided; this room does not know.

    Attributes:
        cuts: returns those of a model of the workspace.
        better: returns the line that names the command for better ones; "" if there are none.
        tags: returns the tags of scores by cuts, on any machine.
    """

    cuts: Callable[[], Cuts]
    better: Callable[[], str]
    tags: Callable[[Scores, Cuts, Competition], list[str]]

    def by(self, cuts: Cuts | None, say: Callable[[Cuts], str]) -> Cuts:
        """Return the cuts that came with a model, or else those of the workspace, and say by which it is decided."""
        used = self.cuts() if cuts is None else cuts
        click.echo(say(used))
        if cuts is None and (better := self.better()):
            click.echo(better)
        return used


@dataclass(frozen=True)
class _Tags:
    """Decides the tags of scores, on any machine."""

    tags: Callable[[Scores, Cuts, Competition], list[str]]
    cuts: Cuts
    competition: Competition

    def __call__(self, scores: Scores) -> list[str]:
        return self.tags(scores, self.cuts, self.competition)


def run_predict(
    workspace: Workspace,
    deciding: Deciding,
    *,
    model: str,
    images: str,
    output: str,
    tags: bool,
    skip_broken: bool,
    on: str = HERE,
    **cluster: Any,
) -> None:
    """Score chips, here or on a Ray cluster, and show what was written.

    Args:
        workspace: of the model.
        deciding: how tags are decided.
        model: its name, or an exported file.
        images: folder or URL of the chips.
        output: file, on Ray folder, or URL.
        tags: whether tags are decided.
        skip_broken: leave broken chips out, instead of stopping.
        on: where the work is done.
        cluster: address and cores, see `predict_on_ray`.
    """
    chosen = deciding if tags else None
    if on == RAY:
        _on_ray(workspace, chosen, model, images, output, skip_broken=skip_broken, **cluster)
        return
    _check_output(output)
    predictions = _predictions(workspace, model, images, skip_broken=skip_broken)
    decided = None
    if chosen:
        cuts = chosen.by(predictions.cuts, predictions.decided_by)
        decided = chosen.tags(predictions.scores, cuts, predictions.competition)
    _write(predictions, output, decided)
    click.echo(predictions.text(output))


def _predictions(workspace: Workspace, model: str, images: str, *, skip_broken: bool) -> Predictions:
    from folds.score_store import ScoreStore
    from models.export.export import is_file
    from models.export.predict_with_file import predict_with_file
    from models.predict.trained_model import predict_folder

    if is_file(model):
        return predict_with_file(Path(model), images, skip_broken=skip_broken)
    return predict_folder(workspace, ScoreStore.of(workspace), model, images, skip_broken=skip_broken)


def _check_output(output: str) -> None:
    from competition.common.files import check_writable
    from competition.remote.places import Place
    from competition.remote.reaching import is_url

    if not is_url(output):
        check_writable(Path(output))
    elif not Place.of(output).root.rpartition("/")[2]:
        such = f"{output.rstrip('/')}/scores.csv"
        raise UserError(f"--output {output} names no file. Give the URL of one, such as {such}.")


def _write(predictions: Predictions, output: str, tags: Sequence[str] | None) -> None:
    from competition.common.files import scratch_folder
    from competition.remote.places import Place
    from competition.remote.reaching import is_url

    if not is_url(output):
        predictions.write(Path(output), tags)
        return
    folder, _, name = output.rpartition("/")
    with scratch_folder() as scratch:
        predictions.write(scratch / "scores.csv", tags)
        Place.of(folder).send(scratch / "scores.csv", name)


def _on_ray(
    workspace: Workspace, deciding: Deciding | None, model: str, images: str, output: str, **options: Any
) -> None:
    from competition.remote.reaching import is_url
    from models.export.export import is_file
    from models.export.predict_with_file import predictor_of_file
    from models.predict.predictions import decided_by
    from models.predict.trained_model import predictor_in
    from models.stream.on_ray import predict_on_ray

    make: Callable[[], Predictor] = partial(predictor_in, replace(workspace, root=workspace.root.absolute()), model)
    if is_file(model):
        make = partial(predictor_of_file, Path(model).absolute())
    tags = None
    if deciding:
        predictor = make()
        scored = [label in predictor.task.labels for label in predictor.task.competition.labels]
        cuts = deciding.by(predictor.cuts, lambda used: decided_by(used, scored, predictor.task.competition))
        tags = _Tags(deciding.tags, cuts, predictor.task.competition)
    where = images if is_url(images) else str(Path(images).absolute())
    click.echo(predict_on_ray(make, where, output, tags=tags, **options).text())
