"""What is to be tuned: a recipe or a model, what is fixed and what is searched, and the name of the winner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from competition.common.errors import UserError
from competition.common.files import checked_name
from competition.terminal.command_line import as_flags
from competition.workspace import Workspace
from models.inputs.fill_banks import check_on_bank
from models.recipes.joint import over
from models.recipes.named import recipe_from
from models.recipes.recipe import Recipe
from models.recipes.values import NONE
from models.runs.model_recipe import ModelRequest, recipe_of, with_digests
from models.tune.space import check_choices


@dataclass(frozen=True)
class TuneRequest:
    """What is to be tuned, and where its winner goes.

    Attributes:
        source: a recipe, or a model begun with one.
        name: of the winner's model; None: that of the source, and "-tuned".
        overrides: the recipe's values given by flags, which are not searched.
        choices: by name the values to which a setting is restricted.
        recipes: the user's own recipe file.
        grid: search nothing but `choices`.
        skip_broken: leave broken chips out, instead of stopping.
        no_test: score held-out chips only.
    """

    source: str
    name: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    recipes: Path | None = None
    grid: bool = False
    skip_broken: bool = False
    no_test: bool = False

    @property
    def model(self) -> str:
        """Name of the winner's model."""
        return self.name or f"{self.source}-tuned"

    @property
    def flags(self) -> str:
        """The flags that say the same, but for the name, each with a space before it."""
        given = {name: getattr(self, name) for name in ("recipes", "grid", "skip_broken", "no_test")}
        several = "".join(as_flags({name: value}) for name, values in self.choices.items() for value in values)
        return as_flags({**given, **self.overrides}) + several


def start_of(workspace: Workspace, request: TuneRequest) -> Recipe:
    """Return the recipe that a search begins from.

    Raises:
        UserError: if it does not learn by gradient on the bank, or learns or keeps what a search cannot judge, a value
            is not valid, nothing is left to search, or the name is not one for the winner.
    """
    source, model = request.source, checked_name("model", request.model)
    recipe = recipe_of(workspace, ModelRequest(source, recipes=request.recipes, verb="tune --model"))
    before = recipe.to_dict()
    values = over(before, request.overrides, f"recipe of '{source}'")
    recipe = recipe_from(values, f"recipe of '{source}'", request.recipes).settled(workspace.competition)
    check_on_bank(workspace, recipe, source)
    if recipe.solver != "gradient":
        raise UserError(
            f"The head of '{source}' is solved at once by {recipe.solver}: it has no settings to search. "
            "Give --solver gradient."
        )
    if recipe.pseudo != NONE:
        raise UserError(
            f"'{source}' learns from pseudo-labels of networks that have seen the chips by which a search judges. "
            "Search without them, by --pseudo none, and train with them by the settings that are found."
        )
    if recipe.swa:
        raise UserError(
            f"'{source}' keeps the mean of its best epochs, and a search judges the best one alone. Search without, by "
            f"--swa 0, and train with --swa {recipe.swa} by the settings that are found."
        )
    if model == source or (workspace.blends / model).exists():
        what = "what is tuned" if model == source else "a blend"
        raise UserError(f"'{model}' is {what}. Give the tuned model another --name.")
    recipe.task(workspace.competition)
    recipe = with_digests(workspace, recipe, before)
    check_choices(recipe, request.overrides, request.choices, grid=request.grid)
    return recipe
