"""The verbs of training: recipes, fold, train, features, status. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from competition.common.command_line import FILE, as_flags, show_next
from competition.flags import in_workspace
from models.recipes.flags import job_flags, model_flags, recipe_flags

if TYPE_CHECKING:
    from competition.workspace import Workspace


@click.command()
@click.option("--recipes", type=FILE, help="your own recipe file, merged in")
def recipes(recipes: Path | None) -> None:
    """List the recipes and what each sets."""
    from models.recipes.named import listing

    click.echo(listing(recipes))


@click.command()
@in_workspace
@click.option("--model", required=True, help="a recipe, or a model begun with one")
@click.option("--fold", type=click.IntRange(min=0), required=True, help="number of the fold to hold out")
@click.option("--name", help="name of this variant of the recipe; default: the recipe's")
@job_flags
@recipe_flags
def fold(
    workspace: Workspace,
    model: str,
    fold: int,
    name: str | None,
    overrides: dict[str, Any],
    recipes: Path | None,
    **options: bool,
) -> None:
    """Train one model on all folds but one, and score the chips it did not see."""
    from models.runs.model_recipe import ModelRequest
    from models.train.train_folds import train_folds

    request = ModelRequest(model, name, overrides, recipes, verb=f"fold --fold {fold} --model")
    train_folds(workspace, request, fold, **options)
    show_next("status")


@click.command()
@in_workspace
@model_flags
@job_flags
@recipe_flags
def train(
    workspace: Workspace,
    models: tuple[str, ...],
    name: str | None,
    overrides: dict[str, Any],
    recipes: Path | None,
    **options: bool,
) -> None:
    """Train models on every fold; folds that are done are left as they are."""
    from models.runs.model_recipe import ModelRequest
    from models.train.train_folds import train_folds

    requests = [ModelRequest(model, name, overrides, recipes) for model in models]
    are_whole = [train_folds(workspace, request, **options) for request in requests]
    show_next(f"thresholds --model {requests[0].model}" if are_whole[0] else "status")


@click.command()
@in_workspace
@model_flags
@click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping")
@click.option("--no-test", is_flag=True, help="the labelled chips only")
@click.option("--recipes", type=FILE, help="your own recipe file, merged in")
@recipe_flags
def features(
    workspace: Workspace,
    models: tuple[str, ...],
    name: str | None,
    overrides: dict[str, Any],
    recipes: Path | None,
    **options: bool,
) -> None:
    """Fill the feature banks of frozen backbones, which all folds, heads and seeds share."""
    from models.inputs.fill_banks import fill_banks
    from models.runs.model_recipe import ModelRequest, recipe_of

    for model in models:
        request = ModelRequest(model, name, overrides, recipes, verb="features --models")
        fill_banks(workspace, request.model, recipe_of(workspace, request), **options)
    flags = as_flags({"name": name, "recipes": recipes, **overrides, **options})
    show_next(f"train --models {','.join(models)}{flags}")


@click.command()
@in_workspace
def status(workspace: Workspace) -> None:
    """Show how far every model has come on every fold."""
    from models.runs.status import status_of

    click.echo(status_of(workspace).text())


VERBS = (recipes, fold, train, features, status)
