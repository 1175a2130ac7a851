"""Commands that run after each other, as a user would type them."""

import sys

import rich_click as click
from click.testing import CliRunner

from competition.terminal.demonstration import demonstrate


@click.group()
def program() -> None:
    """A program."""


@program.command()
@click.argument("word")
def say(word: str) -> None:
    """Say a word."""
    click.echo(f"said {word}")


@program.command()
def fail() -> None:
    """Fail as verbs do that found something wrong."""
    sys.exit(3)


@program.command()
@click.argument("words", nargs=-1)
def several(words: tuple[str, ...]) -> None:
    """Run several commands."""
    demonstrate("It begins.", (["fail"] if word == "fail" else ["say", word] for word in words))
    click.echo("all of it")


def run(*words: str) -> tuple[int, list[str]]:
    done = CliRunner().invoke(program, ["several", *words])
    return done.exit_code, [line for line in done.output.splitlines() if line]


def test_each_command_is_shown_as_it_would_be_typed_and_run():
    code, lines = run("a b", "c")
    assert code == 0
    assert lines == [
        "It begins.",
        "$ python run.py say 'a b'", "said a b",
        "$ python run.py say c", "said c",
        "What was made", "all of it",
    ]  # fmt: skip


def test_what_comes_after_a_failure_does_not_run():
    code, lines = run("a", "fail", "c")
    assert (code, lines[-1]) == (3, "$ python run.py fail")
