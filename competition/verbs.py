"""The verbs of the data: download, prepare, check, simulate. Each imports what it needs when it runs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from competition.common.command_line import FOLDER, Verbs, Words, show_next
from competition.flags import in_workspace

if TYPE_CHECKING:
    from competition.workspace import Workspace


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
    from competition.data.prepare import IncompleteError
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
def prepare(workspace: Workspace, source: Path) -> None:
    """Find the chips and tables in a folder: unpack archives, use unpacked folders where they lie."""
    from competition.data.prepare import prepare as prepare_data

    click.echo(prepare_data(workspace, source).text())
    show_next("data check")


@data.command()
@in_workspace
@click.option("--sample", type=click.IntRange(min=1), help="decode only so many chips of each folder; default: all")
def check(workspace: Workspace, sample: int | None) -> None:
    """Look for what would spoil training or a submission; exits with 1 if it finds any."""
    from competition.checks.check import check_data

    report = check_data(workspace, sample=sample)
    click.echo(report.text())
    if not report.ok:
        sys.exit(1)
    show_next("folds")


@data.command()
@click.option("--to", "folder", type=FOLDER, required=True, help="new folder to fill, in Kaggle's layout")
@click.option("--train", "num_train", type=int, default=2000, show_default=True, help="labelled chips")
@click.option("--test", "num_test", type=int, default=1000, show_default=True, help="chips to predict")
@click.option("--size", type=int, default=64, show_default=True, help="pixels along each side")
@click.option("--seed", type=int, default=0, show_default=True, help="the same seed gives the same bytes")
@click.option("--tif", is_flag=True, help="write four-band GeoTIFFs too")
@click.option("--rare-boost", type=float, default=1.0, show_default=True, help="how much more often rare labels occur")
@click.option("--debug", is_flag=True, help="show where an error came from")
def simulate(folder: Path, debug: bool, **options: Any) -> None:
    """Make Amazon chips up, for a trial without Kaggle's data."""
    from competition.simulator.simulate import simulate as simulate_chips

    click.get_current_context().meta["debug"] = debug
    simulate_chips(folder, **options)
    click.echo(f"Wrote {options['num_train']:,} labelled chips and {options['num_test']:,} to predict to {folder}.")
    show_next(f"data prepare --from {shlex.quote(str(folder))}")


VERBS = (data,)
