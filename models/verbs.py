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
def fold(workspace: Workspace, model: str, fold: int, name: str | None, **options: Any) -> None:
    """Train one model on all folds but one, and score the chips it did not see."""
    from models.train.train_folds import train_folds

    train_folds(workspace, model, name, fold, **options)
    show_next("status")


@click.command()
@in_workspace
@model_flags
@job_flags
@recipe_flags
def train(workspace: Workspace, models: tuple[str, ...], name: str | None, **options: Any) -> None:
    """Train models on every fold; folds that are done are left as they are."""
    from models.train.train_folds import train_folds

    done = [train_folds(workspace, model, name, None, **options) for model in models]
    show_next(f"thresholds --model {name or models[0]}" if done[0] else "status")


@click.command()
@in_workspace
@model_flags
@click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping")
@click.option("--no-test", is_flag=True, help="the labelled chips only")
@click.option("--recipes", type=FILE, help="your own recipe file, merged in")
@recipe_flags
def features(workspace: Workspace, models: tuple[str, ...], name: str | None, **options: Any) -> None:
    """Fill the feature banks of frozen backbones, which all folds, heads and seeds share."""
    from models.inputs.fill_banks import fill
    from models.runs.model_recipe import recipe_of

    recipes, overrides = options.pop("recipes"), options.pop("overrides")
    for model in models:
        known, verb = model if name else None, "features --models"
        recipe = recipe_of(workspace, name or model, known, overrides, recipes, verb=verb)
        fill(workspace, name or model, recipe, **options)
    given = {"name": name, "recipes": recipes, **overrides, **options}
    show_next(f"train --models {','.join(models)}{as_flags(given)}")


@click.command()
@in_workspace
def status(workspace: Workspace) -> None:
    """Show how far every model has come on every fold."""
    from folds.score_store import ScoreStore
    from models.runs.status import table

    click.echo(table(workspace, ScoreStore.of(workspace)))


VERBS = (recipes, fold, train, features, status)
