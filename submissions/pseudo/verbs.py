"""The verb `pseudo`. It imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import rich_click as click

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.flags import in_workspace
from competition.terminal.command_line import Finite
from competition.terminal.completion import of_scored
from competition.terminal.output import as_json, show, show_next

if TYPE_CHECKING:
    from competition.workspace import Workspace
    from submissions.pseudo.correct import MakeNested

# Given a workspace and a model, returns the command that begins a variant of it, with its own recipe.
BegunAs = Callable[["Workspace", str], str]
TEST, LABELLED = "test", "labelled"


def pseudo_verb(nested: MakeNested, begun_as: BegunAs) -> click.RichCommand:
    """Return the verb.

    Args:
        nested: makes scores of labelled chips for the training of each fold, by heads on a model's features.
        begun_as: returns the command that begins a student as its teacher was.
    """

    @click.command()
    @in_workspace
    @as_json
    @click.argument("name")
    @click.option("--from", "source", shell_complete=of_scored, help="the model, or the blend of models, that labels")
    @click.option(
        "--of",
        type=click.Choice([TEST, LABELLED]),
        help="label the chips to predict, or correct suspected labels of labelled ones: by heads on the features of "
        "the model that saw neither the chip's fold nor the one held out; default: test",
    )
    @click.option(
        "--power",
        type=Finite(min=0, min_open=True),
        help="raise the odds of scores to this: above 1 targets become surer; default: 1",
    )
    @click.option(
        "--sure",
        type=float,
        help="only targets count that are right at least this often, by label and by the chips of other folds; "
        "default: 0.5, all; of labelled chips, labels are corrected that are wrong at least this often",
    )
    @click.option("--skip-broken", is_flag=True, help="with --of labelled: leave broken chips out, instead of stopping")
    def pseudo(workspace: Workspace, name: str, source: str | None, **options: Any) -> None:
        """Label chips for training, for each fold by networks that did not see it; show what that gains.

        With --from the pseudo-labels NAME are made, from which `train --pseudo NAME` learns: of the chips to predict,
        or corrections of labels. Without it, the models that have are held against the same recipes without, on
        held-out chips.
        """
        given = {flag: value for flag, value in options.items() if value not in (None, False)}
        if source is None:
            _show_gains(workspace, name, [f"--{flag.replace('_', '-')}" for flag in given], begun_as)
        elif given.pop("of", TEST) == LABELLED:
            _correct(workspace, name, source, nested, begun_as, **given)
        elif "skip_broken" in given:
            raise UserError("--skip-broken is for --of labelled: the chips to predict were scored already.")
        else:
            _label(workspace, name, source, begun_as, **given)

    return pseudo


def _show_gains(workspace: Workspace, name: str, given: list[str], begun_as: BegunAs) -> None:
    from submissions.pseudo.gain import gains_of

    if given:
        raise UserError(f"{' and '.join(given)}: what labels the chips? Give --from with a model or blend.")
    with reporter.busy("comparing"):
        gains = gains_of(name, workspace)
    show(gains)
    made = gains.pseudo.made
    if gains.changed:
        show_next(made.command)
    elif students := [student.name for student in gains.students if student.is_of_now]:
        show_next("compare")
        if made.of == TEST:
            show_next(f"pseudo {name}-2 --from {students[0]}", what="Or another round")
    else:
        show_next(_student(workspace, (gains.models or [made.source])[0], name, begun_as))


def _label(workspace: Workspace, name: str, source: str, begun_as: BegunAs, **values: Any) -> None:
    from submissions.pseudo.make import make_pseudo

    with reporter.busy("labelling"):
        made = make_pseudo(name, source, workspace, **values)
    show(made)
    _show_next(workspace, name, made.models[0], begun_as)


def _correct(
    workspace: Workspace, name: str, source: str, nested: MakeNested, begun_as: BegunAs, **values: Any
) -> None:
    from submissions.pseudo.correct import make_corrections

    show(make_corrections(name, source, workspace, nested, **values))
    _show_next(workspace, name, source, begun_as)


def _show_next(workspace: Workspace, name: str, model: str, begun_as: BegunAs) -> None:
    show_next(_student(workspace, model, name, begun_as))
    show_next(f"pseudo {name}", what="Then, what it has gained")


def _student(workspace: Workspace, model: str, name: str, begun_as: BegunAs) -> str:
    """Return the command that trains a model of the same recipe from pseudo-labels besides."""
    begun = f"train --models {model}"
    with suppress(UserError):  # where its recipe is lost
        begun = begun_as(workspace, model)
    return f"{begun} --name {model}-{name} --pseudo {name}"
