"""The command line. Each room brings its verbs; here are those that need more than one room, and what joins them all.

Each verb imports what it needs when it runs, so that help is instant.
"""

from __future__ import annotations

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

import competition.verbs
import folds.verbs
import models.verbs
import submissions.verbs
import submissions.workspace_verbs
from competition.common.progress import reporter
from competition.flags import bands_flag, in_workspace
from competition.scene_chips.verbs import chips
from competition.terminal.command_line import FILE, FOLDER, Verbs, when_called
from competition.terminal.completion import completion, of_models, of_scored
from competition.terminal.demonstration import demonstrate
from competition.terminal.output import as_json, show, show_next
from models.auto.command import auto_flags, run_auto
from models.scenes.command import scene_predict
from models.shift.command import adversarial_verb
from models.stream.command import predict_flags, run_predict
from submissions.notebook.verbs import notebook_verb
from submissions.pseudo.verbs import pseudo_verb

if TYPE_CHECKING:
    from competition.workspace import Workspace
    from models.predict.predictor import Predictor
    from models.runs.status import Status
    from models.stream.parts import Tagging


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="planet-toolkit")
def main() -> None:
    """Compete in multi-label image competitions: from Kaggle's archives to a checked submission."""


@click.command()
@in_workspace
@click.option("--how", "model", shell_complete=of_models, help="how a model was made: commands, versions, device, data")
@as_json
def status(workspace: Workspace, model: str | None) -> None:
    """Show how far every model has come on every fold, and what comes next."""
    from models.how import how_made
    from models.runs.status import status_of
    from submissions.pseudo.again import steps_again

    if model:
        show(how_made(workspace, model))
        return
    found = status_of(workspace)
    show(found)
    again = steps_again(workspace, found.outdated, found.restarted)
    for number, command in enumerate(again or filter(None, [_after_status(found, workspace)])):
        show_next(command, what="Then" if number else "Next")
    if found.whole and (folder := _chips_at_hand(found.whole[0], workspace)):
        command = f"predict --model {found.whole[0]} --images {shlex.quote(str(folder))} --output scores.csv --tags"
        show_next(command, what="Scores of any folder of chips")


def _after_status(found: Status, workspace: Workspace) -> str:
    """Return the command that brings the models on; "" if there is none."""
    from submissions.choose.cuts import FILE
    from submissions.members.coverage import after_cuts

    if not found.models:
        return f"train --models baseline{bands_flag(workspace.competition)}"
    if not found.whole:
        return f"train --models {','.join(status.model for status in found.models)}"
    if len(found.whole) > 1:
        return "compare"
    (model,) = found.whole
    if found.cut is not None and not (workspace.runs / model / FILE).is_file():
        return f"thresholds --model {model}"
    return after_cuts(model, workspace)


def _chips_at_hand(model: str, workspace: Workspace) -> Path | None:
    """Return a folder of chips that a model takes: of those to predict, or else of labelled ones."""
    from models.runs.model_recipe import read_recipe

    images = workspace.competition.image_set(read_recipe(workspace, model).images)
    folders = (folder for split in ("test", "train") for folder in workspace.layout.folders_of(images, split))
    return next(folders, None)


@click.command()
@in_workspace
@predict_flags
def predict(workspace: Workspace, model: str, tags: bool, **options: Any) -> None:
    """Score any chips with a trained model, averaged over its folds and views: here, or millions of them on Ray."""
    run_predict(workspace, partial(_tagging_of, workspace, model) if tags else None, model=model, **options)


def _tagging_of(workspace: Workspace, model: str, predictor: Predictor) -> Tagging:
    """Return how the tags of a model are decided, and say by which cuts."""
    from models.stream.parts import Tagging
    from submissions.choose.cuts import better_cuts, cuts_of
    from submissions.decide.decisions import tags_of

    cuts = cuts_of(model, workspace) if predictor.cuts is None else predictor.cuts
    click.echo(predictor.decided_by(cuts))
    if predictor.cuts is None and (better := better_cuts(model, workspace)):
        click.echo(better)
    return Tagging(cuts, tags_of)


@click.command()
@in_workspace
@click.option("--model", required=True, shell_complete=of_models, help="a trained model")
@click.option("--output", type=FILE, required=True, help="file to write: .keras, .onnx, or .zip for OpenVINO")
@click.option(
    "--format", "file_format", type=click.Choice(["keras", "onnx", "openvino"]), help="default: by the suffix"
)
def export(workspace: Workspace, model: str, output: Path, file_format: str | None) -> None:
    """Put a trained model into one file, with its cuts, that `predict` takes without the workspace."""
    from folds.store.score_store import ScoreStore
    from models.export.export import export as export_model
    from models.export.export import path_for
    from submissions.choose.cuts import better_cuts, cuts_of

    path = path_for(output, file_format)
    workspace.check_output(path)
    report = export_model(workspace, ScoreStore.of(workspace), model, path, cuts_of(model, workspace))
    click.echo(report.text())
    if better := better_cuts(model, workspace):
        click.echo(better)
    show_next(f"predict --model {shlex.quote(str(path))} --images DIR --output scores.csv --tags", anywhere=True)


@click.command()
@in_workspace
@click.argument("name", required=False, shell_complete=of_scored)
@click.option("--output", type=FILE, help="file to write; default: report.html in the workspace")
@click.option("--suspects", type=FILE, help="CSV file to write: chips and labels that may be wrong")
@click.option("--overlays", is_flag=True, help="also show where the network looked; runs it, up to three minutes or so")
def report(workspace: Workspace, name: str | None, output: Path | None, suspects: Path | None, overlays: bool) -> None:
    """Write a page that shows what models, blends and rules are worth, label by label, and the chips they get wrong.

    NAME is a model or blend to look at closely; default: the simplest within an error of the best of the usual ones.
    """
    from models.predict.occlusion import Occlusion
    from models.runs.curves import known_of
    from submissions.evidence.given import Given
    from submissions.report.page import write_report

    given = Given(**known_of(workspace), hide=Occlusion(workspace) if overlays else None)
    with reporter.busy("writing the report"):
        written = write_report(name, workspace, given, output, suspects)
    click.echo(written.text())


@click.command()
@in_workspace
@auto_flags
def auto(workspace: Workspace, name: str, **options: Any) -> None:
    """Measure this machine, plan, train and blend within a time limit, up to a checked submission."""
    from submissions.best_so_far import BestSoFar

    def make_chooser(folder: Path, with_submission: bool) -> BestSoFar:
        return BestSoFar(name, workspace, folder, with_submission=with_submission)

    run_auto(workspace, name, make_chooser, **options)


@click.group(cls=Verbs)
def scene() -> None:
    """Images of any size with a place on the ground: chips cut from them, and their scores."""


@click.command()
@click.option("--workspace", type=FOLDER, default="workspace/demo", show_default=True, help="folder of every artefact")
def demo(workspace: Path) -> None:
    """See the whole chain run on made-up chips, in some minutes: two models, their blend, a checked submission."""
    from submissions.demo import BEGINS, chain, demo_text

    kaggle = workspace / "kaggle"
    demonstrate(BEGINS, chain(workspace, kaggle))
    click.echo(demo_text(workspace / "blends" / "demo", workspace / "submissions" / "demo.csv", kaggle))


competition.verbs.KEEPERS += [f"{room}.artefacts" for room in ("folds", "models", "submissions")]
submissions.workspace_verbs.LOOKS += ["models.artefacts"]


cuts_of = when_called("submissions.choose.cuts", "cuts_of")
notebook = notebook_verb(when_called("models.notebook.packing", "pack_model"))
pseudo = pseudo_verb(
    when_called("models.linear.nested", "nested_scores"), begun_as=when_called("models.how", "begun_as")
)
adversarial = adversarial_verb(when_called("submissions.shift.expected", "expect"))
for verb in (competition.verbs.scene_simulate, chips, scene_predict(cuts_of), *submissions.verbs.OF_SCENES):
    scene.add_command(verb)
for heading, verbs in {
    "The data": (*competition.verbs.VERBS, *folds.verbs.VERBS),
    "The models": (*models.verbs.VERBS, adversarial, status, predict, export),
    "The scores": (*submissions.verbs.VERBS, pseudo, notebook, report),
    "Scenes": (scene,),
    "With others": submissions.workspace_verbs.VERBS,
    "All at once": (auto, demo),
    "The command line": (completion,),
}.items():
    for verb in verbs:
        verb.panel = heading
        main.add_command(verb)

if __name__ == "__main__":
    sys.exit(main())
