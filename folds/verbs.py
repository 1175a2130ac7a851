"""The verb `folds`. It imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.flags import bands_flag, in_workspace
from competition.terminal.command_line import FILE
from competition.terminal.output import as_json, show, show_next

if TYPE_CHECKING:
    from competition.workspace import Workspace


@click.command()
@in_workspace
@as_json
@click.option("--k", type=click.IntRange(min=2), help="number of folds; default: 5")
@click.option("--seed", type=click.IntRange(min=0), help="seed of the shuffling; default: 0")
@click.option(
    "--repeats", type=click.IntRange(min=1), help="times that every chip is held out, each in other folds; default: 1"
)
@click.option(
    "--group",
    help="keep chips of one group in one fold: a column of the training table, a CSV file, or duplicates; "
    "default: the competition's column of groups, '' for none",
)
@click.option("--from", "source", type=FILE, help="take the folds in a CSV file, such as a team mate's folds.csv")
@click.option(
    "--column", help="take the folds in this column, of the CSV file (default: fold) or of the training table"
)
@click.option("--force", is_flag=True, help="replace the fold table; runs made with the old one are refused then")
def folds(
    workspace: Workspace,
    k: int | None,
    seed: int | None,
    repeats: int | None,
    group: str | None,
    source: Path | None,
    column: str | None,
    force: bool,
) -> None:
    """Assign the labelled chips to multilabel-stratified folds, or take folds that were delivered.

    Folds that the competition delivers are taken unless one of --k, --seed, --repeats and --group is given.
    """
    from folds.assign import assign_folds, take_folds

    flags = {"--k": k, "--seed": seed, "--repeats": repeats, "--group": group}
    given = [flag for flag, value in flags.items() if value is not None]
    if source is not None or column is not None:
        if given:
            raise UserError(
                f"{' and '.join(given)} make folds, --from and --column take those there are. Leave one out."
            )
        assigned = take_folds(workspace, source=source, column=column, force=force)
    elif workspace.competition.tables.fold_column is not None and not given:
        assigned = take_folds(workspace, force=force)
    else:
        with reporter.busy("assigning folds"):
            assigned = assign_folds(workspace, k=k or 5, seed=seed or 0, repeats=repeats or 1, group=group, force=force)
    show(assigned)
    if not workspace.layout.folders:
        show_next("scores import FILES --name NAME")
        return
    show_next(f"train --models baseline{bands_flag(workspace.competition)}")


VERBS = (folds,)
