"""The verbs of notebooks on Kaggle: push, status, output. Each imports what it needs when it runs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from competition.common.errors import UserError
from competition.flags import in_workspace
from competition.terminal.command_line import FOLDER
from competition.terminal.completion import names_in
from competition.terminal.output import as_json, show, show_next

if TYPE_CHECKING:
    from competition.workspace import Workspace

of_notebooks = names_in("notebooks/[!.]*/")


@click.command()
@in_workspace
@as_json
@click.argument("name", shell_complete=of_notebooks)
@click.option("--message", help="shown beside the version of its data set on Kaggle; default: its name")
@click.option("--again", is_flag=True, help="let Kaggle run it once more, even if it has it")
def push(workspace: Workspace, name: str, message: str | None, again: bool) -> None:
    """Bring a packed notebook and its data set to Kaggle, once, where it runs; both are private."""
    from submissions.push.packed import check_packed, folder_of
    from submissions.push.push import push_notebook
    from submissions.submit.parcel import check_message

    folder = folder_of(name, workspace)
    check_packed(folder, workspace)
    if workspace.is_made_up:
        raise UserError("These chips are made up, by `data simulate`: Kaggle knows none of them.")
    message = check_message(folder.name if message is None else message)
    show(push_notebook(name, workspace, message, again=again))
    show_next(f"notebook status {shlex.quote(name)} --wait")


@click.command()
@in_workspace
@as_json
@click.argument("name", shell_complete=of_notebooks)
@click.option("--wait", is_flag=True, help="wait until it has ended")
def status(workspace: Workspace, name: str, wait: bool) -> None:
    """Show how far a pushed notebook has run; exits with 1 if it failed."""
    from competition.kaggle.notebooks import Notebooks
    from submissions.push.runs import pushed_of, run_of, wait_for_end

    push, kaggle = pushed_of(name, workspace), Notebooks()
    run = (wait_for_end if wait else run_of)(name, push, kaggle)
    show(run)
    if run.status in ("complete", "error"):
        show_next(f"notebook output {shlex.quote(name)}")
    if run.is_failed:
        sys.exit(1)


@click.command()
@in_workspace
@as_json
@click.argument("name", shell_complete=of_notebooks)
@click.option("--to", type=FOLDER, help="folder that receives it; default: notebooks/NAME.output in the workspace")
def output(workspace: Workspace, name: str, to: Path | None) -> None:
    """Fetch a notebook's submission.csv and log, and check the submission; exits with 1 if it does not fit."""
    from submissions.push.output import fetch_output

    if to is not None:
        workspace.check_not_kept(to)
    fetched = fetch_output(name, workspace, to)
    show(fetched)
    if not fetched.report.is_valid:
        sys.exit(1)
    show_next(f"submit {shlex.quote(name)} --notebook")


VERBS = (push, status, output)
