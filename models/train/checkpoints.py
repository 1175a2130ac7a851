"""Weights on the disk: the state after each epoch, and finished networks; each written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from competition.common.errors import UserError
from competition.common.files import replace_folder
from competition.common.folders import check_room
from models.backend.seals import write_sealed
from models.networks.build import save_weights
from models.networks.optimizers import averaged
from models.runs.folders import CHECKPOINTS, load_weights, restart_command
from models.runs.training_state import STATE, TrainingState, checkpoints

OF_ARRAY, BESIDE = 2**12, 2**16  # bytes that HDF5 takes for what it says of an array (of ResNet50's 1,500), and of all
LATEST, BEST = "latest.weights.h5", "best.weights.h5"


def best_files(state: TrainingState, swa: int, sign: int) -> dict[str, int]:
    """Return the names of the files that keep the weights of the best epochs, the best first, and the epochs' numbers.

    Args:
        state: the finished epochs.
        swa: how many of the best are kept; 0: the best alone.
        sign: of the metric: 1 if more of it is better, -1 if less.
    """
    if not swa:
        return {BEST: state.best}
    return {f"best{number:05d}.weights.h5": number for number in state.best_epochs(swa, sign)}


def resume(network: keras.Model, folder: Path, swa: int, sign: int) -> TrainingState:
    """Load the latest checkpoint into a network; return the state after it, or a new one where there is none.

    Args:
        network: the network.
        folder: of its job.
        swa: as of `best_files`.
        sign: likewise.

    Raises:
        UserError: if it is damaged.
    """
    paths = checkpoints(folder)
    if not paths:
        return TrainingState()
    state = TrainingState.read(paths[-1] / STATE)
    for best in (paths[-1] / name for name in best_files(state, swa, sign)):
        if not best.is_file():  # the next checkpoint takes it over
            raise UserError(f"{best} is missing or damaged.", command=restart_command(best))
    load_weights(network, paths[-1] / LATEST)
    return state


def write_checkpoint(network: keras.Model, state: TrainingState, best: Mapping[str, int], folder: Path) -> None:
    """Write the whole state after an epoch, atomically, and remove the checkpoint before.

    Args:
        network: the network.
        state: the finished epochs.
        best: the files of `best_files`; those of earlier epochs are taken over.
        folder: of its job.

    Raises:
        UserError: if the disk has no room for it.
    """
    variables = [*network.variables, *network.optimizer.variables]
    check_room(2 * _size_of(variables), folder, "A checkpoint")
    before = checkpoints(folder)
    target = folder / CHECKPOINTS / f"epoch{state.epochs:05d}"
    with replace_folder(target) as temporary:
        write_sealed(network, temporary / LATEST)
        for name, number in best.items():
            is_new = number == state.epochs - 1
            if is_new and network.optimizer.use_ema:
                with averaged(network):
                    write_sealed(network, temporary / name)
            else:
                _link(temporary / LATEST if is_new else before[-1] / name, temporary / name)
        state.write(temporary / STATE)
    for old in before:
        shutil.rmtree(old)


def write_network(network: keras.Model, path: Path) -> None:
    """Write the weights of a finished network, or of a part of one.

    Raises:
        UserError: if the disk has no room for them.
    """
    check_room(_size_of(network.variables), path.parent, "The network")
    save_weights(network, path)


def _size_of(variables: Sequence[Any]) -> int:
    """Return the bytes of variables in a file. Weights are float32, whatever the network computes in."""
    return BESIDE + sum(int(np.prod(variable.shape)) * 4 + OF_ARRAY for variable in variables)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copyfile(source, target)  # and not its mode, which such file systems may refuse too
