"""The flags of `auto`, and what it shows. It imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import click

from competition.common.command_line import FILE, FOLDER, Words, show_next

if TYPE_CHECKING:
    from competition.workspace import Workspace
    from models.auto.auto import MakeChooser

_FLAGS = (
    click.option("--minutes", type=float, required=True, help="that it may take, over all its starts"),
    click.option("--name", default="best", show_default=True, help="of the run, its blend and its submission"),
    click.option("--plan-only", is_flag=True, help="measure and show the plan; nothing is trained"),
    click.option("--weights", type=FOLDER, help="folder with ImageNet weights, as densenet121_notop.weights.h5"),
    click.option("--models", type=Words(needed=True), default=(), help="recipes to choose from; default: all at hand"),
    click.option("--images", help="rendering of the chips, by its name in the competition file"),
    click.option("--bands", help="bands given to the networks: letters, or names with commas"),
    click.option("--skip-broken", is_flag=True, help="leave broken chips out and list them, instead of stopping"),
    click.option("--no-test", is_flag=True, help="score held-out chips only: there is no submission then"),
    click.option("--recipes", type=FILE, help="your own recipe file, merged in"),
    click.option("--json", "as_json", is_flag=True, help="show the plan, or what was reached, as JSON"),
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
    as_json: bool,
    **flags: Any,
) -> None:
    """Carry a run out, or plan it, and show what came of it.

    Args:
        workspace: chips, labels and everything that is made.
        name: of the run.
        make_chooser: makes what chooses the best so far.
        minutes: that it may take.
        plan_only: show the plan alone.
        as_json: show JSON.
        flags: the settings of the run.
    """
    import json

    from competition.common.progress import reporter
    from models.auto.auto import Run
    from models.plan.candidates import Settings

    run = Run(workspace, name, minutes, Settings(**flags), make_chooser)
    with reporter.silent() if as_json else nullcontext():
        made = run.plan() if plan_only else run.carry_out()
    if as_json:
        click.echo(json.dumps(made.as_dict(), indent=2, ensure_ascii=False))
        return
    click.echo(made.text())
    if plan_only:
        return
    if not run.with_submission:
        show_next("compare")
    elif workspace.competition.slug:
        show_next(f"submit {name} --message {name}")
