"""The flags of `auto`, and what it shows. It imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.terminal.command_line import FILE, FOLDER, Words
from competition.terminal.output import as_json, show, show_next

if TYPE_CHECKING:
    from competition.workspace import Workspace
    from models.auto.auto import MakeChooser

_FLAGS = (
    click.option("--minutes", type=float, required=True, help="that it may take, over all its starts"),
    click.option("--name", default="best", show_default=True, help="of the run, its blend and its submission"),
    click.option("--plan-only", is_flag=True, help="measure and show the plan; nothing is trained"),
    click.option("--weights", type=FOLDER, help="folder with weights, as densenet121_notop.weights.h5"),
    click.option("--models", type=Words(needed=True), default=(), help="recipes to choose from; default: all at hand"),
    click.option("--images", help="rendering of the chips, by its name in the competition file"),
    click.option("--bands", help="bands given to the networks: letters, or names with commas"),
    click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping"),
    click.option("--no-test", is_flag=True, help="score held-out chips only: there is no submission then"),
    click.option("--recipes", type=FILE, help="your own recipe file, merged in"),
    as_json,
)


def auto_flags(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb the flags of `auto`."""
    for flag in reversed(_FLAGS):
        verb = flag(verb)
    return verb


def run_auto(
    workspace: Workspace,
    name: str,
    make_chooser: MakeChooser,
    *,
    minutes: float,
    plan_only: bool,
    **flags: Any,
) -> None:
    """Carry a run out, or plan it, and show what came of it.

    Args:
        workspace: chips, labels and everything that is made.
        name: of the run.
        make_chooser: makes what chooses the best so far.
        minutes: that it may take.
        plan_only: show the plan alone.
        flags: the settings of the run.
    """
    from models.auto.auto import Run
    from models.plan.candidates import Settings

    run = Run(workspace, name, minutes, Settings(**flags), make_chooser)
    made = run.plan() if plan_only else run.carry_out()
    show(made)
    if plan_only:
        return
    if not run.with_submission:
        show_next("compare")
    elif workspace.competition.slug:
        show_next(f"submit {name} --message {name}")
