"""Where a training is done: here, on a Ray cluster, on Slurm, or by whoever runs its commands."""

from __future__ import annotations

import click

from competition.cluster.flags import HERE, RAY, SLURM
from competition.common.errors import UserError
from competition.common.progress import reporter
from models.cluster.steps import Training, lines_of
from models.runs.tracked import tracked


def train_where(
    training: Training,
    *,
    on: str = HERE,
    address: str | None = None,
    cpus: int | None = None,
    slurm: str | None = None,
    print_jobs: bool = False,
    prepare: bool = False,
) -> bool | None:
    """Train models where the flags say; return whether all have all their scores now.

    Args:
        training: what is to be trained.
        on: "here", "ray" or "slurm".
        address: of the Ray cluster.
        cpus: cores to keep for each task.
        slurm: what each of Slurm's jobs asks for, as "partition=gpu,time=600".
        print_jobs: show the commands, and do nothing.
        prepare: make what the folds share, and train nothing.

    Returns:
        None if it is not known, as the work is done by others.

    Raises:
        UserError: if flags do not go together, or as the work itself says.
    """
    if slurm and on != SLURM:
        raise UserError(f"--slurm is of Slurm's jobs: expected --on slurm with it, received --on {on}.")
    if (print_jobs or prepare) and (on != HERE or print_jobs == prepare):
        given = [flag for flag, is_given in (("--print-jobs", print_jobs), ("--prepare", prepare)) if is_given]
        given += [f"--on {on}"] if on != HERE else []
        raise UserError(
            f"Each of --print-jobs, --prepare and --on says where the work is done: give one of {', '.join(given)}."
        )
    if print_jobs:
        with reporter.silent():
            lines = list(lines_of(training))
        click.echo("\n".join(lines) if lines else "# All folds are done.")
        return None
    if prepare:
        from models.cluster.prepare import prepare_folds

        for request in training.requests:
            prepare_folds(training.workspace, request, restart=training.restart, **training.options)
        return None
    if on == SLURM:
        from models.cluster.on_slurm import train_on_slurm

        train_on_slurm(training, cpus=cpus, asked=slurm)
        return None
    with tracked(training.workspace, training.track) as keep:
        if on == RAY:
            from models.cluster.on_ray import train_on_ray

            return train_on_ray(training, address=address, cpus=cpus, keep=keep)
        from models.train.train_folds import train_models

        return train_models(
            training.workspace, training.requests, restart=training.restart, keep=keep, **training.options
        )
