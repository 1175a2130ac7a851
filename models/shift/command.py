"""The verb `adversarial`. It imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import rich_click as click

from competition.flags import in_workspace, with_public
from competition.terminal.completion import of_models
from competition.terminal.output import Found, as_json, show, show_next

if TYPE_CHECKING:
    from competition.workspace import Workspace

# Given a workspace with weights and the share of public chips, returns what public scores are to be expected.
Expect = Callable[["Workspace", float], Found]


def adversarial_verb(expect: Expect) -> click.RichCommand:
    """Return the verb.

    Args:
        expect: says what the weights make of the scores that the workspace has.
    """

    @click.command()
    @in_workspace
    @as_json
    @with_public
    @click.argument("model", shell_complete=of_models)
    @click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping")
    def adversarial(workspace: Workspace, model: str, public: float, skip_broken: bool) -> None:
        """Tell chips to predict from labelled ones by the features of a model: where and how far the two differ.

        Adversarial validation. It also weighs the labelled chips, so that together they look like those to predict, for
        `compare --weighted-to test` and `train --weighted-to test`, and says how far public scores will be from
        cross-fitted ones; but not where labelled chips come in groups, as then neighbours are what is told.
        """
        from models.backend.load import load_backend
        from models.inputs.fill_banks import bank_recipe
        from models.recipes.named import load_recipes
        from models.runs.model_recipe import ModelRequest, read_recipe

        if model not in load_recipes():
            read_recipe(workspace, model)  # which names the models, or a blend's members
        bank_recipe(workspace, ModelRequest(model, verb="adversarial"))
        load_backend()  # after what is refused, and before what imports Keras with all that it prints
        from models.shift.adversarial import find_shift

        found = find_shift(workspace, model, skip_broken=skip_broken)
        if found.weights is None:
            show(found)
            show_next(f"submissions shares {model}")
            return
        show(found, expected=expect(workspace, public))
        show_next("compare --weighted-to test")

    return adversarial
