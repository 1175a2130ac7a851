"""Errors the user can mend: the line they become."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from competition.common.errors import (
    FLAGS,
    GIVEN,
    UserError,
    as_command,
    command_at_work,
    given_command,
    spelled,
    unknown_name,
)


@pytest.fixture
def in_other_workspace() -> Iterator[None]:
    """Run the test as a verb that was given a workspace of a name with a space."""
    context = click.Context(click.Command("verb"))
    context.meta[FLAGS] = ["--workspace", "my work"]
    with context:
        yield


def test_without_a_command_the_text_is_the_line() -> None:
    assert str(UserError("It broke.")) == "It broke."


def test_what_else_mends_it_is_said_without_a_command_too() -> None:
    assert str(UserError("It is damaged.", otherwise="remove it")) == "It is damaged. Remove it."


def test_a_command_is_spelled_once_and_as_it_is_typed() -> None:
    assert spelled("folds --k 5") == "python run.py folds --k 5"
    assert str(UserError("It broke.", command="folds")) == 'It broke. Run "python run.py folds".'
    line = str(UserError("It broke.", command="folds", otherwise="restore it"))
    assert line == 'It broke. Run "python run.py folds", or restore it.'


def test_several_commands_say_what_each_is_for() -> None:
    line = str(UserError("It broke.", command={"to mend it": "mend", "to go on": "train"}, otherwise="wait"))
    assert line == ('It broke. To mend it, run "python run.py mend"; to go on, run "python run.py train", or wait.')


@pytest.mark.usefixtures("in_other_workspace")
def test_commands_repeat_the_flags_of_the_workspace() -> None:
    assert spelled("folds") == "python run.py folds --workspace 'my work'"
    assert str(UserError("It broke.", command="folds")).endswith("""Run "python run.py folds --workspace 'my work'".""")


def test_a_command_is_repeated_and_recorded_on_other_machines_as_here() -> None:
    context = click.Context(click.Command("train"))
    context.meta[FLAGS] = ["--workspace", "my work"]
    context.meta[GIVEN] = ["train", "--on", "ray", "--workspace", "my work"]
    with context:
        called = command_at_work()
        here = given_command(), spelled("folds")
    with as_command(called):
        assert (given_command(), spelled("folds")) == here
    with as_command(command_at_work()):
        assert (given_command(), spelled("folds")) == ("", "python run.py folds")


def test_an_unknown_name_is_followed_by_the_known_ones() -> None:
    assert str(unknown_name("model", "c", ["b", "a"])) == "Unknown model 'c'. Known: a, b."
    assert str(unknown_name("model", "c", [])) == "Unknown model 'c'. Known: none yet."


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "tab\there"])
def test_a_line_is_one_line_whatever_a_name_in_it_holds(name: str) -> None:
    error = UserError(f"No file {name}.", command=f"validate {name}")
    assert str(error).isprintable()
    assert repr(name)[1:-1] in str(error)
