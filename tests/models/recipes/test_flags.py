"""The flags of recipes: what is printed for the next command says what was given."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import rich_click as click
from click.testing import CliRunner

from competition.common.errors import UserError
from competition.terminal.command_line import Words, as_flags
from competition.terminal.output import output_flags
from models.recipes.flags import SEVERAL, job_flags, model_flags, recipe_flags, recipe_lists
from models.recipes.values import FLAGS


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


def test_switches_and_what_was_not_given_are_printed_as_such():
    given = {"name": None, "no_test": True, "skip_broken": False, "epochs": 0}
    assert as_flags(given) == " --no-test --epochs 0"


def read_lists(given: str) -> tuple[dict[str, Any], dict[str, Any]]:
    seen: list[tuple[dict[str, Any], dict[str, Any]]] = []

    @click.command()
    @recipe_lists
    def verb(overrides: dict[str, Any], choices: dict[str, Any]) -> None:
        seen.append((overrides, choices))

    result = CliRunner().invoke(verb, shlex.split(given))
    assert result.exit_code == 0, result.output
    return seen[0]


@pytest.mark.parametrize(
    ("given", "overrides", "choices"),
    [
        ("", {}, {}),
        ("--dropout .3,.5 --dropout .7 --ema 0", {"ema": 0.0}, {"dropout": (0.3, 0.5, 0.7)}),
        ("--dense 512,256 --dropout .3,.3", {"dense": (512, 256), "dropout": 0.3}, {}),
        ("--dense 512 --dense none --dense 512,256", {}, {"dense": ((512,), (), (512, 256))}),
        (
            "--head-norm none --class-weights none,balanced",
            {"head_norm": "none"},
            {"class_weights": ("none", "balanced")},
        ),
        ("--input-size 96 --augment d4,flips", {"input_size": 96, "augment": ("d4", "flips")}, {}),
    ],
)
def test_a_flag_given_one_value_fixes_it_and_one_given_several_lists_them(given, overrides, choices):
    assert read_lists(given) == (overrides, choices)


@pytest.mark.parametrize(
    "given", ["--dropout ,", "--dropout .3,high", "--epochs 2.5", "--loss focal,none", "--dense ,"]
)
def test_a_list_with_what_is_no_value_is_refused(given):
    @click.command()
    @recipe_lists
    def verb(**options: Any) -> None:
        raise AssertionError

    result = CliRunner().invoke(verb, shlex.split(given))
    assert result.exit_code in (1, 2)
    assert not isinstance(result.exception, AssertionError)


def test_values_that_are_listed_are_values_of_a_recipe():
    assert set(SEVERAL) < set(FLAGS)


@pytest.mark.parametrize("stray", [",", "", " , ,"])
def test_a_stray_comma_does_not_stand_for_no_word(stray):
    words = click.Option(["--only-labels"], type=Words())
    with pytest.raises(UserError, match=r'^--only-labels: expected words joined by commas, or "none"; received '):
        words.type.convert(stray, words, None)
    assert words.type.convert("none", words, None) == ()
    assert words.type.convert("a, b,", words, None) == ("a", "b")


def test_where_words_are_needed_none_is_refused():
    words = click.Option(["--models"], type=Words(needed=True))
    with pytest.raises(UserError, match=r"^--models: expected words joined by commas; received 'none'\.$"):
        words.type.convert("none", words, None)


def test_the_number_of_threads_is_set_before_anything_is_done(monkeypatch):
    done: list[object] = []
    monkeypatch.setattr("competition.cluster.threads.limit_threads", done.append)

    @click.command(cls=click.RichCommand)
    @job_flags
    def verb(**options: Any) -> None:
        done.append(sorted(options))

    for given in ("--threads 3", ""):
        assert CliRunner().invoke(verb, given).exit_code == 0
    options = ["no_test", "recipes", "restart", "skip_broken", "track"]
    assert done == [3, options, options]


def test_one_name_is_not_given_to_several_models():
    @click.command()
    @model_flags
    def verb(models: tuple[str, ...], name: str | None) -> None:
        click.echo(f"{models} {name}")

    assert CliRunner().invoke(verb, ["--models", "a", "--name", "b"]).output == "('a',) b\n"
    refused = CliRunner().invoke(verb, ["--models", "a,c", "--name", "b"])
    assert str(refused.exception) == "--models: expected one model with --name, received a, c."


def test_help_shows_first_what_is_given_most_often_and_every_flag_once():
    @click.command()
    @output_flags
    @model_flags
    @recipe_flags
    def verb(**options: Any) -> None:
        raise AssertionError

    shown = CliRunner().invoke(verb, ["--help"]).output
    headings = re.findall(r"^╭─ (.+?) ─+╮$", shown, re.M)
    assert headings[:2] == ["Options", "Where, and what is shown"]
    assert headings[2:] == ["The network", "The loss", "The steps of training", "The chips of a step"]
    flags = re.findall(r"^│ .*?(--[\w-]+)", shown, re.M)
    often = ["--models", "--name", "--images", "--bands", "--input-size", "--epochs"]
    assert flags[: len(often)] == often
    assert sorted(flags) == sorted(parameter.opts[-1] for parameter in verb.get_params(click.Context(verb)))
