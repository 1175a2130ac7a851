"""Filling banks: every view that is asked for later, and nothing for a network that learns from pixels."""

from __future__ import annotations

import pytest

from competition.common.errors import UserError
from models.inputs.fill_banks import bank_recipe, fill_banks
from models.runs.model_recipe import ModelRequest
from tests.models.samples import frozen, tiny_recipe


def test_every_view_is_there_that_training_and_prediction_ask_for(workspace, tiny_net, tiny_weights, lines):
    recipe = tiny_recipe(**frozen(tiny_weights, augment=("quarter_turns",), views="flips"))
    fill_banks(workspace, recipe, no_test=True)
    features = {path.stem for path in (workspace.cache / "features").glob("*/*.npy")}
    assert features == {*recipe.drawn_views, *recipe.test_views}
    assert lines[-1] == "The bank of 60 labelled chips holds 4 features per view."
    fill_banks(workspace, recipe)
    assert lines[-1] == "The bank of 24 chips to predict is complete."


def test_a_recipe_that_learns_from_pixels_is_refused(workspace):
    line = r"^'baseline' does not learn from features: it has train full, augment d4\. Give"
    with pytest.raises(UserError, match=line):
        bank_recipe(workspace, ModelRequest("baseline"))
