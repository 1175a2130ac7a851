"""Completion in bash, zsh and fish: of verbs, flags, and the names of what a workspace holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import rich_click as click
from click import get_current_context
from click.shell_completion import CompletionItem, get_completion_class

PROGRAM = "planet"  # what `pip install` puts on the path: `python run.py` under another name
START_UP = {"bash": "~/.bashrc", "zsh": "~/.zshrc", "fish": "~/.config/fish/completions/planet.fish"}
Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


@click.command(epilog=f"For example: {PROGRAM} completion bash >> {START_UP['bash']}")
@click.argument("shell", type=click.Choice(list(START_UP)))
def completion(shell: str) -> None:
    """Show the lines by which a shell completes `planet`, for the file that it starts with."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(get_current_context().find_root().command, {}, PROGRAM, f"_{PROGRAM.upper()}_COMPLETE").source())


def names_in(*patterns: str, further: Callable[[], Iterable[str]] = tuple) -> Complete:
    """Return what completes names, also several that are joined by commas.

    Args:
        patterns: of the files or folders, in the workspace, that are called by these names, such as "runs/*".
        further: returns names that are known anyway.
    """

    def complete(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
        root = Path(context.params.get("workspace") or "workspace")
        before, comma, last = begun.rpartition(",")
        names = set[str]()
        with suppress(OSError):  # such as of a name that is too long
            names = {path.stem if path.is_file() else path.name for pattern in patterns for path in root.glob(pattern)}
        return [CompletionItem(before + comma + name) for name in sorted({*names, *further()}) if name.startswith(last)]

    return complete


of_models = names_in("runs/[!.]*")
of_scored = names_in("runs/[!.]*", "blends/[!.]*")
of_submissions = names_in("submissions/[!.]*.csv")
