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
from competition.common.errors import UserError
from competition.flags import in_workspace
from submissions.flags import OF_GROUP, blend_flags, compare_flags, shown, with_trials
from submissions.names import METHODS, RULES

if TYPE_CHECKING:
    from competition.workspace import Workspace

RULE = ("--rule", "--cuts")  # the latter: before it had its name
as_json_flag = click.option("--json", "as_json", is_flag=True, help="everything that is known, as JSON")


@click.command()
@in_workspace
@click.option("--model", required=True, help="a model with all its folds, or a blend")
@with_trials
def thresholds(workspace: Workspace, model: str, trials: int) -> None:
    """Find cuts for a model's scores, and show what they are worth on folds they did not see."""
    from submissions.choose.cuts import make_cuts, why_none
    from submissions.members.coverage import after_cuts

    if why := why_none(model, workspace):
        click.echo(why)
        if command := after_cuts(model, workspace):
            show_next(command)
        return
    chosen = make_cuts(model, workspace, trials=trials)
    click.echo(chosen.text())
    click.echo(f"Wrote {chosen.path}; studies in {workspace.studies}.")
    if command := after_cuts(model, workspace):
        show_next(command)


@click.group(name="scores", cls=Verbs)
def scores() -> None:
    """Exchange scores with team mates."""


@scores.command(name="import")
@in_workspace
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--name", required=True, help="name of the member")
@click.option("--test", type=FILE, multiple=True, help="a file of chips to predict, if labelled ones have the same ids")
def import_scores(workspace: Workspace, files: tuple[Path, ...], name: str, test: tuple[Path, ...]) -> None:
    """Take in a member's scores from CSV or NPZ files with one row per chip.

    A labelled chip's scores are out-of-fold; those of others are of chips to predict. The ids, or --test, say which.
    """
    from submissions.members import exchange

    oof, predicted = exchange.import_scores(name, files, workspace, test=test)
    labelled, others = len(oof.names), len(predicted.names)
    click.echo(f"Wrote {workspace.blends / name}: scores of {labelled:,} labelled chips, {others:,} others.")
    show_next(f"thresholds --model {name}")


@scores.command(name="export")
@in_workspace
@click.argument("name")
@click.option("--output", type=FILE, required=True, help="file to write: .csv or .npz")
@click.option("--test", type=FILE, help="file of its own for the scores of chips to predict")
def export_scores(workspace: Workspace, name: str, output: Path, test: Path | None) -> None:
    """Write a model's or blend's out-of-fold and test scores to a file for `scores import`."""
    from submissions.members import exchange

    if test is not None:
        written = exchange.export_scores(name, test, workspace, split="test")
        click.echo(f"Wrote {test}: scores of {len(written.names):,} chips to predict.")
    written = exchange.export_scores(name, output, workspace, split="both" if test is None else "train")
    click.echo(f"Wrote {output}: scores of {len(written.names):,} chips.")


@click.command()
@in_workspace
@click.option(
    "--members",
    type=Words(needed=True),
    help="models and blends; default: every model with all its folds, and imported scores",
)
@click.option(
    "--methods",
    type=Words(),
    help=f"ways of combining them, of {', '.join(METHODS)}; all; none; default: all but the last two",
)
@click.option(
    *RULE, "rules", type=Words(needed=True), help=f"decision rules, of {', '.join(RULES)}; default: all but optuna"
)
@compare_flags
@blend_flags
def compare(
    workspace: Workspace,
    members: tuple[str, ...] | None,
    methods: tuple[str, ...] | None,
    rules: tuple[str, ...] | None,
    top: int,
    public: float | None,
    track: str | None,
    trials: int,
    **options: Any,
) -> None:
    """Show every model, blend and stack by every decision rule, cross-fitted, and which to submit."""
    from submissions.choose.candidates import make_candidates
    from submissions.choose.compare import compare as compare_all
    from submissions.choose.compare import known_members
    from submissions.choose.tracked import ComparisonTracker
    from submissions.decide.studies import Tuning

    tracker = ComparisonTracker(workspace, track)
    members = members or known_members(workspace)
    tuning = Tuning(trials, workspace.studies, title="compare")
    candidates = make_candidates(members, workspace, tuning=tuning, **options)
    comparison = compare_all(candidates, methods, rules)
    shaken = comparison.shake_up(public) if public else None
    for line in candidates.chips.notes:
        click.echo(line)
    click.echo(comparison.text(top=top, shaken=shaken))
    tracker.keep(comparison, members=members, methods=methods, rules=rules, trials=trials, **options)
    show_next(f"blend --auto --members {','.join(members)} --name best{shown(options)}")


@click.command()
@in_workspace
@click.option(
    "--members", type=Words(needed=True), required=True, help="models and blends that score all labels together"
)
@click.option("--name", required=True, help="name of the blend and of its submission")
@click.option("--auto", is_flag=True, help="choose members, method and rule: the simplest within an error of the best")
@click.option("--method", type=click.Choice(METHODS), help="how members are combined; default: mean")
@click.option(
    *RULE,
    "rule",
    type=click.Choice(["auto", *RULES]),
    help="how labels are decided; default: auto, the simplest rule for cuts within an error of the best",
)
@blend_flags
def blend(
    workspace: Workspace,
    members: tuple[str, ...],
    name: str,
    auto: bool,
    method: str | None,
    rule: str | None,
    trials: int,
    **options: Any,
) -> None:
    """Blend or stack models, decide the tags of the test chips, and write and check the submission."""
    from submissions.choose.blending import make_best, make_blend
    from submissions.choose.candidates import make_candidates
    from submissions.decide.studies import Tuning
    from submissions.submit.write import write_decided

    if auto and (method or rule):
        raise UserError("--auto chooses the method and the rule. Leave out --method and --rule, or --auto.")
    if options["exclusive"] is None:
        options["exclusive"] = not auto
    tuning = Tuning(trials, workspace.studies, title=name)
    candidates = make_candidates(members, workspace, tuning=tuning, **options)
    if auto:
        blended = make_best(name, candidates, workspace)
    else:
        blended = make_blend(name, candidates, workspace, method=method or "mean", rule=rule or "auto")
    click.echo(blended.text())
    if blended.lacking:
        raise blended.lacking
    click.echo(write_decided(blended.test, blended.evaluation.fitted, workspace, blended.provenance).text())
    if workspace.competition.slug:
        show_next(f"submit {name} --message '{blended.evaluation.name}'")


@click.command()
@in_workspace
@click.argument("name")
@click.option("--against", help="another submission, by name or path: show how far the two agree, by id prefix")
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
    click.echo(report.text())
    if against:
        click.echo(agreement(path, submission_path(against, workspace), competition).text())
    if report.is_disordered:
        show_next(f"validate {shlex.quote(name)} --sort")
    if not report.is_valid:
        sys.exit(1)
    if competition.slug:
        show_next(f"submit {shlex.quote(name)} --message {shlex.quote(path.stem)}")


@click.command()
@in_workspace
@click.argument("name", required=False)
@click.option("--message", help="shown beside the submission on Kaggle; default: its name")
@click.option("--again", is_flag=True, help="submit a file that was submitted before")
@click.option("--wait", is_flag=True, help="wait for the score, half an hour at most")
@click.option("--gzip", "as_gzip", is_flag=True, help="compress the file for the upload")
@click.option("--dry-run", is_flag=True, help="check everything, and let nothing leave this machine")
def submit(
    workspace: Workspace, name: str | None, message: str | None, again: bool, wait: bool, as_gzip: bool, dry_run: bool
) -> None:
    """Check a submission, by name or path, and upload it to Kaggle, once; default: the one written last."""
    from competition.kaggle.client import Kaggle
    from submissions.submit import upload
    from submissions.submit.ledger import Ledger
    from submissions.submit.parcel import check_message, pack

    slug = workspace.competition.slug if dry_run else workspace.competition.kaggle_slug
    parcel, ledger = pack(name, workspace, as_gzip=as_gzip), Ledger.of(workspace)
    message = check_message(parcel.path.stem if message is None else message)
    click.echo(parcel.report.text())
    upload.check_new(parcel, ledger, again=again)
    if dry_run:
        click.echo(parcel.rehearsal(message, slug))
        return
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


@click.group(name="submissions", cls=Verbs)
def submissions() -> None:
    """Show what was submitted, and how it scored."""


@submissions.command(name="list")
@in_workspace
@as_json_flag
def list_submissions(workspace: Workspace, as_json: bool) -> None:
    """Show the ledger: every submission, its cross-fitted score and its scores on Kaggle."""
    _show_ledger(workspace, as_json)


@submissions.command()
@in_workspace
@as_json_flag
def sync(workspace: Workspace, as_json: bool) -> None:
    """Pull the scores of every submission from Kaggle, also of those made elsewhere, and show the ledger."""
    from competition.common.text import counted
    from competition.kaggle.client import Kaggle
    from submissions.submit.ledger import Ledger

    listed = Kaggle(workspace.competition.kaggle_slug).submissions()
    news = Ledger.of(workspace).record(listed).text()
    click.echo(f"Kaggle lists {counted(len(listed), 'submission')}: {news}.", err=as_json)
    _show_ledger(workspace, as_json)


def _show_ledger(workspace: Workspace, as_json: bool) -> None:
    import json

    from submissions.submit.leaderboard import Standings
    from submissions.submit.ledger import Ledger

    standings = Standings(Ledger.of(workspace).entries(), workspace.competition.slug is not None)
    click.echo(json.dumps(standings.as_dict(), indent=2, ensure_ascii=False) if as_json else standings.text())


VERBS = (thresholds, scores, compare, blend, validate, submit, submissions)
