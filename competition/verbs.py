"""The verbs of the competition and its data. Each imports what it needs when it runs."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click import get_current_context

from competition.common.errors import FLAGS, UserError
from competition.flags import in_workspace
from competition.terminal.command_line import FILE, FOLDER, Verbs, Words
from competition.terminal.output import as_json, output_flags, show, show_next

if TYPE_CHECKING:
    from competition.workspace import Workspace


# Modules that know what a room keeps; who knows the other rooms adds theirs.
KEEPERS = ["competition.artefacts.data"]


@click.group(name="data", cls=Verbs)
def data() -> None:
    """Download, prepare, check or simulate the chips."""


@data.command()
@in_workspace
@click.option(
    "--files", type=Words(needed=True), help="names, or patterns such as '*tif*'; default: tables and default chips"
)
@click.option("--to", "folder", type=FOLDER, help="folder for the files; default: downloads/ in the workspace")
@click.option("--dry-run", is_flag=True, help="list the files and check the disk only")
def download(workspace: Workspace, files: tuple[str, ...] | None, folder: Path | None, dry_run: bool) -> None:
    """Download the competition's files from Kaggle, going on where it was interrupted, and prepare them."""
    from competition.data.mistakes import IncompleteError
    from competition.data.prepare import prepare as prepare_data
    from competition.kaggle.client import Kaggle
    from competition.kaggle.download import download as download_files
    from competition.kaggle.download import make_plan

    kaggle, folder = Kaggle(workspace.competition.kaggle_slug), folder or workspace.downloads
    plan = make_plan(workspace, kaggle.files(), folder, files or ())
    click.echo(plan.text())
    plan.check_room()
    if dry_run:
        click.echo("Dry run: nothing was downloaded.")
        return
    download_files(plan, kaggle)
    try:
        click.echo(prepare_data(workspace, folder).text())
    except IncompleteError as error:
        if not files:
            raise
        click.echo(f"Not prepared yet: {error}")
        show_next("data download")
    else:
        show_next("data check")


@data.command()
@in_workspace
@click.option("--from", "source", type=FOLDER, required=True, help="folder of Kaggle's files, packed or unpacked")
@click.option("--reread", is_flag=True, help="read unpacked chips whose size and time are as they were, too")
@click.option("--tables-only", is_flag=True, help="no chips: enough to compare and blend scores that others have made")
def prepare(workspace: Workspace, source: Path, reread: bool, tables_only: bool) -> None:
    """Find the chips and tables in a folder: unpack archives, use unpacked folders where they lie."""
    from competition.data.prepare import prepare as prepare_data

    click.echo(prepare_data(workspace, source, reread=reread, tables_only=tables_only).text())
    show_next("folds" if tables_only else "data check")


@data.command()
@in_workspace
@as_json
@click.option("--sample", type=click.IntRange(min=1), help="decode only so many chips of each folder; default: all")
@click.option("--artefacts", is_flag=True, help="instead read all that the workspace keeps, and say what is damaged")
def check(workspace: Workspace, sample: int | None, artefacts: bool) -> None:
    """Look for what would spoil training or a submission; exits with 1 if it finds any."""
    if artefacts:
        from competition.artefacts.report import look_at_artefacts

        kept = look_at_artefacts(workspace, KEEPERS)
        show(kept)
        sys.exit(0 if kept.ok else 1)
    from competition.checks.check import check_data

    report = check_data(workspace, sample=sample)
    show(report)
    if not report.ok:
        sys.exit(1)
    show_next("status" if workspace.fold_table.is_file() else "folds")


@data.command()
@in_workspace
@click.option("--from", "source", type=FILE, help="CSV with id, label and says, as `report --suspects` writes it")
@click.option("--clear", is_flag=True, help="take all corrections back")
def relabel(workspace: Workspace, source: Path | None, clear: bool) -> None:
    """Turn labels that are wrong; corrections are kept beside the data, and Kaggle's tables stay as they are."""
    from competition.corrections import clear as take_back
    from competition.corrections import relabel as turn

    if clear == (source is not None):
        raise UserError("Give --from FILE, or --clear.")
    if source is None:
        click.echo(take_back(workspace.corrections))
    else:
        click.echo(turn(workspace.delivered, source, workspace.corrections, workspace.competition).text())
    if any(folder.is_dir() for folder in workspace.runs.glob("[!.]*")):
        show_next("status", what="Next, which says what is to be made again, and in which order")
    elif source is not None:
        show_next("folds")


@data.command()
@click.option("--to", "folder", type=FOLDER, required=True, help="new folder to fill, in Kaggle's layout")
@click.option("--competition", default="planet", show_default=True, help="a known name, or a .toml file")
@click.option("--train", "num_train", type=int, help="labelled chips; default: 2000 of Planet, 200 of others")
@click.option("--test", "num_test", type=int, help="chips to predict; default: 1000 of Planet, 100 of others")
@click.option("--size", type=int, default=64, show_default=True, help="pixels along each side")
@click.option("--seed", type=int, default=0, show_default=True, help="the same seed gives the same bytes")
@click.option("--tif", is_flag=True, help="of Planet, write four-band GeoTIFFs too")
@click.option(
    "--rare-boost", type=float, default=1.0, show_default=True, help="of Planet, how much more often rare labels occur"
)
@output_flags
def simulate(folder: Path, competition: str, **options: Any) -> None:
    """Make chips up, for a trial without Kaggle's data: Amazon chips, or plain ones in a competition's layout."""
    context = get_current_context()
    given = {name: value for name, value in options.items() if value is not None}
    if competition == "planet":
        from competition.simulator.simulate import simulate as simulate_chips

        options = {"num_train": 2000, "num_test": 1000, **given}
        simulate_chips(folder, **options)
    else:
        from competition.layouts.simulate import simulate_layout
        from competition.spec.load import load

        options = {"num_train": 200, "num_test": 100, **given}
        if options.pop("tif") | (options.pop("rare_boost") != 1):
            raise UserError("--tif and --rare-boost are for Planet's chips only.")
        simulate_layout(folder, load(competition), **options)
        context.meta[FLAGS] = ["--competition", competition]
    click.echo(f"Wrote {options['num_train']:,} labelled chips and {options['num_test']:,} to predict to {folder}.")
    show_next(f"data prepare --from {shlex.quote(str(folder))}")


@click.command(name="simulate")
@click.option("--output", "path", type=FILE, required=True, help="GeoTIFF to write; its truth lies beside it, .geojson")
@click.option("--size", type=int, default=4096, show_default=True, help="pixels along each side")
@click.option("--seed", type=int, default=0, show_default=True, help="the same seed gives the same place")
@click.option("--metres-per-pixel", type=float, default=3.0, show_default=True, help="of ground")
@click.option("--later", is_flag=True, help="the place a year later: more fields, roads and mines, and another sky")
@output_flags
def scene_simulate(path: Path, **options: Any) -> None:
    """Make a scene up: rivers, roads, fields, villages and mines of the Amazon, with the truth as polygons."""
    from competition.landscape.simulate import simulate_scene

    truth = simulate_scene(path, **options)
    size = f"{options['size']:,} x {options['size']:,} pixels"
    click.echo(f"Wrote a scene of {size} to {path}, and its truth to {truth}.")
    files = f"--scene {shlex.quote(str(path))} --polygons {shlex.quote(str(truth))}"
    show_next(f"scene chips {files} --competition planet --output DIR")


@click.group(name="competition", cls=Verbs)
def competition() -> None:
    """Begin a competition of your own, or see what a competition's file says."""


@competition.command()
@click.option("--from", "source", type=FOLDER, required=True, help="folder of Kaggle's files, packed or unpacked")
@click.option("--output", type=FILE, help="file to write; default: the competition's name with .toml")
@click.option("--train-table", help="the table of labels")
@click.option("--sample-submission", help="the table that shows what a submission looks like; '' is none")
@click.option("--id-column", help="the column that names the pictures")
@click.option("--tags-column", help="the column of the tags, or of the label")
@click.option("--separator", help="what stands between two tags")
@click.option("--metric", help="what ranks submissions, such as f2, 'macro f1', roc_auc or log_loss; default: a guess")
@click.option("--group", help="the column that says which chips stay together in a fold; '' is none")
@click.option("--name", help="short name, used in files; default: from --output, the slug or the folder")
@click.option("--title", help="name for people; default: from the slug or the folder")
@click.option("--slug", help="Kaggle's name of the competition; default: what looks like one")
@click.option("--force", is_flag=True, help="replace the file if it is there")
@output_flags
def init(source: Path, output: Path | None, force: bool, **wishes: str | None) -> None:
    """Write a competition's file from what Kaggle ships, commented, with a question for what is not sure."""
    from competition.init.forms import Wishes
    from competition.init.report import report
    from competition.init.toml_file import init as write_file

    found, path = write_file(source, output, Wishes(**wishes), force=force)
    click.echo(report(found, path))
    show_next(f"data prepare --from {shlex.quote(str(source))} --competition {shlex.quote(str(path))}")


@competition.command(name="show")
@click.option(
    "--competition", "name", default="planet", show_default=True, help="a known name, Kaggle's name, or a .toml file"
)
@click.option(
    "--workspace", type=FOLDER, default="workspace", show_default=True, help="its data, if they are prepared, give ids"
)
@output_flags
def show_one(name: str, workspace: Path) -> None:
    """Show a competition as the toolkit understands it."""
    from competition.spec.load import load
    from competition.spec.show import show as text_of
    from competition.workspace import Workspace

    described, chip = load(name), None
    with suppress(UserError):  # no data, or those of another competition
        chip = next(iter(Workspace(workspace, described).test_names), None)
    click.echo(text_of(described, chip))


@competition.command(name="list")
@output_flags
def list_all() -> None:
    """List the competitions that ship with the toolkit."""
    from competition.spec.load import shipped
    from competition.spec.show import list_of

    click.echo(list_of(shipped()))
    show_next("competition show --competition NAME")


VERBS = (competition, data)
