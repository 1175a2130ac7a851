"""How the networks of a workspace have learnt: their epochs, and what they reach on the chips learnt. Without Keras."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.progress import reporter
from competition.common.records import read_record, write_record
from competition.workspace import Workspace
from folds.store.alone import owner_of
from folds.store.score_store import ScoreStore
from models.runs.folders import FORMAT, HISTORY, check_owner, restart_command
from models.runs.model_recipe import summaries
from models.runs.status import recipes_of, status_of
from models.runs.training_state import TrainingState, state_of

LEARNT = "learnt.json"


@dataclass(eq=False)
class Curve:
    """The training of one network; each array is (num_epochs,).

    Attributes:
        model: its name.
        fold: that was held out.
        seed: number of the network among those of the fold.
        best: number of the epoch that is kept.
        monitor: which chips judge epochs, as recipes say: "heldout", or "inner", set aside of those to learn from.
        loss: of the chips learnt, as training sees them, with augmentation and dropout.
        metric: likewise the metric.
        heldout_loss: of the chips that judge.
        heldout_metric: likewise the metric.
        learning_rate: at the end of each epoch.
    """

    model: str
    fold: int
    seed: int
    best: int
    monitor: str
    loss: NDArray[np.float64]
    metric: NDArray[np.float64]
    heldout_loss: NDArray[np.float64]
    heldout_metric: NDArray[np.float64]
    learning_rate: NDArray[np.float64]


def write_learnt(folder: Path, learnt: float, heldout: float) -> None:
    """Keep what a fold's networks reach on the chips that they learnt from, and on those held out, as these are."""
    path = folder / LEARNT
    write_record(path, owner_of(path) | {"learnt": learnt, "heldout": heldout}, version=FORMAT)


def known_of(workspace: Workspace) -> dict[str, Any]:
    """Return what a report shows of the models: how far each has come, how it has learnt, and what it is made by.

    What is lost of that is said, and left out.

    Raises:
        UserError: if the workspace has no fold table.
    """
    status = status_of(workspace)
    names = [found.model for found in status.models]
    for line in (line for name in names for line in lost_of(workspace, name)):
        reporter.note(line)
    return {
        "headers": status.headers,
        "rows": status.rows,
        "curves": [curve for name in names for curve in curves_of(workspace, name)],
        "learnt": {name: learnt_by_fold(workspace, name) for name in names},
        "recipes": summaries(workspace, names),
    }


def learnt_by_fold(workspace: Workspace, model: str) -> tuple[tuple[float, float] | None, ...]:
    """Return what each fold's networks reach on the chips learnt and held out; None where it was not kept."""
    store = ScoreStore.of(workspace)
    return tuple(_learnt(store.folder(model, fold)) for fold in range(store.table.num_folds))


def _learnt(folder: Path) -> tuple[float, float] | None:
    try:
        return _read_learnt(folder / LEARNT)
    except UserError:  # of models trained before it was kept, or damaged
        return None


def _read_learnt(path: Path) -> tuple[float, float]:
    def parse(content: dict[str, Any]) -> tuple[float, float]:
        content = check_owner(content, path)
        return float(content["learnt"]), float(content["heldout"])

    return read_record(path, parse, version=FORMAT)


def lost_of(workspace: Workspace, model: str) -> list[str]:
    """Return what is lost of how a model's finished folds have learnt, a line each: damaged, or there for others only.

    Models trained before it was kept, or not in epochs, have none of it.
    """
    store, lines = ScoreStore.of(workspace), list[str]()
    folders = [store.folder(model, fold) for fold in store.folds_of(model)]
    networks = [path for folder in folders for path in (folder, *sorted(folder.glob("seed*")))]
    readers: list[tuple[list[Path], Callable[[Path], object]]] = [
        ([folder / HISTORY for folder in networks], TrainingState.read),
        ([folder / LEARNT for folder in folders], _read_learnt),
    ]
    for paths, read in readers:
        for path in paths if any(path.exists() for path in paths) else ():
            try:
                read(path)
            except UserError as error:
                again = {"to have it again, though all else of the fold is whole": restart_command(path)}
                lines.append(str(UserError(f"Left out: {error.text}", command=again)))
    return lines


def curves_of(workspace: Workspace, model: str) -> list[Curve]:
    """Return the training of every network of a model; what is damaged, or not trained in epochs, is left out."""
    store, curves, recipe = ScoreStore.of(workspace), list[Curve](), recipes_of(workspace, [model]).get(model)
    monitor = recipe.monitor if recipe else ""
    for fold in range(store.table.num_folds):
        folder = store.folder(model, fold)
        folders = [folder, *sorted(folder.glob("seed*"), key=lambda path: (len(path.name), path.name))]
        for seed, path in enumerate(folders):
            try:
                state = state_of(path)
            except UserError:
                continue
            if state.epochs:
                curves.append(_curve(model, fold, seed, state, monitor))
    return curves


def _curve(model: str, fold: int, seed: int, state: TrainingState, monitor: str) -> Curve:
    def values(name: str) -> NDArray[np.float64]:
        return np.array([getattr(epoch, name) for epoch in state.history], dtype=float)

    arrays = map(values, ("loss", "metric", "heldout_loss", "heldout_metric", "learning_rate"))
    return Curve(model, fold, seed, state.best, monitor, *arrays)
