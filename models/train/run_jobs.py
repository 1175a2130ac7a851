"""The jobs of a model run: its heads on the feature bank all at once, other networks one fold after another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from competition.common.interrupts import heeded
from competition.common.locks import BusyError
from competition.common.progress import reporter
from models.backend.load import load_backend
from models.backend.made import noted
from models.runs.folders import clear
from models.runs.training_state import DivergedError, check_diverged, has_diverged, write_diverged
from models.train.job import Job

if TYPE_CHECKING:
    from models.inputs.examples import Examples
    from models.inputs.sources import Sources


def run_jobs(jobs: Sequence[Job], *, pass_on: bool = False, keep: Callable[[str], None] = lambda _: None) -> None:
    """Run jobs of one model: its heads on the feature bank all at once, other networks one after another.

    A fold that diverges ends the run, as others would at the same rate; heads that were trained beside it, and have
    learnt, are kept.

    Args:
        jobs: the folds.
        pass_on: leave those that another process is at, instead of stopping.
        keep: called with the model after jobs that were done, when more are to come.

    Raises:
        UserError: if the data, the fold table or the recipe do not fit what was begun.
        DivergedError: if the training of one has diverged, now or in an earlier run.
        BusyError: if another process is at one of them.
    """
    at_once = [jobs] if jobs[0].recipe.on_bank else [[job] for job in jobs]
    for some in at_once:
        with ExitStack() as held, heeded():
            begun = [job for job in some if _is_begun(job, held, pass_on)]
            if left := [job for job in begun if not has_diverged(job.folder)]:
                _run(left)
            for job in begun:
                check_diverged(job.folder)
        if begun and some is not at_once[-1]:
            keep(jobs[0].model)


def _is_begun(job: Job, held: ExitStack, pass_on: bool) -> bool:
    """Return whether there is work to do for a job, which then is in our hands until `held` ends."""
    with ExitStack() as own:
        try:
            own.enter_context(job.at_work())
        except BusyError as busy:
            if not pass_on:
                raise
            reporter.say(f"{busy} Passing on to the next fold.")  # so that two processes share the folds of a model
            return False
        if job.is_done():
            if job.only is None:
                clear(job.folder)  # what one that was killed behind its scores has left
            return False
        held.enter_context(own.pop_all())
    return True


def _run(jobs: Sequence[Job]) -> None:
    load_backend()
    import keras

    from models.inputs.sources import Sources

    keras.utils.clear_session()  # or the networks of the folds before would stay in memory
    first = jobs[0]
    sources = Sources(first.workspace, first.recipe, first.skip_broken)
    first.prepare(sources)
    every: list[Examples] = []
    for job in jobs:
        examples = job.begin(sources)
        every.append(dataclasses.replace(examples, truth=every[0].truth) if every else examples)  # one copy of it
    with ExitStack() as notes:  # of a run that is not refused
        for job in jobs:
            numbers = range(job.recipe.seeds) if job.only is None else [job.only]
            seeds = [job.recipe.seed + number for number in numbers]
            is_lost = partial(has_diverged, job.folder)
            notes.enter_context(noted(job.place, job.recipe.precision, seeds, is_lost))
        _train_and_score(jobs, every, sources)


def _train_and_score(jobs: Sequence[Job], every: Sequence[Examples], sources: Sources) -> None:
    first = jobs[0]
    with _kept(jobs):
        if first.recipe.on_bank:
            _fit_heads(jobs, every, sources)
        else:
            first.fit(every[0], sources)
    for job, examples in zip(jobs, every, strict=True):
        if job.only is not None:  # what scores comes when all seeds are there
            continue
        with suppress(DivergedError), _kept([job]):  # the others have learnt: it is said when they are finished
            job.finish(sources, examples)


@contextmanager
def _kept(jobs: Sequence[Job]) -> Iterator[None]:
    """Keep which of some jobs has diverged, if one does."""
    try:
        yield
    except DivergedError as error:
        for job in jobs:
            if job.fold == error.fold:
                write_diverged(error, job.folder)
        raise


def _fit_heads(jobs: Sequence[Job], every: Sequence[Examples], sources: Sources) -> None:
    from models.train.fit_heads import FoldOfHeads, fit_heads

    recipe, table = jobs[0].recipe, jobs[0].store.table
    left = [(job, examples) for job, examples in zip(jobs, every, strict=True) if not job.is_trained]
    if not left:
        return
    bank = sources.bank_to_learn(("identity", *recipe.drawn_views, *recipe.test_views))
    folds = [FoldOfHeads(job.fold, dataclasses.replace(examples, source=bank), job.folder) for job, examples in left]
    for repeat in range(table.num_repeats):  # of each repeat other folds hold the chips out
        if some := [fold for fold in folds if table.repeat_of(fold.fold) == repeat]:
            fit_heads(recipe, some, table.folds_of(sources.cache("train").names, repeat))
