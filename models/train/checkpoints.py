"""Checkpoints: the state after each epoch, written whole or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import keras
import numpy as np

from competition.common.errors import UserError
from competition.common.files import replace_folder_atomically
from models.networks.optimizers import averaged
from models.runs.folders import load_weights
from models.runs.progress import STATE, TrainingState, checkpoints

LATEST, BEST = "latest.weights.h5", "best.weights.h5"


def resume(network: keras.Model, folder: Path) -> TrainingState:
    """Load the latest checkpoint into a network; return the state after it, or a new one where there is none."""
    found = checkpoints(folder)
    if not found:
        return TrainingState()
    load_weights(network, found[-1] / LATEST)
    return TrainingState.read(found[-1] / STATE)


def write_checkpoint(network: keras.Model, state: TrainingState, better: bool, folder: Path) -> None:
    """Write the whole state after an epoch, atomically, and remove the checkpoint before.

    Raises:
        UserError: if the disk has no room for it.
    """
    # HDF5 brings Python down if the disk fills up under it.
    variables = [*network.variables, *network.optimizer.variables]
    needed = 2 * sum(int(np.prod(variable.shape)) * 4 for variable in variables)
    if needed > (free := shutil.disk_usage(folder).free):
        raise UserError(f"A checkpoint needs {needed / 1e6:,.0f} MB, and {free / 1e6:,.0f} MB are free at {folder}.")
    before = checkpoints(folder)
    target = folder / "checkpoints" / f"epoch{state.epochs:05d}"
    shutil.rmtree(target, ignore_errors=True)
    with replace_folder_atomically(target) as temporary:
        network.save_weights(temporary / LATEST)
        if better and network.optimizer.use_ema:
            with averaged(network):
                network.save_weights(temporary / BEST)
        else:
            _link(temporary / LATEST if better else before[-1] / BEST, temporary / BEST)
        state.write(temporary / STATE)
    for old in before:
        shutil.rmtree(old)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
