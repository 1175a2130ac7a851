"""The verb `notebook`: made here, and given what packs networks by who knows these."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.flags import in_workspace
from competition.terminal.command_line import FOLDER, Finite, Verbs, Words, as_flags
from competition.terminal.completion import of_scored
from competition.terminal.output import as_json, show, show_next
from submissions.push.verbs import VERBS

if TYPE_CHECKING:
    from competition.workspace import Workspace
    from submissions.notebook.make import PackModel

PACK = "pack"
HOURS = 9.0  # the time limit, unless told otherwise
THERE = click.Path(exists=True, file_okay=False, path_type=Path)


class _OfNotebooks(Verbs):
    """Packs whatever is given without a command: a name, with flags before or after it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the command that is meant before its arguments."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [PACK, *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; one without a name may have been meant for the name of a blend."""
        try:
            return super().invoke(ctx)
        except click.MissingParameter as error:
            name = error.ctx.info_name if error.ctx else PACK
            if name == PACK:
                raise
            said = f"{error.format_message()} A blend called {name!r} is packed by `notebook {PACK} {name}`."
            raise click.UsageError(said, error.ctx) from None


def notebook_verb(pack_model: PackModel) -> click.RichGroup:
    """Return the verb.

    Args:
        pack_model: writes the networks of a model to a folder.
    """

    @click.group(name="notebook", cls=_OfNotebooks)
    def notebook() -> None:
        """A notebook for Kaggle's code competitions, made of a blend: `notebook NAME` packs it.

        A blend that is called like a command, such as push, is packed by `notebook pack push`.
        """

    @notebook.command(name=PACK)
    @in_workspace
    @as_json
    @click.argument("name", shell_complete=of_scored)
    @click.option("--to", type=FOLDER, help="folder to write; default: notebooks/NAME in the workspace")
    @click.option("--owner", help="your user name on Kaggle, which its files name")
    @click.option(
        "--gpu", is_flag=True, help="run on a machine with a GPU; networks are run by its processor all the same"
    )
    @click.option("--hours", type=Finite(0.01, 12), default=HOURS, show_default=True, help="the time limit")
    @click.option("--wheels", type=THERE, help="folder of wheels of packages that Kaggle's image lacks")
    @click.option("--fetch", is_flag=True, help="fetch the wheels that are lacking from the registry, by pip")
    @click.option(
        "--python", "pythons", type=Words(), default=(), help="for which; default: Kaggle's and the one it may move to"
    )
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
        pythons: tuple[str, ...],
        have: tuple[str, ...],
    ) -> None:
        """Pack a blend, or a model with its cuts, into a folder for Kaggle: notebook, networks and all they need."""
        from competition.kernels.folder import OWNER, checked_owner
        from submissions.notebook.make import Asked, image_with, make_notebook

        if to is not None:
            workspace.check_not_kept(to)
        folder = workspace.notebooks / name if to is None else Path(os.path.abspath(to))
        user = OWNER if owner is None else checked_owner(owner)
        asked = Asked(user, gpu, hours, wheels, fetch, image_with(have, pythons))
        made = make_notebook(name, workspace, folder, pack_model, asked)
        show(made)
        if made.kernel.owner != OWNER and not made.is_lacking:
            # A path that is one word would be taken for a name, if there is a notebook of it.
            show_next(f"notebook push {shlex.quote(name if to is None else str(folder))}")
        elif made.kernel.owner == OWNER or not fetch:  # what is not found does not come by asking again
            command = f"{PACK} {shlex.quote(name)}" if name in notebook.commands else shlex.quote(name)
            given = {"owner": owner or "YOU", "gpu": gpu, "wheels": wheels, "to": to, "have": have or None}
            given |= {"hours": None if hours == HOURS else f"{hours:g}", "python": pythons or None}
            show_next(f"notebook {command}{as_flags({**given, 'fetch': fetch or made.is_lacking})}")

    for verb in VERBS:
        notebook.add_command(verb)
    return notebook
