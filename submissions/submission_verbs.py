"""The verbs of submissions: validate, submit, submissions. Each imports what it needs when it runs."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import rich_click as click

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.flags import in_workspace, with_public
from competition.terminal.command_line import Verbs
from competition.terminal.completion import of_scored, of_submissions
from competition.terminal.output import as_json, show, show_next
from submissions.flags import OF_GROUP

if TYPE_CHECKING:
    from competition.workspace import Workspace
    from submissions.submit.upload import Parcel


@click.command()
@in_workspace
@as_json
@click.argument("name", shell_complete=of_submissions)
@click.option(
    "--against",
    shell_complete=of_submissions,
    help="another submission, by name or path: show how far the two agree, by id prefix",
)
@click.option(
    *OF_GROUP,
    "exclusive",
    default=None,
    help="require one label of each exclusive group for every chip, or allow any number; default: as written",
)
@click.option(
    "--sort", is_flag=True, help="bring the rows into the sample submission's order, if nothing else is wrong"
)
def validate(workspace: Workspace, name: str, against: str | None, exclusive: bool | None, sort: bool) -> None:
    """Check a submission, given by name or path, against the sample submission; exits with 1 if it does not fit."""
    from submissions.submit.agreement import agreement
    from submissions.submit.provenance import read_provenance
    from submissions.submit.validate import validate_submission
    from submissions.submit.write import sort_submission, submission_path

    path, competition = submission_path(name, workspace), workspace.competition
    asked = read_provenance(path).get("exclusive", True)
    exclusive = asked if exclusive is None else exclusive
    report = validate_submission(path, competition, workspace.sample, exclusive=exclusive)
    if sort and report.is_disordered:
        report = sort_submission(report, workspace, exclusive=exclusive)
    compared = agreement(path, submission_path(against, workspace), competition) if against else None
    show(report, agreement=compared)
    if report.is_disordered:
        show_next(f"validate {shlex.quote(name)} --sort")
    if not report.is_valid:
        sys.exit(1)
    if competition.slug:
        show_next(f"submit {shlex.quote(name)} --message {shlex.quote(path.stem)}")


@click.command()
@in_workspace
@click.argument("name", required=False, shell_complete=of_submissions)
@click.option("--message", help="shown beside the submission on Kaggle; default: its name")
@click.option("--again", is_flag=True, help="submit what was submitted before")
@click.option("--notebook", is_flag=True, help="submit the notebook of this name that was pushed, and no file")
@click.option("--as-is", is_flag=True, help="submit it though its blend was made, or its notebook packed, anew since")
@click.option("--wait", is_flag=True, help="wait for the score, half an hour at most")
@click.option("--gzip", "as_gzip", is_flag=True, help="compress the file for the upload")
@click.option("--dry-run", is_flag=True, help="check everything, and let nothing leave this machine")
def submit(
    workspace: Workspace,
    name: str | None,
    message: str | None,
    again: bool,
    notebook: bool,
    as_is: bool,
    wait: bool,
    as_gzip: bool,
    dry_run: bool,
) -> None:
    """Check a submission, by name or path, and upload it to Kaggle, once; default: the one written last."""
    from competition.kaggle.client import Kaggle
    from submissions.submit import upload
    from submissions.submit.ledger import Ledger
    from submissions.submit.parcel import check_message

    slug = workspace.competition.slug if dry_run else workspace.competition.kaggle_slug
    parcel, ledger = _parcel(name, workspace, notebook, as_gzip, as_is, dry_run), Ledger.of(workspace)
    message = check_message(parcel.title if message is None else message)
    upload.check_new(parcel, ledger, again=again)
    if dry_run:
        click.echo(parcel.rehearsal(message, slug))
        return
    if workspace.is_made_up:
        raise UserError("These chips are made up, by `data simulate`: Kaggle knows none of them. Give --dry-run.")
    kaggle = Kaggle(workspace.competition.kaggle_slug)
    submitted = upload.submit(parcel, message, kaggle, ledger, again=again)
    click.echo(submitted.text())
    if not wait:
        show_next("submissions sync")
        return
    entry = upload.wait_for_score(submitted.entry, kaggle, ledger)
    click.echo(entry.text())
    if entry.status != "complete":
        sys.exit(1)


def _parcel(
    name: str | None, workspace: Workspace, notebook: bool, as_gzip: bool, as_is: bool, dry_run: bool
) -> Parcel:
    """Return what is to be submitted, and show what was found in it."""
    from submissions.push.entry import pack_notebook
    from submissions.submit.parcel import pack

    if not notebook:
        parcel = pack(name, workspace, as_gzip=as_gzip, as_is=as_is)
        click.echo(parcel.report.text())
        return parcel
    if name is None or as_gzip:
        raise UserError("--notebook: give the name of a notebook that was pushed, and no --gzip.")
    return pack_notebook(name, workspace, ask=not (dry_run or workspace.is_made_up), as_is=as_is)


@click.group(name="submissions", cls=Verbs)
def submissions() -> None:
    """Show what was submitted, and how it scored."""


@submissions.command(name="list")
@in_workspace
@as_json
@with_public
def list_submissions(workspace: Workspace, public: float) -> None:
    """Show the ledger: every submission, its cross-fitted score and its scores on Kaggle."""
    _show_ledger(workspace, public)


@submissions.command()
@in_workspace
@as_json
@with_public
def sync(workspace: Workspace, public: float) -> None:
    """Pull the scores of every submission from Kaggle, also of those made elsewhere, and show the ledger."""
    from competition.common.text import counted
    from competition.kaggle.client import Kaggle
    from submissions.submit.ledger import Ledger

    listed = Kaggle(workspace.competition.kaggle_slug).submissions()
    news = Ledger.of(workspace).record(listed).text()
    reporter.say(f"Kaggle lists {counted(len(listed), 'submission')}: {news}.")
    _show_ledger(workspace, public)


@submissions.command()
@in_workspace
@as_json
@with_public
def choose(workspace: Workspace, public: float) -> None:
    """Name the two submissions to select for the private leaderboard, and say how often other pairs would win."""
    from submissions.final.choice import choose_two
    from submissions.submit.ledger import Ledger

    with reporter.busy("comparing pairs"):
        choice = choose_two(Ledger.of(workspace).entries(), workspace, public)
    show(choice)


@submissions.command()
@in_workspace
@click.argument("labels", nargs=-1, required=True)
@click.option("--name", help="of the submission; default: probe- and the labels")
def probe(workspace: Workspace, labels: tuple[str, ...], name: str | None) -> None:
    """Write a submission that answers the same labels for every chip, to learn how many carry them."""
    from submissions.shares.constant import write_probe

    name = name or "-".join(["probe", *labels])
    report = write_probe(labels, name, workspace)
    click.echo(f"{report.path} is valid: {report.num_rows} rows, each of them {' '.join(labels)}.")
    if workspace.competition.slug:
        show_next(f"submit {shlex.quote(name)} --wait")


@submissions.command()
@in_workspace
@as_json
@with_public
@click.argument("name", shell_complete=of_submissions)
def explain(workspace: Workspace, name: str, public: float) -> None:
    """Say what the public score of a probe, by name or number, means for the share of its labels."""
    from submissions.shares.constant import explain as explain_probe
    from submissions.submit.ledger import Ledger

    show(explain_probe(name, Ledger.of(workspace).entries(), workspace, public))


@submissions.command()
@in_workspace
@as_json
@with_public
@click.argument("name", shell_complete=of_scored)
def shares(workspace: Workspace, name: str, public: float) -> None:
    """Estimate each label's share among the chips to predict by the scores of a model or blend, and by probes."""
    from submissions.shares.table import find_shares
    from submissions.submit.ledger import Ledger

    with reporter.busy("estimating shares"):
        found = find_shares(name, Ledger.of(workspace).entries(), workspace, public)
    show(found)


def _show_ledger(workspace: Workspace, public: float) -> None:
    from submissions.shift.board import disagreement
    from submissions.submit.leaderboard import Standings
    from submissions.submit.ledger import Ledger

    entries = Ledger.of(workspace).entries()
    standings = Standings(entries, workspace.competition.slug is not None)
    show(standings, disagreement=disagreement(entries, workspace, public))


VERBS = (validate, submit, submissions)
