"""The verb `pseudo`. It imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import rich_click as click

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.flags import in_workspace
from competition.terminal.completion import of_scored
from competition.terminal.output import as_json, show, show_next

if TYPE_CHECKING:
    from competition.workspace import Workspace


# Return the command that begins a variant of a model with its own recipe; by who knows recipes, as the one in `run.py`.
BEGUN_AS: list[Callable[[Workspace, str], str]] = []


@click.command()
@in_workspace
@as_json
@click.argument("name")
@click.option("--from", "source", shell_complete=of_scored, help="the model, or the blend of models, that labels")
@click.option(
    "--power",
    type=float,
    help="raise the odds of scores to this: above 1 targets become surer; default: 1",
)
@click.option(
    "--sure",
    type=float,
    help="only targets count that are right at least this often, by label and by the chips of other folds; default: "
    "0.5, all",
)
def pseudo(workspace: Workspace, name: str, source: str | None, power: float | None, sure: float | None) -> None:
    """Label the chips to predict for training, for each fold by networks that did not see it; show what that gains.

    With --from the pseudo-labels NAME are made, from which `train --pseudo NAME` learns besides. Without it, the models
    that have are held against the same recipes without pseudo-labels, on held-out chips.
    """
    from submissions.pseudo.gain import gains_of
    from submissions.pseudo.make import HALF, make_pseudo

    if source is None:
        if given := [flag for flag, value in (("--power", power), ("--sure", sure)) if value is not None]:
            raise UserError(f"{' and '.join(given)}: what labels the chips? Give --from with a model or blend.")
        with reporter.busy("comparing"):
            gains = gains_of(name, workspace)
        show(gains)
        if gains.changed:
            show_next(gains.pseudo.made.command)
        elif students := [student.name for student in gains.students if student.is_of_now]:
            show_next("compare")
            show_next(f"pseudo {name}-2 --from {students[0]}", what="Or another round")
        else:
            show_next(_student(workspace, gains.models[0], name))
        return
    with reporter.busy("labelling"):
        made = make_pseudo(
            name, source, workspace, power=1.0 if power is None else power, sure=HALF if sure is None else sure
        )
    show(made)
    show_next(_student(workspace, made.models[0], name))
    show_next(f"pseudo {name}", what="Then, what it has gained")


def _student(workspace: Workspace, model: str, name: str) -> str:
    """Return the command that trains a model of the same recipe from pseudo-labels besides."""
    begun = f"train --models {model}"
    with suppress(UserError):  # where its recipe is lost
        begun = BEGUN_AS[0](workspace, model) if BEGUN_AS else begun
    return f"{begun} --name {model}-{name} --pseudo {name}"
