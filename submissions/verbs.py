"""The verbs of scores: thresholds, scores, compare, blend, validate, submit, submissions.

Each imports what it needs when it runs.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from competition.common.command_line import FILE, Verbs, Words, show_next
from competition.flags import in_workspace
from submissions.flags import bench_flags, shown
from submissions.names import METHODS, RULES

if TYPE_CHECKING:
    from competition.workspace import Workspace


@click.command()
@in_workspace
@click.option("--model", required=True, help="a model with all its folds, or a blend")
@click.option("--trials", type=click.IntRange(min=1), default=200, show_default=True, help="Optuna's, of each study")
def thresholds(workspace: Workspace, model: str, trials: int) -> None:
    """Find cuts for a model's scores, and show what they are worth on folds they did not see."""
    from submissions.choose.cuts import make_cuts
    from submissions.choose.report import cuts_text
    from submissions.members.coverage import after_cuts

    made = make_cuts(model, workspace, trials=trials)
    click.echo(cuts_text(made, workspace.competition))
    click.echo(f"Wrote {made.path}; studies in {workspace.studies}.")
    if command := after_cuts(model, workspace):
        show_next(command)


@click.group(name="scores", cls=Verbs)
def scores() -> None:
    """Exchange scores with team mates."""


@scores.command(name="import")
@in_workspace
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--name", required=True, help="what the member is to be called")
def import_scores(workspace: Workspace, files: tuple[Path, ...], name: str) -> None:
    """Take in a member's scores, CSV or NPZ: a row a chip, labelled (out-of-fold) or to predict, as its id says."""
    from submissions.members import exchange

    oof, test = exchange.import_scores(name, files, workspace)
    click.echo(
        f"Wrote {workspace.blends / name}: scores of {len(oof.names):,} labelled chips, {len(test.names):,} others."
    )
    show_next(f"thresholds --model {name}")


@scores.command(name="export")
@in_workspace
@click.argument("name")
@click.option("--output", type=FILE, required=True, help="file to write: .csv or .npz")
def export_scores(workspace: Workspace, name: str, output: Path) -> None:
    """Write a model's or blend's out-of-fold and test scores to a file for `scores import`."""
    from submissions.members import exchange

    written = exchange.export_scores(name, output, workspace)
    click.echo(f"Wrote {output}: scores of {len(written.names):,} chips.")


@click.command()
@in_workspace
@click.option("--members", type=Words(needed=True), help="default: every model with all its folds, and imported scores")
@click.option("--methods", type=Words(), help=f"of {', '.join(METHODS)}; default: all but the slowest two; all; none")
@click.option("--cuts", type=Words(needed=True), help=f"of {', '.join(RULES)}; default: all but optuna")
@click.option("--top", type=click.IntRange(min=0), default=30, show_default=True, help="rows to show; 0: all")
@click.option("--public", type=click.FloatRange(0, 1, True, True), help="simulate the shake-up; Planet's was 0.34")
@bench_flags
def compare(
    workspace: Workspace,
    members: tuple[str, ...] | None,
    methods: tuple[str, ...] | None,
    cuts: tuple[str, ...] | None,
    top: int,
    public: float | None,
    **options: Any,
) -> None:
    """Show every model, blend and stack by every decision rule, cross-fitted, and which to submit."""
    from submissions.choose.blending import make_bench
    from submissions.choose.compare import compare as compare_all
    from submissions.choose.compare import known_members
    from submissions.choose.report import comparison_text

    members = members or known_members(workspace, click.echo)
    bench = make_bench(members, workspace, **options)
    compared = compare_all(bench, methods, cuts, progress=True)
    shaken = compared.shake_up(public) if public else None
    for line in bench.chips.notes:
        click.echo(line)
    click.echo(comparison_text(compared, shaken, top))
    show_next(f"blend --auto --members {','.join(members)} --name best{shown(options)}")


@click.command()
@in_workspace
@click.option("--members", type=Words(needed=True), required=True, help="models and blends, of all labels together")
@click.option("--name", required=True, help="name of the blend and of its submission")
@click.option("--auto", is_flag=True, help="choose members, method and cuts: the simplest within an error of the best")
@click.option("--method", type=click.Choice(METHODS), help="default: mean")
@click.option(
    "--cuts", type=click.Choice(["auto", *RULES]), help="default: auto, the simplest within an error of the best"
)
@bench_flags
def blend(
    workspace: Workspace,
    members: tuple[str, ...],
    name: str,
    auto: bool,
    method: str | None,
    cuts: str | None,
    **options: Any,
) -> None:
    """Blend or stack models, decide the tags of the test chips, and write and check the submission."""
    from competition.common.errors import UserError
    from submissions.choose.blending import make_bench, make_best, make_blend
    from submissions.choose.report import blend_text, comparison_text
    from submissions.submit.write import write_decided

    if auto and (method or cuts):
        raise UserError("--auto chooses the method and the cuts. Leave out --method and --cuts, or --auto.")
    if options["exclusive"] is None:
        options["exclusive"] = not auto
    bench = make_bench(members, workspace, title=name, **options)
    if auto:
        made, compared = make_best(name, bench, workspace, progress=True)
        click.echo(comparison_text(compared, top=10))
    else:
        made = make_blend(name, bench, workspace, method=method or "mean", cuts=cuts or "auto")
    click.echo(blend_text(made, workspace.competition))
    if made.lacking:
        raise UserError(made.lacking)
    report, notes = write_decided(name, made.test, made.candidate.evaluation.fitted, workspace, made.about)
    for line in notes:
        click.echo(line)
    click.echo(report.text())
    show_next(f"submit {name} --message '{made.candidate.evaluation.name}'")


@click.command()
@in_workspace
@click.argument("name")
@click.option("--against", help="another submission, by name or path: show how far the two agree, by id prefix")
@click.option("--any-weather", is_flag=True, help="allow any number of labels of an exclusive group on a chip")
def validate(workspace: Workspace, name: str, against: str | None, any_weather: bool) -> None:
    """Check a submission, given by name or path, against the sample submission; exits with 1 if it does not fit."""
    from submissions.submit.agreement import agreement
    from submissions.submit.validate import validate_submission
    from submissions.submit.write import read_recipe, submission_path

    path, competition = submission_path(name, workspace), workspace.competition
    exclusive = not any_weather and read_recipe(path).get("exclusive", True)
    report = validate_submission(path, competition, workspace.test_names, exclusive=exclusive)
    click.echo(report.text())
    if against:
        click.echo(agreement(path, submission_path(against, workspace), competition).text())
    if not report.is_valid:
        sys.exit(1)
    show_next(f"submit {shlex.quote(name)} --message {shlex.quote(path.stem)}")


@click.command()
@in_workspace
@click.argument("name", required=False)
@click.option("--message", required=True, help="shown beside the submission on Kaggle")
@click.option("--again", is_flag=True, help="submit a file that was submitted before")
@click.option("--wait", is_flag=True, help="wait for the score, half an hour at most")
@click.option("--gzip", "as_gzip", is_flag=True, help="upload the file compressed")
@click.option("--dry-run", is_flag=True, help="check everything, and let nothing leave this machine")
def submit(
    workspace: Workspace, name: str | None, message: str, again: bool, wait: bool, as_gzip: bool, dry_run: bool
) -> None:
    """Check a submission, by name or path, and upload it to Kaggle, once; default: the one written last."""
    from competition.common.text import readable
    from competition.kaggle.client import Kaggle
    from submissions.submit import upload
    from submissions.submit.leaderboard import score_text
    from submissions.submit.ledger import Ledger
    from submissions.submit.parcel import check_message, pack

    message = check_message(message)
    parcel, ledger = pack(name, workspace, as_gzip=as_gzip), Ledger.of(workspace)
    click.echo(parcel.report.text())
    upload.check_new(parcel, ledger, again=again)
    what = f"{parcel.upload_name} ({readable(len(parcel.content))}) to {workspace.competition.slug}"
    if dry_run:
        click.echo(f"Dry run: {what} would be submitted with the message {message!r}. Nothing has left this machine.")
        click.echo("Kaggle was not asked how many submissions are left, nor whether it has the file already.")
        return
    kaggle = Kaggle(workspace.competition.slug)
    done = upload.submit(parcel, message, kaggle, ledger, again=again)
    click.echo(done.text(what))
    if not wait:
        show_next("submissions sync")
        return
    entry = upload.wait_for_score(done.entry, kaggle, ledger)
    click.echo(f"{entry.ref}: {score_text(entry)}; {entry.state}{': ' if entry.error else ''}{entry.error}.")
    if entry.status != "complete":
        sys.exit(1)


@click.group(name="submissions", cls=Verbs)
def submissions() -> None:
    """Show what was submitted, and how it scored."""


@submissions.command(name="list")
@in_workspace
@click.option("--json", "as_json", is_flag=True, help="everything that is known, as JSON")
def list_submissions(workspace: Workspace, as_json: bool) -> None:
    """Show the ledger: every submission, its cross-fitted score and its scores on Kaggle."""
    _show_ledger(workspace, as_json)


@submissions.command()
@in_workspace
@click.option("--json", "as_json", is_flag=True, help="everything that is known, as JSON")
def sync(workspace: Workspace, as_json: bool) -> None:
    """Pull the scores of every submission from Kaggle, also of those made elsewhere, and show the ledger."""
    from competition.common.text import counted
    from competition.kaggle.client import Kaggle
    from submissions.submit.ledger import Ledger

    listed = Kaggle(workspace.competition.slug).submissions()
    synced = Ledger.of(workspace).record(listed)
    news = f"{synced.new} made elsewhere, {synced.scored} newly scored, {len(synced.found)} newly confirmed"
    click.echo(f"Kaggle lists {counted(len(listed), 'submission')}: {news}.", err=as_json)
    _show_ledger(workspace, as_json)


def _show_ledger(workspace: Workspace, as_json: bool) -> None:
    import json

    from submissions.submit.leaderboard import ledger_json, ledger_text
    from submissions.submit.ledger import Ledger

    entries = Ledger.of(workspace).entries()
    click.echo(json.dumps(ledger_json(entries), indent=2, ensure_ascii=False) if as_json else ledger_text(entries))


VERBS = (thresholds, scores, compare, blend, validate, submit, submissions)
