"""Filling the feature banks of a recipe before any training."""

from __future__ import annotations

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.workspace import Workspace
from models.backend.interrupts import heeded
from models.backend.load import load_backend
from models.recipes.recipe import Recipe


def fill_banks(
    workspace: Workspace, model: str, recipe: Recipe, *, skip_broken: bool = False, no_test: bool = False
) -> None:
    """Compute the features of every chip under every view that training and prediction will ask for.

    Args:
        workspace: the chips.
        model: name of the model, for messages.
        recipe: its recipe.
        skip_broken: leave broken chips out, instead of stopping.
        no_test: the labelled chips only.

    Raises:
        UserError: if the recipe's network does not learn from features.
    """
    if not recipe.on_bank:
        raise UserError(
            f"'{model}' does not learn from features: it has train {recipe.train}, augment {','.join(recipe.augment)}. "
            "Give --train head, and --augment d4, flips or quarter_turns, without cutmix."
        )
    load_backend()
    from models.inputs.sources import Sources

    views = {"identity", *recipe.drawn_views, *recipe.test_views}
    with heeded():
        sources = Sources(workspace, recipe, skip_broken)
        bank = sources.bank("train", sorted(views))
        reporter.say(
            f"The bank of {len(sources.cache('train')):,} labelled chips holds {bank.num_features:,} features per view."
        )
        if not no_test and sources.names("test"):
            sources.bank("test", recipe.test_views)
            reporter.say(f"The bank of {len(sources.cache('test')):,} chips to predict is complete.")
