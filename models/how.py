"""How a model was made: what its folds were made with, the runs at them, and the command that begins its like."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from competition.common.errors import UserError, unknown_name
from competition.common.files import digest_file
from competition.common.text import day, lasting, short
from competition.terminal.command_line import as_flags
from competition.terminal.tables import table
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.backend.made import Stretch, read_made
from models.runs.folders import NETWORK, VALUES, read_job, seed_folders
from models.runs.model_recipe import ModelRequest, flags_between, read_recipe, start_of

WITH = ("fold table", "labels", "training chips", "recipe")  # digests in job.json
TAUGHT = {"pseudo-labels": "pseudo_digest", "chip weights": "weighted_digest"}  # likewise, in its recipe's values
UNKNOWN = "not recorded"  # by an earlier version


@dataclass(frozen=True)
class FoldHow:
    """How one fold was made.

    Attributes:
        fold: its number.
        runs: those that were at it, the last one last; None where that was not recorded.
        made_with: digests of fold table, labels, chips and recipe.
        networks: digests of the files of its networks, seed after seed; those that are there.
    """

    fold: int
    runs: tuple[Stretch, ...] | None
    made_with: dict[str, str]
    networks: tuple[str, ...]


@dataclass(frozen=True)
class How:
    """How a model was made: one entry for each fold that was begun."""

    model: str
    folds: tuple[FoldHow, ...]

    def text(self) -> str:
        """Return a table of the runs, and below it what they have in common."""
        ways: list[dict[str, Any]] = []
        for run in (run for fold in self.folds for run in fold.runs or ()):
            if run.how not in ways:
                ways.append(run.how)
        rows = [row for fold in self.folds for row in _rows(fold, ways)]
        parts = [table(["fold", "began (UTC)", "took", "ended", "made by", "network"], rows, "rllllll")]
        for number, way in enumerate(ways, start=1):
            parts.append(table([f"made by {number}", ""], [(name, _shown(value)) for name, value in way.items()], "ll"))
        names = [*WITH, *(name for name in TAUGHT if any(name in fold.made_with for fold in self.folds))]
        digests = [(name, {short(fold.made_with.get(name, "")): None for fold in self.folds}) for name in names]
        made_with = [(name, ", ".join(found).strip(", ") or UNKNOWN) for name, found in digests]
        return "\n\n".join([*parts, table(["made with", "digest"], made_with, "ll")])

    def as_dict(self) -> dict[str, Any]:
        """Return it as values that JSON knows."""
        return asdict(self)


def how_made(workspace: Workspace, model: str) -> How:
    """Return how a model was made.

    Raises:
        UserError: if there is no such model.
    """
    store = ScoreStore.of(workspace)
    if model not in store.models():
        raise unknown_name("model", model, store.models())
    folders = {fold: store.folder(model, fold) for fold in range(store.table.num_folds)}
    recipe, found = read_recipe(workspace, model), []
    for fold, folder in folders.items():
        if folder.is_dir():
            seeds, job = seed_folders(folder, recipe), dict[str, Any]()
            with suppress(UserError):
                job = read_job(folder)
            noted = [
                runs for seed in seeds if (runs := read_made(seed)) is not None
            ]  # seeds may have runs of their own
            networks = [path for seed in seeds if (path := seed / NETWORK).is_file()]
            values, made_with = job.get(VALUES, {}), {name: str(job[name]) for name in WITH if name in job}
            made_with |= {name: str(values[of]) for name, of in TAUGHT.items() if values.get(of)}
            every = tuple(itertools.chain.from_iterable(noted)) if noted else None
            found.append(FoldHow(fold, every, made_with, tuple(map(digest_file, networks))))
    return How(model, tuple(found))


def begun_as(workspace: Workspace, model: str) -> str:
    """Return the command that begins a variant of a model with its own recipe, up to the variant's name and flags.

    A recipe of the same name comes before the model: then what the model has otherwise is given by flags.
    """
    request = ModelRequest(model)
    own, start = read_recipe(workspace, model), start_of(workspace, request).settled(workspace.competition)
    flags = flags_between(start.without_pseudo().to_dict(), own.without_pseudo().to_dict(), None)
    return f"{request.verb} {model}{as_flags(flags)}"


def _rows(fold: FoldHow, ways: list[dict[str, Any]]) -> list[list[str]]:
    networks = " ".join(map(short, fold.networks))
    if not fold.runs:
        return [[str(fold.fold), UNKNOWN, "", "", "", networks]]
    rows = []
    for run in fold.runs:
        took = "" if run.seconds is None else lasting(run.seconds)
        ended = run.ended or "has no end"
        rows.append([str(fold.fold), day(run.began), took, ended, str(ways.index(run.how) + 1), ""])
    rows[-1][-1] = networks
    return rows


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value) or "from Python"
