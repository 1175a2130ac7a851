"""Flags that the verbs on scores share, and how they are repeated in a command."""

from __future__ import annotations

import shlex
from typing import Any

import click
import pytest
from click.testing import CliRunner

from submissions.combine.stack_columns import Columns
from submissions.decide.calibration import KINDS
from submissions.decide.studies import IN_MEMORY
from submissions.flags import blend_flags, shown
from submissions.names import CALIBRATIONS, EXTRAS


def parsed(words: str) -> dict[str, Any]:
    """Return what a verb with the flags receives."""
    received: dict[str, Any] = {}

    @click.command()
    @blend_flags
    def verb(**options: Any) -> None:
        received.update(options)

    done = CliRunner().invoke(verb, shlex.split(words))
    assert done.exit_code == 0, done.output
    return received


def test_nothing_given_is_nothing_repeated() -> None:
    options = parsed("")
    assert options["exclusive"] is None
    assert options["trials"] == IN_MEMORY.trials
    assert shown(options) == ""


@pytest.mark.parametrize(
    "words",
    [
        "--exclusive",
        "--any-of-group",
        "--union blow_down,water --extras entropy,groups --any-of-group --calibration beta --alone",
    ],
)
def test_what_is_given_is_repeated(words: str) -> None:
    assert shown(parsed(words)) == f" {words}"


@pytest.mark.parametrize(("before", "now"), [("--one-weather", "--exclusive"), ("--any-weather", "--any-of-group")])
def test_flags_of_before_mean_what_they_meant(before: str, now: str) -> None:
    assert parsed(before) == parsed(now)
    assert shown(parsed(before)) == f" {now}"


def test_the_names_are_those_that_exist() -> None:
    Columns(EXTRAS)  # refuses what it does not know
    assert set(CALIBRATIONS) == set(KINDS)
