"""The command line: every verb of the toolkit. `python run.py --help` lists them.

Each verb imports what it needs when it runs, so that help is instant.
"""

from __future__ import annotations

import dataclasses
import functools
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import click

from models.recipes import Recipe

if TYPE_CHECKING:
    from competition.workspace import Workspace
    from folds.scores import ScoreStore

INTERRUPTED = 130
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


class _Cli(click.Group):
    """Shows a mistake the user can mend as one line; `--debug` shows where it came from."""

    def invoke(self, ctx: click.Context) -> Any:
        from competition.errors import UserError

        try:
            return super().invoke(ctx)
        except UserError as error:
            if ctx.meta.get("debug"):
                raise
            click.echo(f"Error: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("\nStopped. What was finished is kept; run the same command to go on.", err=True)
            ctx.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in the order of the pipeline."""
        return list(self.commands)


class _Words(click.ParamType):
    """Words joined by commas; "none" stands for no word."""

    name = "a,b"

    def __init__(self, kind: type = str) -> None:
        self.kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[Any, ...]:
        if isinstance(value, tuple):
            return value
        words = [word.strip() for word in value.split(",") if word.strip()]
        try:
            return () if words == ["none"] else tuple(self.kind(word) for word in words)
        except ValueError:
            self.fail(f"{value!r} is not {self.kind.__name__} values joined by commas", param, ctx)


def in_workspace(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb `--workspace`, `--competition` and `--debug`, and its first argument: the Workspace."""

    @click.option("--workspace", type=FOLDER, default="workspace", show_default=True, help="folder of every artefact")
    @click.option("--competition", default="planet", show_default=True, help="a known name, or a .toml file")
    @click.option("--debug", is_flag=True, help="show where an error came from")
    @functools.wraps(verb)
    def wrapped(workspace: Path, competition: str, debug: bool, **options: Any) -> None:
        from competition.spec import load
        from competition.workspace import Workspace

        context = click.get_current_context()
        context.meta["debug"] = debug
        given = {"--workspace": str(workspace), "--competition": competition}
        defaults = {"--workspace": "workspace", "--competition": "planet"}
        context.meta["flags"] = [
            part for flag in given if given[flag] != defaults[flag] for part in (flag, given[flag])
        ]
        verb(Workspace(workspace, load(competition)), **options)

    return wrapped


def recipe_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb one flag for each value of a recipe, and the argument `overrides` with the values of those given."""
    fields = dataclasses.fields(Recipe)

    @functools.wraps(verb)
    def wrapped(*arguments: Any, **options: Any) -> None:
        values = {field.name: options.pop(field.name) for field in fields}
        verb(*arguments, **options, overrides={name: value for name, value in values.items() if value is not None})

    kinds = get_type_hints(Recipe)
    for field in reversed(fields):
        flag, kind = f"--{field.name.replace('_', '-')}", _flag_type(kinds[field.name])
        wrapped = click.option(flag, field.name, type=kind, help=field.metadata["help"])(wrapped)
    return wrapped


def _flag_type(kind: Any) -> Any:
    if get_origin(kind) is tuple:
        return _Words(get_args(kind)[0])
    return click.Choice(get_args(kind)) if get_args(kind) else kind


def _store(workspace: Workspace) -> ScoreStore:
    from folds.scores import ScoreStore
    from folds.table import FoldTable

    return ScoreStore(workspace.runs, workspace.competition.labels, FoldTable.read(workspace.fold_table))


def _next(command: str) -> None:
    """Show the command that comes next, in the same workspace."""
    flags = shlex.join(click.get_current_context().meta.get("flags", []))
    click.echo(f"Next: python run.py {command} {flags}".rstrip())


@click.group(cls=_Cli, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="planet-toolkit")
def main() -> None:
    """Compete in multi-label image competitions: from Kaggle's archives to a checked submission."""


@main.group(name="data", cls=_Cli)
def data() -> None:
    """Prepare, check or simulate the chips."""


@data.command()
@in_workspace
@click.option("--from", "source", type=FOLDER, required=True, help="folder of Kaggle's files, packed or unpacked")
def prepare(workspace: Workspace, source: Path) -> None:
    """Find the chips and tables in a folder: unpack archives, use unpacked folders where they lie."""
    from competition.prepare import prepare as prepare_data

    click.echo(prepare_data(workspace, source).text())
    _next("data check")


@data.command()
@in_workspace
@click.option("--sample", type=click.IntRange(min=1), help="decode only this many chips a folder; default: all")
def check(workspace: Workspace, sample: int | None) -> None:
    """Look for what would spoil training or a submission; exits with 1 if it finds any."""
    from competition.checks import check_data

    report = check_data(workspace, sample=sample)
    click.echo(report.text())
    if not report.ok:
        sys.exit(1)
    _next("folds")


@data.command()
@click.option("--to", "folder", type=FOLDER, required=True, help="new folder to fill, in Kaggle's layout")
@click.option("--train", "num_train", type=int, default=2000, show_default=True, help="labelled chips")
@click.option("--test", "num_test", type=int, default=1000, show_default=True, help="chips to predict")
@click.option("--size", type=int, default=64, show_default=True, help="pixels along each side")
@click.option("--seed", type=int, default=0, show_default=True, help="the same seed gives the same bytes")
@click.option("--tif", is_flag=True, help="write four-band GeoTIFFs too")
@click.option("--rare-boost", type=float, default=1.0, show_default=True, help="how much oftener rare labels come")
@click.option("--debug", is_flag=True, help="show where an error came from")
def simulate(folder: Path, debug: bool, **options: Any) -> None:
    """Make Amazon chips up, for a trial without Kaggle's data."""
    from competition.simulate import simulate as simulate_chips

    click.get_current_context().meta["debug"] = debug
    simulate_chips(folder, **options, progress=True)
    click.echo(f"Wrote {options['num_train']:,} labelled chips and {options['num_test']:,} to predict to {folder}.")
    _next(f"data prepare --from {folder}")


@main.command()
@in_workspace
@click.option("--k", type=click.IntRange(min=2), default=5, show_default=True, help="folds a repeat")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="seed of the shuffling")
@click.option("--repeats", type=click.IntRange(min=1), default=1, show_default=True, help="whole rounds of k folds")
@click.option("--group", help="keep chips of one group in one fold: a column of the training table, or a CSV file")
@click.option("--force", is_flag=True, help="replace the fold table; runs made with the old one are refused then")
def folds(workspace: Workspace, k: int, seed: int, repeats: int, group: str | None, force: bool) -> None:
    """Deal the labelled chips into multilabel-stratified folds."""
    from competition.errors import UserError
    from competition.files import short
    from folds.audit import audit, write_table
    from folds.table import FoldTable, make_table, read_groups

    labelled, path = workspace.labelled, workspace.fold_table
    groups = None
    if group is not None:
        in_file, tables = group.endswith(".csv"), workspace.competition.tables
        source = Path(group) if in_file else workspace.layout.table(tables.train)
        groups = read_groups(source, labelled.image_names, None if in_file else group, tables.id_column)
    table = make_table(labelled.image_names, labelled.truth, k=k, seed=seed, repeats=repeats, groups=groups)
    if path.is_file() and not force and FoldTable.read(path).digest != table.digest:
        raise UserError(
            f"{path} holds other folds. Keep them, or replace them with --force: runs made with them are refused then."
        )
    audited = audit(table, labelled.truth, workspace.competition.labels)
    settings = {"k": k, "seed": seed, "repeats": repeats, "group": group}
    write_table(table, audited, path, settings=settings)
    click.echo(audited.text())
    click.echo(f"Wrote {path}, digest {short(table.digest)}.")
    _next("train --models baseline")


@main.command()
@click.option("--recipes", type=FILE, help="your own recipe file, merged in")
def recipes(recipes: Path | None) -> None:
    """List the recipes and what each sets."""
    from models.recipes import load_recipes, resolve

    for name in load_recipes(recipes):
        values = resolve(name, {}, recipes).to_dict()
        defaults = {field.name: field.default for field in dataclasses.fields(Recipe)}
        own = {key: value for key, value in values.items() if value != defaults[key]}
        click.echo(f"{name:<20} " + "  ".join(f"{key}={_shown(value)}" for key, value in own.items()))


def _shown(value: Any) -> str:
    return (",".join(map(str, value)) or "none") if isinstance(value, (tuple, list)) else str(value)


def job_options(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the options of training."""
    for option in (
        click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping"),
        click.option("--restart", is_flag=True, help="remove what was made of it, and begin again"),
        click.option("--recipes", type=FILE, help="your own recipe file, merged in"),
    ):
        verb = option(verb)
    return verb


@main.command()
@in_workspace
@click.option("--model", required=True, help="a recipe, or a model begun with one")
@click.option("--fold", type=click.IntRange(min=0), required=True, help="number of the fold to hold out")
@click.option("--name", help="name of this variant of the recipe; default: the recipe's")
@job_options
@recipe_flags
def fold(workspace: Workspace, model: str, fold: int, name: str | None, **options: Any) -> None:
    """Train one model on all folds but one, and score the chips it did not see."""
    from models import jobs

    if options.pop("restart"):
        jobs.restart(workspace, name or model, fold)
    _train(workspace, model, name, [fold], **options)
    _next("status")


@main.command()
@in_workspace
@click.option("--models", type=_Words(), required=True, help="recipes, or models begun with one")
@click.option("--name", help="name of this variant, where one model is given")
@job_options
@recipe_flags
def train(workspace: Workspace, models: tuple[str, ...], name: str | None, restart: bool, **options: Any) -> None:
    """Train models on every fold; folds that are done are left as they are."""
    from competition.errors import UserError
    from models import jobs

    if name and len(models) > 1:
        raise UserError(f"--name names one model, received {len(models)}: {', '.join(models)}.")
    for model in models:
        if restart:
            jobs.restart(workspace, name or model)
        _train(workspace, model, name, None, **options)
    _next(f"thresholds --model {name or models[0]}")


def _train(
    workspace: Workspace,
    model: str,
    name: str | None,
    folds: list[int] | None,
    recipes: Path | None,
    skip_broken: bool,
    overrides: dict[str, Any],
) -> None:
    from models import jobs

    store = _store(workspace)
    recipe = jobs.recipe_of(workspace, name or model, model if name else None, overrides, recipes)
    for fold in folds if folds is not None else range(store.table.num_folds):
        jobs.Job(workspace, store, name or model, recipe, fold, skip_broken).run()


@main.command()
@in_workspace
def status(workspace: Workspace) -> None:
    """Show how far every model has come on every fold."""
    from models.status import table

    click.echo(table(workspace, _store(workspace)))


@main.command()
@in_workspace
@click.option("--model", required=True, help="a trained model")
@click.option("--images", type=FOLDER, required=True, help="folder of chips")
@click.option("--output", type=FILE, required=True, help="CSV file to write: image_name and one column a label")
@click.option("--tags", is_flag=True, help="add a column with the decided tags")
@click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping")
def predict(workspace: Workspace, model: str, images: Path, output: Path, tags: bool, skip_broken: bool) -> None:
    """Score any folder of chips with a trained model, averaged over its folds and views."""
    from competition.labels import to_tags
    from models.jobs import predict_folder

    scores, left_out = predict_folder(workspace, _store(workspace), model, images, skip_broken=skip_broken)
    columns = dict(zip(workspace.competition.labels, scores.values.T, strict=True))
    decided = None
    if tags:
        from submissions.decoding import decide

        competition = workspace.competition
        decided = to_tags(decide(scores.values, competition.metric.prior_cut, competition), competition)
    _write_scores(output, workspace.competition.tables.id_column, scores.names, columns, decided)
    for line in left_out:
        click.echo(f"Left out: {line}")
    click.echo(f"Wrote {output}: {len(scores.names)} chips.")


def _write_scores(path: Path, id_column: str, names: Any, columns: dict[str, Any], tags: list[str] | None) -> None:
    import pandas as pd

    from competition.files import replace_atomically

    table = pd.DataFrame({id_column: names, **columns, **({"tags": tags} if tags is not None else {})})
    with replace_atomically(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6f")


if __name__ == "__main__":
    sys.exit(main())
