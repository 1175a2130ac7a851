"""The verb `notebook`: made here, and given what packs networks by who knows these."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from competition.flags import in_workspace
from competition.terminal.command_line import FOLDER, Verbs, Words
from competition.terminal.completion import of_scored
from competition.terminal.output import as_json, show

if TYPE_CHECKING:
    from competition.workspace import Workspace
    from submissions.notebook.make import PackModel

PACK = "pack"


class _OfNotebooks(Verbs):
    """Takes the name of a blend for a command: that packs it."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant, and its arguments."""
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            args = [PACK, *args]
        return super().resolve_command(ctx, args)


def notebook_verb(pack_model: PackModel) -> click.RichGroup:
    """Return the verb.

    Args:
        pack_model: writes the networks of a model to a folder.
    """

    @click.group(name="notebook", cls=_OfNotebooks)
    def notebook() -> None:
        """A notebook for Kaggle's code competitions, made of a blend: `notebook NAME` packs it."""

    @notebook.command(name=PACK)
    @in_workspace
    @as_json
    @click.argument("name", shell_complete=of_scored)
    @click.option("--to", type=FOLDER, help="folder to write; default: notebooks/NAME in the workspace")
    @click.option("--owner", help="your user name on Kaggle, which its files name")
    @click.option(
        "--gpu", is_flag=True, help="run on a machine with a GPU; networks are run by its processor all the same"
    )
    @click.option("--hours", type=click.FloatRange(0.01, 12), default=9.0, show_default=True, help="the time limit")
    @click.option("--wheels", type=FOLDER, help="folder of wheels of packages that Kaggle's image lacks")
    @click.option("--fetch", is_flag=True, help="fetch the wheels that are lacking from the registry, by pip")
    @click.option("--have", type=Words(), default=(), help="packages that are there; default: those of Kaggle's image")
    def pack(
        workspace: Workspace,
        name: str,
        to: Path | None,
        owner: str | None,
        gpu: bool,
        hours: float,
        wheels: Path | None,
        fetch: bool,
        have: tuple[str, ...],
    ) -> None:
        """Pack a blend, or a model with its cuts, into a folder for Kaggle: notebook, networks and all they need."""
        from competition.kernels.folder import OWNER
        from submissions.notebook.make import Asked, image_with, make_notebook

        if to is not None:
            workspace.check_not_kept(to)
        folder = to or workspace.notebooks / name
        asked = Asked(owner or OWNER, gpu, hours, wheels, fetch, image_with(have))
        show(make_notebook(name, workspace, folder, pack_model, asked))

    return notebook
