"""How the networks of a workspace have learnt: their epochs, and what they reach on the chips learnt. Without Keras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from competition.common.errors import UserError
from competition.common.records import read_record, write_record
from competition.workspace import Workspace
from folds.store.score_store import ScoreStore
from models.runs.folders import FORMAT
from models.runs.model_recipe import summaries
from models.runs.status import status_of
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
        loss: of the chips learnt, as training sees them, with augmentation and dropout.
        metric: likewise the metric.
        heldout_loss: of the chips held out.
        heldout_metric: likewise the metric.
        learning_rate: at the end of each epoch.
    """

    model: str
    fold: int
    seed: int
    best: int
    loss: NDArray[np.float64]
    metric: NDArray[np.float64]
    heldout_loss: NDArray[np.float64]
    heldout_metric: NDArray[np.float64]
    learning_rate: NDArray[np.float64]


def write_learnt(folder: Path, learnt: float, heldout: float) -> None:
    """Keep what a fold's networks reach on the chips that they learnt from, and on those held out, as these are."""
    write_record(folder / LEARNT, {"learnt": learnt, "heldout": heldout}, version=FORMAT)


def known_of(workspace: Workspace) -> dict[str, Any]:
    """Return what a report shows of the models: how far each has come, how it has learnt, and what it is made by.

    Raises:
        UserError: if the workspace has no fold table.
    """
    status = status_of(workspace)
    names = [found.model for found in status.models]
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
    def parse(content: dict[str, Any]) -> tuple[float, float]:
        return float(content["learnt"]), float(content["heldout"])

    try:
        return read_record(folder / LEARNT, parse, version=FORMAT)
    except UserError:  # of models trained before it was kept, or damaged
        return None


def curves_of(workspace: Workspace, model: str) -> list[Curve]:
    """Return the training of every network of a model; what is damaged, or not trained in epochs, is left out."""
    store, curves = ScoreStore.of(workspace), list[Curve]()
    for fold in range(store.table.num_folds):
        folder = store.folder(model, fold)
        folders = [folder, *sorted(folder.glob("seed*"), key=lambda path: (len(path.name), path.name))]
        for seed, path in enumerate(folders):
            try:
                state = state_of(path)
            except UserError:
                continue
            if state.epochs:
                curves.append(_curve(model, fold, seed, state))
    return curves


def _curve(model: str, fold: int, seed: int, state: TrainingState) -> Curve:
    def values(name: str) -> NDArray[np.float64]:
        return np.array([getattr(epoch, name) for epoch in state.history], dtype=float)

    arrays = map(values, ("loss", "metric", "heldout_loss", "heldout_metric", "learning_rate"))
    return Curve(model, fold, seed, state.best, *arrays)
