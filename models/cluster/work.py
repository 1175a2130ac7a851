"""A step of training as a call that any machine may make: the same as its command does."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import Any

from competition.common.errors import UserError
from competition.common.locks import BusyError
from competition.common.progress import reporter
from models.cluster.steps import Step, Training

PATIENCE = 300.0  # seconds after which a file server frees the locks of a machine that is lost: NFS takes 90 or more


@dataclass(frozen=True)
class Done:
    """What doing a step took.

    Attributes:
        seconds: how long.
        host: the machine that did it.
    """

    seconds: float
    host: str


def do_step(training: Training, step: Step) -> Done:
    """Do a step of training; where it was begun, go on after its last finished epoch.

    Raises:
        BusyError: if another process is at it, and stays so.
        UserError: whatever the command of the step would say.
    """
    from models.cluster.prepare import prepare_folds
    from models.train.train_folds import train_folds

    started = time.monotonic()
    while True:
        try:
            if step.prepares:
                prepare_folds(training.workspace, step.request, **training.options)
            else:
                only: Any = {"only": step.seed, **training.options}
                train_folds(training.workspace, step.request, step.fold, **only)
            if step.prepares or step.fold is not None or _is_done(training, step):
                return Done(time.monotonic() - started, socket.gethostname())
            busy: UserError = BusyError(f"Other processes are at {step}. Wait for them to end.")
        except BusyError as error:
            busy = error
        if time.monotonic() - started > PATIENCE:
            raise busy
        time.sleep(1)


def _is_done(training: Training, step: Step) -> bool:
    """Whether the folds of a step have scores, those that are made again beside what there is of them."""
    from models.train.train_folds import jobs_of

    jobs = [job for some in jobs_of(training.workspace, step.request, **training.options) for job in some]
    with reporter.silent():
        return all(job.is_done() for job in jobs if job.fold in step.folds)
