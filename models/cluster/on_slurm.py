"""Training on Slurm: each stage an array of jobs, whose jobs run the commands that `--print-jobs` shows."""

from __future__ import annotations

import importlib
import shlex
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from competition.cluster.connect import cores
from competition.common.errors import UserError, spelled
from competition.common.files import digest_json, remove_idle
from competition.common.locks import BusyError, lock_of, locked
from competition.common.progress import reporter
from competition.common.text import counted, first, short
from models.cluster.steps import Stages, Step, Training
from models.runs.model_recipe import ModelRequest

SLURM = "slurm"
PATIENCE = 60.0  # seconds for the queue
HANDED_OVER = ("*.pkl", "*.sh")  # what submitit keeps of jobs, but for their logs
OLD = 60 * 86_400.0  # seconds after which no job needs it any more
MINUTES = 24 * 60  # that a job may take, unless asked otherwise
RUN = Path(__file__).parents[2] / "run.py"
OWN = ("dependency", "job_name", "additional_parameters", "map_count")  # which are the toolkit's to say


def train_on_slurm(
    training: Training, *, cpus: int | None = None, asked: str | None = None, executor: str = SLURM
) -> list[Any]:
    """Hand the steps of a training to Slurm, and return its jobs at once.

    Args:
        training: what is to be trained.
        cpus: cores of each job; None: as many as this machine has.
        asked: what else each asks for, as "partition=gpu,gpus_per_node=1,time=600"; jobs that learn from features are
            not given its GPUs.
        executor: of submitit; with another than Slurm each stage is waited for.

    Raises:
        UserError: if submitit or Slurm is not there, or Slurm does not take what is asked for.
        BusyError: if a model is to begin again, and jobs of it are in Slurm's queue.
    """
    training.stages()  # all of them are known to be right before the first begins again
    parameters = _parameters(asked)
    folder = training.workspace.slurm.absolute()
    make = partial(_executor, folder, executor)
    make()  # it is known to be there before anything begins again
    jobs = list[Any]()
    with locked(lock_of(folder)):  # or two at once would find nothing in the queue, and hand the same over
        for pattern in HANDED_OVER:
            remove_idle(folder.glob(pattern), OLD)
        if executor == SLURM:
            training = _without_queued(training)
        training = training.begin()
        for stages in training.stages():
            jobs += _submit(make, training, stages, {"time": MINUTES, "cpus_per_task": cpus or cores(), **parameters})
    if jobs:
        handed = counted(len(jobs), "job")
        reporter.say(f"{handed} handed to Slurm. Their logs come to {folder}; 'squeue --me' lists them.")
    return jobs


def _without_queued(training: Training) -> Training:
    """Return a training without the models that Slurm has jobs of already; of these, say so."""
    queue, left = _queue(), list[ModelRequest]()
    for request in training.requests:
        if jobs := sorted(queue.get(_title(training, request), ())):
            text = f"'{request.model}' is in Slurm's queue already: {counted(len(jobs), 'job')}, {first(jobs)}."
            otherwise = f"Wait for them to end, or cancel them by 'scancel {' '.join(jobs)}'."
            if training.restart:
                raise BusyError(f"{text} {otherwise}")
            reporter.say(f"{text} It is not handed over again. {otherwise}")
        else:
            left.append(request)
    return replace(training, requests=tuple(left))


def _queue() -> dict[str, set[str]]:
    """Return the numbers of one's own jobs that wait or run, by the titles that their names begin with."""
    asked = ["squeue", "--me", "--noheader", "--format=%A %j"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise UserError(f"Slurm does not say what it has in its queue, by '{' '.join(asked)}': {error}.") from error
    queue = defaultdict[str, set[str]](set)
    for number, _, name in (line.strip().partition(" ") for line in said.splitlines()):
        queue[name.rpartition("-")[0]].add(number)
    return queue


def _title(training: Training, request: ModelRequest) -> str:
    """Return what names of a model's jobs begin with, in Slurm's queue; that of another workspace's model differs."""
    return f"{request.model}-{short(digest_json(str(training.workspace.root.absolute())))}"


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
        needs = {name: value for name, value in parameters.items() if stage[0].pixels or not _is_gpu(name, value)}
        if before:
            needs |= {"dependency": _after(before), "additional_parameters": {"kill-on-invalid-dep": "yes"}}
        does = "prepare" if stage[0].prepares else "train"
        _update(submit, {"job_name": f"{_title(training, stage[0].request)}-{does}", **needs})
        with submit.batch():
            before = [submit.submit(_command(training, step)) for step in stage]
        if submit.cluster != SLURM:
            for job in before:
                job.result()
        jobs += before
        ids = sorted({job.job_id.split("_")[0] for job in before})
        reporter.say(f"{', '.join(map(str, stage))}: job {', '.join(ids)}.")
    return jobs


def _is_gpu(name: str, value: Any) -> bool:
    """Whether a parameter asks for GPUs, or for so much of something for each: gpus_per_node=1, gres=gpu:a100:1."""
    return "gpu" in name or (name == "gres" and str(value).startswith("gpu"))


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
    return helpers.CommandFunction([sys.executable, str(RUN), *words])
