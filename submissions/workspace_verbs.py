"""The verbs of sharing a workspace: push, pull. Each imports what it needs when it runs."""

from __future__ import annotations

import functools
import importlib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.flags import competition_flag, in_workspace
from competition.terminal.command_line import Verbs, Words
from competition.terminal.output import as_json, show, show_next
from submissions.names import SHARED

if TYPE_CHECKING:
    from competition.artefacts.looked import Looked
    from competition.workspace import Workspace
    from submissions.share.artefacts import Choice

PREPARE = "data prepare --from DIR"
# Modules whose `look_at` knows the files of a model, as `damage_of` takes it; who knows the other rooms adds theirs.
LOOKS: list[str] = []


@click.group(name="workspace", cls=Verbs)
def workspace_group() -> None:
    """Share finished work: with team mates, other machines, or notebooks by a data set of Kaggle's."""


def _choosing(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the flags that say what is moved, and one argument for all of them: the Choice."""

    @click.argument("url")
    @click.option("--models", type=Words(), default=(), help="only these models, and the fold table")
    @click.option("--blends", type=Words(), default=(), help="only these blends, and the fold table")
    @click.option("--pseudo", type=Words(), default=(), help="only these pseudo-labels, and the fold table")
    @click.option("--what", type=Words(), default=",".join(SHARED), show_default=True, help="only these kinds")
    @click.option("--banks", is_flag=True, help="feature banks too, which may be large")
    @click.option("--unfinished", is_flag=True, help="also folds that are not finished, with their checkpoints")
    @click.option("--force", is_flag=True, help="replace what is there and differs")
    @as_json
    @functools.wraps(verb)
    def wrapped(workspace: Workspace, models: Any, blends: Any, pseudo: Any, what: Any, **options: Any) -> None:
        from competition.common.errors import UserError, unknown_name
        from submissions.share.artefacts import Choice

        if options["url"].split("::")[-1].startswith("memory://"):
            raise UserError("memory:// ends with this process, so nobody could pull from there. Give another URL.")
        for kind in what:
            if kind not in SHARED:
                raise unknown_name("kind", kind, list(SHARED))
        kinds = (*what, "banks") if options.pop("banks") else what
        verb(workspace, choice=Choice(kinds, models, blends, pseudo, options.pop("unfinished")), **options)

    return wrapped


@workspace_group.command()
@in_workspace
@_choosing
def push(workspace: Workspace, url: str, choice: Choice, force: bool) -> None:
    """Bring finished work to URL: s3://bucket/prefix, gs://..., or a folder, such as that of a data set of Kaggle's.

    What is there is not sent again. Chips, caches, databases (optuna.db, ledger.db) and tokens stay here.
    """
    from submissions.share.push import push as push_to

    moved = push_to(workspace, url, choice, force=force, look=_look)
    show(moved)
    moved.check()
    which = competition_flag()  # there, the workspace may be another
    show_next(f"workspace pull {shlex.quote(moved.url)}{which}", what="On another machine", anywhere=True)
    show_next(f"{PREPARE}{which}", what="There, if it has no data yet", anywhere=True)


def _look(path: Path, model: str) -> Looked | None:
    found = (importlib.import_module(name).look_at(path, model) for name in LOOKS)
    return next((looked for looked in found if looked), None)


@workspace_group.command()
@in_workspace
@_choosing
def pull(workspace: Workspace, url: str, choice: Choice, force: bool) -> None:
    """Bring what was pushed to URL into the workspace; what is there and differs stays as it is.

    Chips are not pulled: `data prepare` or `data download` bring those.
    """
    from submissions.share.pull import pull as pull_from

    moved = pull_from(workspace, url, choice, force=force)
    show(moved)
    moved.check()
    if workspace.has_data:
        show_next("status")
    else:
        show_next(PREPARE)
        show_next("data download", what="Or")


VERBS = (workspace_group,)
