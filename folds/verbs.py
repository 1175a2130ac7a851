"""The verb `folds`. It imports what it needs when it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from competition.common.command_line import show_next
from competition.flags import in_workspace

if TYPE_CHECKING:
    from competition.workspace import Workspace


@click.command()
@in_workspace
@click.option("--k", type=click.IntRange(min=2), default=5, show_default=True, help="number of folds")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="seed of the shuffling")
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="times that every chip is held out, each time in other folds",
)
@click.option("--group", help="keep chips of one group in one fold: a column of the training table, or a CSV file")
@click.option("--force", is_flag=True, help="replace the fold table; runs made with the old one are refused then")
def folds(workspace: Workspace, k: int, seed: int, repeats: int, group: str | None, force: bool) -> None:
    """Assign the labelled chips to multilabel-stratified folds."""
    from folds.assign import assign_folds

    click.echo(assign_folds(workspace, k=k, seed=seed, repeats=repeats, group=group, force=force).text())
    show_next("train --models baseline")


VERBS = (folds,)
