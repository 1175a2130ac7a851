"""The verbs of training: recipes, fold, train, features, tune. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.cluster.flags import HEADING, RAY, SLURM, place_flags
from competition.flags import bands_flag, in_workspace
from competition.terminal.command_line import FILE, as_flags
from competition.terminal.output import as_json, show, show_next
from models.foreign.trust import trust_flag
from models.recipes.flags import job_flags, model_flags, of_recipes, recipe_flags, recipe_lists

if TYPE_CHECKING:
    from competition.workspace import Workspace


@click.command()
@in_workspace
@click.option("--recipes", type=FILE, help="your own recipe file, merged in")
def recipes(workspace: Workspace, recipes: Path | None) -> None:
    """List the recipes and what each sets."""
    from models.recipes.named import listing

    click.echo(listing(recipes))
    bands = bands_flag(workspace.competition)
    show_next(f"train --models NAME{as_flags({'recipes': recipes})}{bands}")


@click.command()
@in_workspace
@click.option(
    "--model",
    required=True,
    shell_complete=of_recipes,
    help="a recipe, or a model begun with one",
)
@click.option("--fold", type=click.IntRange(min=0), required=True, help="number of the fold to hold out")
@click.option("--name", help="name of this variant of the recipe; default: the recipe's")
@click.option(
    "--only-seed",
    type=click.IntRange(min=0),
    panel=HEADING,
    help="train this seed's network alone, from 0, and score nothing: the others are other processes'",
)
@job_flags
@recipe_flags
@trust_flag
def fold(
    workspace: Workspace,
    model: str,
    fold: int,
    name: str | None,
    only_seed: int | None,
    overrides: dict[str, Any],
    recipes: Path | None,
    track: str | None,
    **options: bool,
) -> None:
    """Train one model on all folds but one, and score the chips it did not see."""
    from models.runs.model_recipe import ModelRequest
    from models.runs.tracked import tracked
    from models.train.train_folds import train_folds

    request = ModelRequest(model, name, overrides, recipes, verb=f"fold --fold {fold} --model")
    with tracked(workspace, track) as keep:
        train_folds(workspace, request, fold, only=only_seed, keep=keep, **options)
    show_next("status")


@click.command()
@in_workspace
@model_flags
@job_flags
@place_flags(RAY, SLURM)
@click.option("--slurm", help="of each job on Slurm, such as gpus_per_node=1,time=600", panel=HEADING)
@click.option("--print-jobs", is_flag=True, panel=HEADING, help="show the commands that several processes may share")
@click.option("--prepare", is_flag=True, panel=HEADING, help="make what the folds share, and train nothing")
@recipe_flags
@trust_flag
def train(
    workspace: Workspace,
    models: tuple[str, ...],
    name: str | None,
    overrides: dict[str, Any],
    recipes: Path | None,
    track: str | None,
    restart: bool,
    skip_broken: bool,
    no_test: bool,
    **where: Any,
) -> None:
    """Train models on every fold; folds that are done are left as they are."""
    from models.cluster.steps import Training
    from models.cluster.where import train_where
    from models.recipes.values import NONE
    from models.runs.model_recipe import ModelRequest, read_recipe

    requests = tuple(ModelRequest(model, name, overrides, recipes) for model in models)
    training = Training(workspace, requests, restart, skip_broken, no_test, track)
    are_whole = train_where(training, **where)
    if are_whole is None:
        return
    if not are_whole:
        show_next("status")
    elif len(requests) > 1:
        show_next("compare")
    else:
        show_next(f"thresholds --model {requests[0].model}")
        if (name := read_recipe(workspace, requests[0].model).pseudo) != NONE:
            show_next(f"pseudo {name}", what="What it has gained by pseudo-labels")


@click.command()
@in_workspace
@model_flags
@click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping")
@click.option("--no-test", is_flag=True, help="the labelled chips only")
@click.option("--recipes", type=FILE, help="your own recipe file, merged in")
@place_flags(RAY)
@recipe_flags
@trust_flag
def features(
    workspace: Workspace,
    models: tuple[str, ...],
    name: str | None,
    overrides: dict[str, Any],
    recipes: Path | None,
    skip_broken: bool,
    no_test: bool,
    on: str,
    **cluster: Any,
) -> None:
    """Fill the feature banks of frozen backbones, which all folds, heads and seeds share."""
    from competition.common.progress import reporter
    from models.inputs.fill_banks import bank_recipe, fill_banks
    from models.linear.probe import probe_features
    from models.runs.model_recipe import ModelRequest

    elsewhere, options = None, {"skip_broken": skip_broken, "no_test": no_test}
    if on == RAY:
        from models.stream.deal import Cluster
        from models.stream.features_on_ray import FeaturesOnRay

        elsewhere = FeaturesOnRay(workspace, Cluster(**cluster), skip_broken=skip_broken)
    requests = [ModelRequest(model, name, overrides, recipes, verb="features --models") for model in models]
    for recipe in [bank_recipe(workspace, request) for request in requests]:  # all are checked before the first
        fill_banks(workspace, recipe, elsewhere, **options)
        if found := probe_features(workspace, recipe, skip_broken=skip_broken):
            reporter.say(found.text())
    flags = as_flags({"name": name, "recipes": recipes, **overrides, **options})
    show_next(f"train --models {','.join(models)}{flags}")


@click.command()
@in_workspace
@click.option(
    "--model",
    required=True,
    shell_complete=of_recipes,
    help="a recipe, or a model begun with one, whose head learns from features",
)
@click.option("--name", help='name of the model with the best settings; default: that of the model, and "-tuned"')
@click.option(
    "--trials",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="settings to try in all; a grid has its own number",
)
@click.option("--minutes", type=float, help="that trials may take, for this time; training the best comes after")
@click.option("--grid", is_flag=True, help="try every combination of the values given by flags, and nothing else")
@click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping")
@click.option("--no-test", is_flag=True, help="score held-out chips only; without it the test chips follow")
@click.option("--recipes", type=FILE, help="your own recipe file, merged in")
@as_json
@recipe_lists
@trust_flag
def tune(workspace: Workspace, model: str, trials: int, minutes: float | None, **options: Any) -> None:
    """Search settings of a model's head, train a model with the best, and say what that is worth.

    A flag of a recipe given one value fixes it; given several, as --dropout .3,.5 or --dense 512 --dense 512,256, it
    restricts the search to them. Where all that is searched is restricted, every combination is tried.
    """
    from models.tune.request import TuneRequest
    from models.tune.tune import tune as tune_model

    tuned = tune_model(workspace, TuneRequest(model, **options), trials=trials, minutes=minutes)
    show(tuned)
    show_next("compare" if tuned.figures else "status" if tuned.is_better else f"train --models {model}")


VERBS = (recipes, fold, train, features, tune)
