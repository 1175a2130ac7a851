"""Running several commands after each other, as a user would type them."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable

import rich_click as click
from click import get_current_context

from competition.common.errors import spelled


def demonstrate(begins: str, commands: Iterable[list[str]]) -> None:
    """Show and run commands of the program that runs now, until one fails, and announce what they made.

    Args:
        begins: what is said first.
        commands: each as its words, without the program's name; the next one is asked for when the last one is done.

    Raises:
        SystemExit: with the code of a command that failed.
    """
    program = get_current_context().find_root().command
    click.echo(begins)
    for words in commands:
        click.secho(f"\n$ {spelled(shlex.join(words))}", bold=True)
        if code := program.main(words, standalone_mode=False):
            sys.exit(code)
    click.secho("\nWhat was made", bold=True)
