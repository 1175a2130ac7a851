"""Filling the feature banks of a recipe before any training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from competition.common.errors import UserError
from competition.common.interrupts import heeded
from competition.common.progress import reporter
from competition.terminal.command_line import as_flags
from competition.workspace import Workspace
from models.backend.load import load_backend
from models.networks.input_spec import columns_of
from models.recipes.recipe import Recipe
from models.runs.model_recipe import ModelRequest, recipe_of

if TYPE_CHECKING:
    from models.inputs.sources import Elsewhere, Sources

AS_THEY_ARE = "identity"  # the view of all chips that every model asks for


def bank_recipe(workspace: Workspace, request: ModelRequest) -> Recipe:
    """Return the recipe of a model, whose network learns from features.

    Raises:
        UserError: if it does not, or its weights or bands are not there.
    """
    recipe = recipe_of(workspace, request)
    check_on_bank(workspace, recipe, request.model)
    return recipe


def check_on_bank(workspace: Workspace, recipe: Recipe, model: str) -> None:
    """Refuse a recipe whose network does not learn from features, or whose weights or bands are not there.

    Raises:
        UserError: if it is such a one.
    """
    if not recipe.on_bank:
        raise UserError(
            f"'{model}' does not learn from features: it has train {recipe.train}, augment "
            f"{','.join(recipe.augment)}. Give --train head, and --augment d4, flips or quarter_turns, without cutmix."
        )
    recipe.digest()
    columns_of(recipe, workspace.competition.image_set(recipe.images))


def check_filled(sources: Sources, model: str, splits: Sequence[str]) -> None:
    """Refuse to begin what takes long without a word: the features of every chip as it is.

    Args:
        sources: the chips as a model takes them.
        model: its name.
        splits: those whose features are needed.

    Raises:
        UserError: if some are not made yet.
    """
    for part in sources.parts or [sources]:
        for split in splits:
            made, needed = part.rows_made(split).get(AS_THEY_ARE, 0), len(part.cache(split))
            if made < needed:
                raise UserError(
                    f"The features of '{model}' are not made yet of {needed - made:,} of {needed:,} {split} chips.",
                    command=f"features{as_flags({'models': model})}",
                )


def fill_banks(
    workspace: Workspace,
    recipe: Recipe,
    elsewhere: Elsewhere | None = None,
    /,
    *,
    skip_broken: bool = False,
    no_test: bool = False,
) -> None:
    """Compute the features of every chip under every view that training and prediction will ask for.

    Args:
        workspace: the chips.
        recipe: of a model, as `bank_recipe` returns it.
        elsewhere: makes the features; None: this process does.
        skip_broken: leave broken chips out, instead of stopping.
        no_test: the labelled chips only.
    """
    load_backend()
    from models.inputs.sources import Sources

    views = {AS_THEY_ARE, *recipe.drawn_views, *recipe.test_views}
    with heeded():
        sources = Sources(workspace, recipe, skip_broken, elsewhere=elsewhere)
        bank = sources.bank("train", sorted(views))
        reporter.say(
            f"The bank of {len(sources.cache('train')):,} labelled chips holds {bank.num_features:,} features per view."
        )
        learns = sources.learns_unlabelled
        for split in sources.unlabelled if learns or not no_test else ():
            sources.bank(split, sorted(views) if learns else recipe.test_views)
            what = "chips to predict" if split == "test" else "further chips"
            reporter.say(f"The bank of {len(sources.cache(split)):,} {what} is complete.")
