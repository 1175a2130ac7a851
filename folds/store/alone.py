"""One process at a time works in the folder of a fold, or in that of one of its further seeds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from competition.common.locks import lock_of, locked


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes from the folder of a fold, or from that of one of its further seeds.

    Raises:
        BusyError: if another process is at it.
    """
    model, fold = model_and_fold(folder)
    seed = folder.name.removeprefix("seed") if folder.name.startswith("seed") else ""
    job, busy = (folder.parent, f" seed {seed}") if seed else (folder, "")
    # Beside the fold's folder, so that removing the folder does not remove the lock that guards it.
    lock = lock_of(job.with_name(f"{job.name}-seed{seed}") if seed else job)
    with locked(lock, busy=f"'{model}' fold {fold}{busy}"):
        yield


@contextmanager
def alone_with_seeds(folder: Path) -> Iterator[None]:
    """Keep other processes from the folder of a fold, and from those of its further seeds that there are.

    Raises:
        BusyError: if another process is at one of them.
    """
    with ExitStack() as held:
        for one in (folder, *sorted(folder.glob("seed*"))):
            held.enter_context(alone(one))
        yield


def model_and_fold(path: Path) -> tuple[str, int]:
    """Return model and fold of the folder in which `path` lies, or which it is; "" and -1 if it is of none."""
    job = _job_of(path)
    return (job.parent.name, int(job.name[4:])) if job else ("", -1)


def owner_of(path: Path) -> dict[str, Any]:
    """Return whose a file in a job's folder is: model, fold and number of the seed; for the file to say so itself.

    As `model_and_fold`, "" and -1 if it is of none.
    """
    (model, fold), job = model_and_fold(path), _job_of(path)
    below = path.relative_to(job).parts if job else ()  # those above may be called anything
    seeds = [part[4:] for part in below if re.fullmatch(r"seed\d+", part)]
    return {"model": model, "fold": fold, "seed": int(seeds[-1]) if seeds else 0}


def _job_of(path: Path) -> Path | None:
    return next((folder for folder in (path, *path.parents) if re.fullmatch(r"fold\d+", folder.name)), None)
