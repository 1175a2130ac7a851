"""The command line: every verb of the toolkit. `python run.py --help` lists them.

Each verb imports what it needs when it runs, so that help is instant.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from competition.command_line import FILE, FOLDER, Verbs, Words, in_workspace, show_next
from models.flags import as_flags, job_flags, model_flags, recipe_flags
from submissions.flags import METHODS, RULES, bench_flags, shown

if TYPE_CHECKING:
    from competition.workspace import Workspace


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="planet-toolkit")
def main() -> None:
    """Compete in multi-label image competitions: from Kaggle's archives to a checked submission."""


@main.group(name="data", cls=Verbs)
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
    from competition.download import download as download_files
    from competition.download import make_plan
    from competition.kaggle_client import Kaggle
    from competition.prepare import IncompleteError
    from competition.prepare import prepare as prepare_data

    kaggle, folder = Kaggle(workspace.competition.slug), folder or workspace.downloads
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
    from competition.prepare import prepare as prepare_data

    click.echo(prepare_data(workspace, source).text())
    show_next("data check")


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
    show_next("folds")


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
    show_next(f"data prepare --from {shlex.quote(str(folder))}")


@main.command()
@in_workspace
@click.option("--k", type=click.IntRange(min=2), default=5, show_default=True, help="folds a repeat")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="seed of the shuffling")
@click.option("--repeats", type=click.IntRange(min=1), default=1, show_default=True, help="whole rounds of k folds")
@click.option("--group", help="keep chips of one group in one fold: a column of the training table, or a CSV file")
@click.option("--force", is_flag=True, help="replace the fold table; runs made with the old one are refused then")
def folds(workspace: Workspace, k: int, seed: int, repeats: int, group: str | None, force: bool) -> None:
    """Deal the labelled chips into multilabel-stratified folds."""
    from folds.deal import deal

    click.echo(deal(workspace, k=k, seed=seed, repeats=repeats, group=group, force=force))
    show_next("train --models baseline")


@main.command()
@click.option("--recipes", type=FILE, help="your own recipe file, merged in")
def recipes(recipes: Path | None) -> None:
    """List the recipes and what each sets."""
    from models.recipes import listing

    click.echo(listing(recipes))


@main.command()
@in_workspace
@click.option("--model", required=True, help="a recipe, or a model begun with one")
@click.option("--fold", type=click.IntRange(min=0), required=True, help="number of the fold to hold out")
@click.option("--name", help="name of this variant of the recipe; default: the recipe's")
@job_flags
@recipe_flags
def fold(workspace: Workspace, model: str, fold: int, name: str | None, **options: Any) -> None:
    """Train one model on all folds but one, and score the chips it did not see."""
    from models.training import train_folds

    train_folds(workspace, model, name, fold, **options)
    show_next("status")


@main.command()
@in_workspace
@model_flags
@job_flags
@recipe_flags
def train(workspace: Workspace, models: tuple[str, ...], name: str | None, **options: Any) -> None:
    """Train models on every fold; folds that are done are left as they are."""
    from models.training import train_folds

    done = [train_folds(workspace, model, name, None, **options) for model in models]
    show_next(f"thresholds --model {name or models[0]}" if done[0] else "status")


@main.command()
@in_workspace
@model_flags
@click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping")
@click.option("--no-test", is_flag=True, help="the labelled chips only")
@click.option("--recipes", type=FILE, help="your own recipe file, merged in")
@recipe_flags
def features(workspace: Workspace, models: tuple[str, ...], name: str | None, **options: Any) -> None:
    """Fill the feature banks of frozen backbones, which all folds, heads and seeds share."""
    from models.banks import fill
    from models.runs import recipe_of

    recipes, overrides = options.pop("recipes"), options.pop("overrides")
    for model in models:
        known, verb = model if name else None, "features --models"
        recipe = recipe_of(workspace, name or model, known, overrides, recipes, verb=verb)
        fill(workspace, name or model, recipe, **options)
    given = {"name": name, "recipes": recipes, **overrides, **options}
    show_next(f"train --models {','.join(models)}{as_flags(given)}")


@main.command()
@in_workspace
def status(workspace: Workspace) -> None:
    """Show how far every model has come on every fold."""
    from folds.scores import ScoreStore
    from models.status import table

    click.echo(table(workspace, ScoreStore.of(workspace)))


@main.command()
@in_workspace
@click.option("--model", required=True, help="a trained model, or a file that `export` wrote")
@click.option("--images", type=FOLDER, required=True, help="folder of chips")
@click.option("--output", type=FILE, required=True, help="CSV file to write: image_name and one column a label")
@click.option("--tags", is_flag=True, help="add a column with the decided tags")
@click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping")
def predict(workspace: Workspace, model: str, images: Path, output: Path, tags: bool, skip_broken: bool) -> None:
    """Score any folder of chips with a trained model, averaged over its folds and views."""
    from competition.files import check_writable
    from competition.labels import counted, to_tags
    from folds.scores import ScoreStore
    from models import export, trained

    check_writable(output)
    competition, cuts = workspace.competition, None
    if export.is_file(model):
        scores, left_out, facts = export.predict_with_file(Path(model), images, skip_broken=skip_broken)
        competition, cuts = facts.competition, facts.cuts_of_all
    else:
        store = ScoreStore.of(workspace)
        scores, left_out = trained.predict_folder(workspace, store, model, images, skip_broken=skip_broken)
    scored, decided = scores.scored, None
    if tags:
        from submissions.cuts import cuts_of
        from submissions.decoding import decide

        cuts = cuts_of(model, workspace) if cuts is None else cuts
        decided = to_tags(decide(scores.values, cuts, competition), competition)
        low, high = min(cuts[scored]), max(cuts[scored])
        whole = ", one of every exclusive group" if scored.all() else ""
        click.echo(f"Tags: scores from {low:.3g} to {high:.3g} by label{whole}.")
    scores.write_table(output, competition, decided)
    for line in left_out:
        click.echo(f"Left out: {line}")
    click.echo(f"Wrote {output}: {counted(len(scores.names), 'chip')}.")


@main.command()
@in_workspace
@click.option("--model", required=True, help="a trained model")
@click.option("--output", type=FILE, required=True, help="file to write: .keras, .onnx, or .zip for OpenVINO")
@click.option(
    "--format", "file_format", type=click.Choice(["keras", "onnx", "openvino"]), help="default: by the suffix"
)
def export(workspace: Workspace, model: str, output: Path, file_format: str | None) -> None:
    """Put a trained model into one file, with its cuts, that `predict` takes without the workspace."""
    from competition.files import check_writable
    from folds.scores import ScoreStore
    from models.export import export as export_model
    from models.export import path_for
    from submissions.cuts import FILE as CUTS
    from submissions.cuts import cuts_of

    path = path_for(output, file_format)
    check_writable(path)
    export_model(workspace, ScoreStore.of(workspace), model, path, cuts_of(model, workspace), click.echo)
    click.echo(f"Wrote {path}: {path.stat().st_size / 1e6:,.1f} MB.")
    if not (workspace.runs / model / CUTS).is_file():
        fixed = workspace.competition.metric.prior_cut
        click.echo(f"Every label is decided at {fixed:.2g}; `thresholds --model {model}` may find better cuts.")
    click.echo(f"Next: python run.py predict --model {shlex.quote(str(path))} --images DIR --output scores.csv --tags")


@main.command()
@in_workspace
@click.option("--model", required=True, help="a model with all its folds, or a blend")
@click.option("--trials", type=click.IntRange(min=1), default=200, show_default=True, help="Optuna's, of each study")
def thresholds(workspace: Workspace, model: str, trials: int) -> None:
    """Find cuts for a model's scores, and show what they are worth on folds they did not see."""
    from submissions.cuts import make_cuts
    from submissions.next_step import after_cuts
    from submissions.tables import cuts_text

    made = make_cuts(model, workspace, trials=trials)
    click.echo(cuts_text(made, workspace.competition))
    click.echo(f"Wrote {made.path}; studies in {workspace.studies}.")
    if command := after_cuts(model, workspace):
        show_next(command)


@main.group(name="scores", cls=Verbs)
def scores() -> None:
    """Exchange scores with team mates."""


@scores.command(name="import")
@in_workspace
@click.argument("files", type=FILE, nargs=-1, required=True)
@click.option("--name", required=True, help="what the member is to be called")
def import_scores(workspace: Workspace, files: tuple[Path, ...], name: str) -> None:
    """Take in a member's scores, CSV or NPZ: a row a chip, labelled (out-of-fold) or to predict, as its id says."""
    from submissions import exchange

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
    from submissions import exchange

    written = exchange.export_scores(name, output, workspace)
    click.echo(f"Wrote {output}: scores of {len(written.names):,} chips.")


@main.command()
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
    from submissions.blending import make_bench
    from submissions.compare import compare as compare_all
    from submissions.compare import known_members
    from submissions.tables import comparison_text

    members = members or known_members(workspace, click.echo)
    bench = make_bench(members, workspace, **options)
    compared = compare_all(bench, methods, cuts, progress=True)
    shaken = compared.shake_up(public) if public else None
    for line in bench.chips.notes:
        click.echo(line)
    click.echo(comparison_text(compared, shaken, top))
    show_next(f"blend --auto --members {','.join(members)} --name best{shown(options)}")


@main.command()
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
    from competition.errors import UserError
    from submissions.blending import make_bench, make_best, make_blend
    from submissions.tables import blend_text, comparison_text
    from submissions.write import write_decided

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


@main.command()
@in_workspace
@click.argument("name")
@click.option("--against", help="another submission, by name or path: show how far the two agree, by id prefix")
@click.option("--any-weather", is_flag=True, help="allow any number of labels of an exclusive group on a chip")
def validate(workspace: Workspace, name: str, against: str | None, any_weather: bool) -> None:
    """Check a submission, given by name or path, against the sample submission; exits with 1 if it does not fit."""
    from submissions.agreement import agreement
    from submissions.validate import validate_submission
    from submissions.write import read_recipe, submission_path

    path, competition = submission_path(name, workspace), workspace.competition
    exclusive = not any_weather and read_recipe(path).get("exclusive", True)
    report = validate_submission(path, competition, workspace.test_names, exclusive=exclusive)
    click.echo(report.text())
    if against:
        click.echo(agreement(path, submission_path(against, workspace), competition).text())
    if not report.is_valid:
        sys.exit(1)
    show_next(f"submit {shlex.quote(name)} --message {shlex.quote(path.stem)}")


@main.command()
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
    from competition.files import readable
    from competition.kaggle_client import Kaggle
    from submissions import upload
    from submissions.leaderboard import score_text
    from submissions.ledger import Ledger

    message = upload.check_message(message)
    parcel, ledger = upload.pack(name, workspace, as_gzip=as_gzip), Ledger.of(workspace)
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


@main.group(name="submissions", cls=Verbs)
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
    from competition.kaggle_client import Kaggle
    from competition.labels import counted
    from submissions.ledger import Ledger

    listed = Kaggle(workspace.competition.slug).submissions()
    synced = Ledger.of(workspace).record(listed)
    news = f"{synced.new} made elsewhere, {synced.scored} newly scored, {len(synced.found)} newly confirmed"
    click.echo(f"Kaggle lists {counted(len(listed), 'submission')}: {news}.", err=as_json)
    _show_ledger(workspace, as_json)


def _show_ledger(workspace: Workspace, as_json: bool) -> None:
    import json

    from submissions.leaderboard import ledger_json, ledger_text
    from submissions.ledger import Ledger

    entries = Ledger.of(workspace).entries()
    click.echo(json.dumps(ledger_json(entries), indent=2, ensure_ascii=False) if as_json else ledger_text(entries))


@main.command()
@click.option("--workspace", type=FOLDER, default="workspace/demo", show_default=True, help="folder of every artefact")
def demo(workspace: Path) -> None:
    """See the whole chain run on made-up chips: two models, their blend, a checked submission."""
    from submissions.demo import demo_text

    kaggle, here = workspace / "kaggle", ["--workspace", str(workspace)]
    simulate = ["data simulate --train 900 --test 300 --size 64 --rare-boost 6", "--to", str(kaggle)]
    chain = [
        *([] if kaggle.is_dir() else [simulate]),
        ["data prepare", "--from", str(kaggle), *here],
        ["data check", *here],
        ["folds --k 3", *here],
        ["train --models baseline --input-size 32 --epochs 12 --batch-size 32", *here],
        ["train --models residual --input-size 32 --epochs 8 --batch-size 32", *here],
        ["thresholds --model residual --trials 50", *here],
        ["blend --members baseline,residual --name demo --trials 50", *here],
        ["submit demo --message demo --dry-run", *here],
    ]
    for words, *paths in chain:
        arguments = [*words.split(), *paths]
        click.secho(f"\n$ python run.py {shlex.join(arguments)}", bold=True)
        if code := main(arguments, standalone_mode=False):
            sys.exit(code)
    click.secho("\nWhat was made", bold=True)
    click.echo(demo_text(workspace / "blends" / "demo", workspace / "submissions" / "demo.csv", kaggle))


if __name__ == "__main__":
    sys.exit(main())
