"""The flags of recipes: what is printed for the next command says what was given."""

from __future__ import annotations

import shlex
from typing import Any

import click
import pytest
from click.testing import CliRunner

from models.flags import as_flags, recipe_flags


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"input_size": 96, "weights": "a folder/some.weights.h5", "augment": ("d4", "flips")},
        {"dense": (), "warmup": 0.5, "train": "finetune", "progressive": (64, 96), "only_labels": ("blow_down",)},
    ],
)
def test_values_printed_as_flags_are_read_as_the_same_values(given):
    seen: list[dict[str, Any]] = []

    @click.command()
    @recipe_flags
    def verb(overrides: dict[str, Any]) -> None:
        seen.append(overrides)

    result = CliRunner().invoke(verb, shlex.split(as_flags(given)))
    assert result.exit_code == 0, result.output
    assert seen == [given]
