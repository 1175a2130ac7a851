"""The flags that every verb in a workspace shares."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click import get_current_context

from competition.common.errors import FLAGS
from competition.common.text import band_names
from competition.terminal.command_line import FOLDER, Finite, as_flags
from competition.terminal.completion import names_in
from competition.terminal.output import SHARED, output_flags

if TYPE_CHECKING:
    from competition.spec.competition import Competition

PUBLIC = 0.34  # share of the chips to predict behind Planet's public scores
with_public = click.option(
    "--public",
    type=Finite(0, 1, True, True),
    default=PUBLIC,
    show_default=True,
    help="share of the chips to predict behind the public scores, as the leaderboard's page says; Planet's is 0.34",
)
MOST_PROPOSED = 12  # bands in a command that is shown


def _shipped() -> Iterable[str]:
    from competition.spec.load import built_in_names

    return built_in_names()


_of_competitions = names_in(further=_shipped)
_shared = functools.partial(click.option, show_default=True, panel=SHARED)


def in_workspace(verb: Callable[..., None]) -> Callable[..., None]:
    """Give a verb `--workspace`, `--competition`, the flags of its output, and its first argument: the Workspace."""

    @output_flags
    @_shared("--workspace", type=FOLDER, default="workspace", help="folder of every artefact")
    @_shared(
        "--competition",
        default="planet",
        shell_complete=_of_competitions,
        help="a known name, Kaggle's, or a .toml file",
    )
    @functools.wraps(verb)
    def wrapped(workspace: Path, competition: str, **options: Any) -> None:
        from competition.leftovers import sweep
        from competition.workspace import Workspace

        context = get_current_context()
        given = {"--workspace": str(workspace), "--competition": competition}
        defaults = {"--workspace": "workspace", "--competition": "planet"}
        context.meta[FLAGS] = [part for flag in given if given[flag] != defaults[flag] for part in (flag, given[flag])]
        opened = Workspace.open(workspace, competition)
        sweep(opened)
        verb(opened, **options)

    return wrapped


def competition_flag() -> str:
    """Return `--competition`, after a blank, as the verb at work was given it; "" where it was not."""
    given = get_current_context().meta.get(FLAGS, [])
    return as_flags({"competition": given[given.index("--competition") + 1]}) if "--competition" in given else ""


class Bands(click.ParamType):
    """Bands as a flag takes them, such as "BGRN" or "B02,B8A"; in Python a tuple of their names."""

    name = "bands"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Return the names of the bands, at least one."""
        names = value if isinstance(value, tuple) else band_names(value)
        if not names:
            self.fail(f"expected bands such as BGRN, or B02,B8A; received {value!r}", param, ctx)
        return names


def as_bands(bands: Sequence[str]) -> str:
    """Return bands as the flag `--bands` takes them: letters as one word, or names with commas."""
    if all(len(band) == 1 for band in bands):
        return "".join(bands)
    return ",".join(bands) + ("," if len(bands) == 1 else "")  # by which a single name is told from letters


def bands_flag(competition: Competition) -> str:
    """Return the flag `--bands`, after a blank, with which any recipe takes the chips of a competition.

    "" where these have R, G and B, which recipes ask for by themselves, or more bands than fit a command.
    """
    bands = competition.image_set(competition.default_images).bands
    needed = not {"R", "G", "B"} <= set(bands) and len(bands) <= MOST_PROPOSED
    return f" --bands {as_bands(bands)}" if needed else ""
