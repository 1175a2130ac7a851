"""The verbs of scores: thresholds, scores, compare, blend; those of submissions are in `submission_verbs.py`.

Each imports what it needs when it runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.cluster.flags import HERE, RAY, place_flags
from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.flags import PUBLIC, in_workspace
from competition.terminal.command_line import FILE, Verbs, Words
from competition.terminal.completion import of_scored
from competition.terminal.output import Remark, as_json, show, show_next
from submissions.change.verbs import change
from submissions.flags import blend_flags, compare_flags, shown, with_trials
from submissions.map.verbs import decide, scene_demo
from submissions.map_page.verbs import scene_map
from submissions.names import METHODS, RULES
from submissions.submission_verbs import VERBS as OF_SUBMISSIONS
from submissions.truth.verbs import evaluate

if TYPE_CHECKING:
    from competition.workspace import Workspace

RULE = ("--rule", "--cuts")  # the latter: before it had its name


@click.command()
@in_workspace
@as_json
@click.option("--model", required=True, shell_complete=of_scored, help="a model with all its folds, or a blend")
@with_trials
def thresholds(workspace: Workspace, model: str, trials: int) -> None:
    """Find cuts for a model's scores, and show what they are worth on folds they did not see."""
    from submissions.choose.cuts import make_cuts, why_none
    from submissions.members.coverage import after_cuts

    if why := why_none(model, workspace):
        show(Remark(why))
        if command := after_cuts(model, workspace):
            show_next(command)
        return
    with reporter.busy("finding cuts"):
        chosen = make_cuts(model, workspace, trials=trials)
    show(chosen, text=chosen.text(), by_label=chosen.by_label)
    reporter.say(f"Wrote {chosen.path}; studies in {workspace.studies}.")
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
@click.argument("name", shell_complete=of_scored)
@click.option("--output", type=FILE, required=True, help="file to write: .csv or .npz")
@click.option("--test", type=FILE, help="file of its own for the scores of chips to predict")
def export_scores(workspace: Workspace, name: str, output: Path, test: Path | None) -> None:
    """Write a model's or blend's out-of-fold and test scores to a file for `scores import`."""
    from submissions.members import exchange

    workspace.check_output(output)
    if test is not None:
        workspace.check_output(test, output)
        written = exchange.export_scores(name, test, workspace, split="test")
        click.echo(f"Wrote {test}: scores of {len(written.names):,} chips to predict.")
    written = exchange.export_scores(name, output, workspace, split="both" if test is None else "train")
    click.echo(f"Wrote {output}: scores of {len(written.names):,} chips.")


@click.command()
@in_workspace
@as_json
@click.option(
    "--members",
    type=Words(needed=True),
    shell_complete=of_scored,
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
@place_flags(RAY)
@blend_flags
def compare(
    workspace: Workspace,
    members: tuple[str, ...] | None,
    methods: tuple[str, ...] | None,
    rules: tuple[str, ...] | None,
    top: int,
    public: float | None,
    weighted_to: str | None,
    track: str | None,
    trials: int,
    on: str,
    address: str | None,
    cpus: int | None,
    **options: Any,
) -> None:
    """Show every model, blend and stack by every decision rule, cross-fitted, and which to submit."""
    from folds.store.chip_weights import read_weights
    from submissions.choose.candidates import make_candidates
    from submissions.choose.compare import compare as compare_all
    from submissions.choose.compare import known_members
    from submissions.choose.measuring import on_ray
    from submissions.choose.tracked import ComparisonTracker
    from submissions.decide.studies import Tuning
    from submissions.measure.shake_up import public_chips
    from submissions.shift.board import disagreement_in
    from submissions.shift.weighed import Weighed, Weighing

    if weighted_to:
        read_weights(workspace)  # refuses what cannot serve, before the work
    if public:
        public_chips(public, len(workspace.labelled.image_names), "labelled chips")
    tracker = ComparisonTracker(workspace, track)
    members = members or known_members(workspace)
    # On many machines studies are not kept: SQLite is for one.
    tuning = Tuning(trials, workspace.studies if on == HERE else None, title="compare")
    with reporter.busy("comparing"):
        candidates = make_candidates(members, workspace, tuning=tuning, **options)
        comparison = compare_all(candidates, methods, rules, run=on_ray(address, cpus) if on == RAY else None)
        shaken = comparison.shake_up(public) if public else None
        weighed = Weighed(comparison, Weighing.of(comparison, workspace)) if weighted_to else None
        board = disagreement_in(workspace, public or PUBLIC)
        text = comparison.text(top=top, shaken=shaken, further=weighed.further if weighed else None)
    text = "\n".join([text, *([board.text()] if board else [])])
    for line in candidates.chips.notes:
        reporter.say(line)
    show(comparison, text=text, shake_up=shaken, weighed=weighed, disagreement=board)
    tracker.keep(comparison, members=members, methods=methods, rules=rules, trials=trials, **options)
    show_next(f"blend --auto --members {','.join(members)} --name best{shown(options)}")


@click.command()
@in_workspace
@as_json
@click.option(
    "--members",
    type=Words(needed=True),
    required=True,
    shell_complete=of_scored,
    help="models and blends that score all labels together",
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
    from submissions.choose.remarks import blend_before, said_of_replaced
    from submissions.decide.studies import Tuning
    from submissions.submit.write import write_decided

    if auto and (method or rule):
        raise UserError("--auto chooses the method and the rule. Leave out --method and --rule, or --auto.")
    if options["exclusive"] is None:
        options["exclusive"] = not auto
    tuning, before = Tuning(trials, workspace.studies, title=name), blend_before(name, workspace)
    with reporter.busy("blending"):
        candidates = make_candidates(members, workspace, tuning=tuning, **options)
        if auto:
            blended = make_best(name, candidates, workspace)
        else:
            blended = make_blend(name, candidates, workspace, method=method or "mean", rule=rule or "auto")
    if not blended.lacking and (line := said_of_replaced(before, blended.provenance, workspace)):
        reporter.note(line)
    if blended.lacking:
        show(blended, text=blended.text(), by_label=blended.by_label)
        raise blended.lacking
    try:
        written = write_decided(blended.test, blended.evaluation.fitted, workspace, blended.provenance)
    except (OSError, UserError):
        show(blended, text=blended.text(), by_label=blended.by_label)  # it is kept
        raise
    text = f"{blended.text()}\n{written.text()}"
    show(blended, text=text, by_label=blended.by_label, submission=written)
    if workspace.competition.slug:
        show_next(f"submit {name} --message '{blended.evaluation.name}'")


VERBS = (thresholds, scores, compare, blend, *OF_SUBMISSIONS)
OF_SCENES = (decide, change, evaluate, scene_map, scene_demo)
