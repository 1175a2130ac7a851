"""The verb `pseudo`. It imports what it needs when it runs."""

from __future__ import annotations

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

TEST, LABELLED = "test", "labelled"


def pseudo_verb(nested: MakeNested) -> click.RichCommand:
    """Return the verb.

    Args:
        nested: makes scores of labelled chips for the training of each fold, by heads on a model's features.
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
            _show_gains(workspace, name, [f"--{flag.replace('_', '-')}" for flag in given])
        elif given.pop("of", TEST) == LABELLED:
            _correct(workspace, name, source, nested, **given)
        elif "skip_broken" in given:
            raise UserError("--skip-broken is for --of labelled: the chips to predict were scored already.")
        else:
            _label(workspace, name, source, **given)

    return pseudo


def _show_gains(workspace: Workspace, name: str, given: list[str]) -> None:
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
        show_next(f"train --models RECIPE --name RECIPE-{name} --pseudo {name}")


def _label(workspace: Workspace, name: str, source: str, **values: Any) -> None:
    from submissions.pseudo.make import make_pseudo

    with reporter.busy("labelling"):
        made = make_pseudo(name, source, workspace, **values)
    show(made)
    _show_next(name, made.models[0])


def _correct(workspace: Workspace, name: str, source: str, nested: MakeNested, **values: Any) -> None:
    from submissions.pseudo.correct import make_corrections

    show(make_corrections(name, source, workspace, nested, **values))
    _show_next(name, source)


def _show_next(name: str, model: str) -> None:
    show_next(f"train --models {model} --name {model}-{name} --pseudo {name}")
    show_next(f"pseudo {name}", what="Then, what it has gained")
