"""Training on Slurm: each stage an array of jobs, whose jobs run the commands that `--print-jobs` shows."""

from __future__ import annotations

import importlib
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from competition.cluster.connect import cores
from competition.cluster.threads import LIMITS, threads_here
from competition.common.errors import UserError, spelled
from competition.common.progress import reporter
from competition.common.text import counted
from models.cluster.steps import Stages, Step, Training

SLURM = "slurm"
MINUTES = 24 * 60  # that a job may take, unless asked otherwise
RUN = Path(__file__).parents[2] / "run.py"
LOGS = "slurm"  # folder in the workspace
OWN = ("dependency", "job_name", "additional_parameters", "map_count")  # which are the toolkit's to say


def train_on_slurm(
    training: Training, *, cpus: int | None = None, asked: str | None = None, executor: str = SLURM
) -> list[Any]:
    """Hand the steps of a training to Slurm, and return its jobs at once.

    Args:
        training: what is to be trained.
        cpus: cores of each job; None: as many as this machine has.
        asked: what else each asks for, as "partition=gpu,gpus_per_node=1,time=600"; jobs on features need no GPU.
        executor: of submitit; with another than Slurm each stage is waited for.

    Raises:
        UserError: if submitit or Slurm is not there, or Slurm does not take what is asked for.
    """
    training.stages()  # all of them are known to be right before the first begins again
    parameters = _parameters(asked)
    folder = training.workspace.root.absolute() / LOGS
    make = partial(_executor, folder, executor)
    make()  # it is known to be there before anything begins again
    training = training.begin()
    jobs = list[Any]()
    for stages in training.stages():
        jobs += _submit(make, training, stages, {"time": MINUTES, "cpus_per_task": cpus or cores(), **parameters})
    if jobs:
        handed = counted(len(jobs), "job")
        reporter.say(f"{handed} handed to Slurm. Their logs come to {folder}; 'squeue --me' lists them.")
    return jobs


def _executor(folder: Path, executor: str) -> Any:
    try:
        submitit = importlib.import_module("submitit")
    except ImportError as error:
        raise UserError(f"Slurm needs submitit: {error}. Install it by 'pip install -e \".[cluster]\"'.") from error
    try:
        return submitit.AutoExecutor(folder, cluster=executor)
    except (RuntimeError, OSError) as error:
        raise UserError(
            f"This machine cannot hand jobs to Slurm: {error}. Run it where 'sbatch' is, or give --print-jobs in the "
            "place of --on slurm for the commands."
        ) from error


def _parameters(asked: str | None) -> dict[str, str]:
    words = [word.strip() for word in (asked or "").split(",") if word.strip()]
    given = dict(word.split("=", 1) for word in words if "=" in word)
    if len(given) < len(words) or OWN & given.keys():
        raise UserError(
            f"--slurm: expected NAME=VALUE joined by commas, as partition=gpu,time=600; received {asked!r}."
        )
    return given


def _submit(make: Callable[[], Any], training: Training, stages: Stages, parameters: dict[str, Any]) -> list[Any]:
    jobs, before = list[Any](), list[Any]()
    for stage in stages:
        submit = make()  # or it would keep what the stage before waits for
        needs = {name: value for name, value in parameters.items() if stage[0].pixels or "gpu" not in name}
        if before:
            needs |= {"dependency": _after(before), "additional_parameters": {"kill-on-invalid-dep": "yes"}}
        title = f"{stage[0].request.model}-{'prepare' if stage[0].prepares else 'train'}"
        _update(submit, {"job_name": title, **needs})
        with submit.batch():
            before = [submit.submit(_command(training, step)) for step in stage]
        if submit.cluster != SLURM:
            for job in before:
                job.result()
        jobs += before
        ids = sorted({job.job_id.split("_")[0] for job in before})
        reporter.say(f"{', '.join(map(str, stage))}: job {', '.join(ids)}.")
    return jobs


def _after(jobs: Sequence[Any]) -> str:
    return "afterok:" + ":".join(sorted({job.job_id.split("_")[0] for job in jobs}))


def _update(submit: Any, parameters: dict[str, Any]) -> None:
    try:
        submit.update_parameters(**{f"slurm_{name}": value for name, value in parameters.items()})
    except (NameError, ValueError, AssertionError) as error:
        raise UserError(f"--slurm: {str(error).splitlines()[0]}") from error


def _command(training: Training, step: Step) -> Any:
    """Return the command of a step as submitit takes it: words alone, without code of ours and secrets."""
    helpers = importlib.import_module("submitit.helpers")
    _, _, *words = shlex.split(spelled(training.command(step)))
    # Threads change results: a job computes with as many as this machine would.
    threads = [f"{name}={threads_here()}" for name in LIMITS]
    return helpers.CommandFunction(["env", *threads, sys.executable, str(RUN), *words])
