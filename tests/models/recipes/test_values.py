"""The values of a recipe: each a flag with a line of help, and what follows from them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.recipes.named import resolve
from models.recipes.recipe import Recipe
from models.recipes.values import FLAGS, NOTED


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True), ({"augment": ()}, True), ({"augment": ("flips", "quarter_turns")}, True),
        ({"augment": ("d4", "shifts")}, False), ({"mixup": 0.2}, True), ({"cutmix": 1.0}, False),
        ({"train": "finetune"}, False), ({"train": "full"}, False),
    ],
)  # fmt: skip
def test_a_head_learns_from_features_where_no_pixel_changes_its_value(values, expected):
    assert resolve("resnet50", values).on_bank == expected


@given(st.lists(st.integers(1, 300), max_size=4), st.integers(1, 40))
def test_input_sizes_share_the_epochs_and_the_recipes_own_comes_last(progressive, more):
    epochs = len(progressive) + more
    stages = resolve("residual", {"progressive": tuple(progressive), "epochs": epochs}).stages
    assert [size for size, _ in stages] == [*progressive, 64]
    lasting = np.diff([0, *(last for _, last in stages)])
    assert lasting.min() >= 1
    assert lasting.max() - lasting.min() <= 1
    assert stages[-1][1] == epochs


def test_every_value_has_a_line_of_help_but_what_names_stand_for():
    assert {field.name for field in dataclasses.fields(Recipe) if not field.metadata.get("help")} == {*NOTED}
    assert {field.name for field in dataclasses.fields(Recipe)} == {*FLAGS, *NOTED}


def test_a_stage_follows_the_epochs_that_are_finished():
    recipe = resolve("residual", {"progressive": (16, 32), "epochs": 6})
    assert [recipe.stage_after(epochs)[0] for epochs in range(8)] == [16, 16, 32, 32, 64, 64, 64, 64]
    assert [recipe.stage_after(epochs)[1] for epochs in range(8)] == [2, 2, 4, 4, 6, 6, 6, 6]
