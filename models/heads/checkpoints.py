"""Heads on the disk while they are trained; each checkpoint is written whole or not at all.

Layout of a checkpoint's folder:

    state.json, state1.json, ...   how far each head has come
    weights.npy                    float32 (1 + num_kept + num_slots, num_weights): weights now, of the best epochs, and
                                   the slots
    sums.json                      the checksum of the weights; older checkpoints have none
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import numpy as np

from competition.arrays import opened
from competition.checksums import sum_fits, write_sum
from competition.common.errors import UserError
from competition.common.files import replace_folder
from competition.common.folders import check_room
from competition.common.progress import reporter
from models.heads.group import HeadGroup
from models.runs.event_log import log_epochs
from models.runs.folders import CHECKPOINTS, restart_command, seed_folders
from models.runs.training_state import TrainingState, checkpoints, state_name

WEIGHTS, SUM = "weights.npy", "sums.json"
SECONDS = 10.0  # between two checkpoints: what a kill may cost
SHARE = 20  # of the time between them that one may take is one part in so many


class Keeper:
    """Keeps a group of heads in a folder, every now and then, so that training can go on where it was interrupted.

    Args:
        group: the heads.
        folder: its checkpoints go to `checkpoints/` in it.
    """

    def __init__(self, group: HeadGroup, folder: Path) -> None:
        self.group, self.folder = group, folder
        self._next = time.monotonic() + SECONDS

    def resume(self) -> None:
        """Give the group what the latest checkpoint holds, if there is one.

        Raises:
            UserError: if it is damaged.
        """
        if not (paths := checkpoints(self.folder)):
            return
        path, group = paths[-1], self.group
        if not (path / WEIGHTS).is_file():
            reporter.say("What an earlier version of this project began cannot be gone on with: it begins again.")
            shutil.rmtree(path.parent)
            return
        shape = (1 + len(group.kept) + len(group.slots), len(group.values))
        kept = opened(path / WEIGHTS, shape, np.dtype(np.float32))
        if kept is None or not sum_fits(path / SUM, kept):
            raise UserError(f"{path / WEIGHTS} is damaged.", command=restart_command(path))
        group.states = [TrainingState.read(path / state_name(number)) for number in range(len(group.states))]
        group.values[:], group.kept[:], group.slots[:] = np.split(kept, [1, 1 + len(group.kept)])
        metric, best = group.examples.task.metric.title, ", ".join(f"{state.best_metric:.4f}" for state in group.states)
        reporter.say(f"Going on after epoch {group.epochs}; best {metric} so far {best}.")
        self._log()  # what a kill right after the checkpoint has left out

    def after_epoch(self) -> None:
        """Write a checkpoint if the last one is old enough, or training is over."""
        started = time.monotonic()
        if started >= self._next or self.group.is_over:
            self._write()
            taken = time.monotonic() - started
            self._next = started + max(SECONDS, SHARE * taken)

    def _write(self) -> None:
        group, before = self.group, checkpoints(self.folder)
        rows = np.concatenate([group.values[None], group.kept, group.slots])
        check_room(rows.nbytes, self.folder, "A checkpoint")
        with replace_folder(self.folder / CHECKPOINTS / f"epoch{group.epochs:05d}") as temporary:
            np.save(temporary / WEIGHTS, rows, allow_pickle=False)
            write_sum(temporary / SUM, rows)
            for number, state in enumerate(group.states):
                state.write(temporary / state_name(number))
        for old in before:
            shutil.rmtree(old)
        self._log()

    def _log(self) -> None:
        group = self.group
        for folder, state in zip(seed_folders(self.folder, group.recipe), group.states, strict=True):
            log_epochs(folder, state, group.examples.task.metric.title, group.recipe.monitor)
