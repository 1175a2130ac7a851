"""The steps that training falls into, so that several processes share them: each is a command, and a call."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from competition.cluster.threads import threads_here
from competition.common.errors import spelled
from competition.terminal.command_line import as_flags
from competition.workspace import Workspace
from models.runs.model_recipe import ModelRequest
from models.train.job import Job
from models.train.train_folds import begin_again, jobs_to_begin_again, jobs_to_come


@dataclass(frozen=True)
class Training:
    """What is to be trained.

    Attributes:
        workspace: chips, labels and runs.
        requests: the models, and the values given by flags.
        restart: begin again; what was made stays until the new is complete.
        skip_broken: leave broken chips out, instead of stopping.
        no_test: score held-out chips only.
        track: the tracker, which each command brings its folds to.
    """

    workspace: Workspace
    requests: tuple[ModelRequest, ...]
    restart: bool = False
    skip_broken: bool = False
    no_test: bool = False
    track: str | None = None

    @property
    def options(self) -> dict[str, bool]:
        """Those of each job."""
        return {"skip_broken": self.skip_broken, "no_test": self.no_test}

    def begin(self) -> Training:
        """Begin again what is to be, and return what is left: steps that several processes do never begin again."""
        if self.restart:
            for request in self.requests:
                begin_again(self.workspace, request)
        return replace(self, restart=False)

    def absolute(self) -> Training:
        """Return the same with absolute paths."""
        workspace = replace(self.workspace, root=self.workspace.root.absolute())
        requests = tuple(
            replace(request, recipes=request.recipes and request.recipes.absolute()) for request in self.requests
        )
        return replace(self, workspace=workspace, requests=requests)

    def stages(self) -> list[Stages]:
        """Return of each model what is left to do.

        Raises:
            UserError: if a name or recipe of theirs is wrong.
        """
        return [stages for request in self.requests if (stages := self._stages(request))]

    def _stages(self, request: ModelRequest) -> Stages:
        if self.restart:
            return _stages_of(request, [jobs_to_begin_again(self.workspace, request)])
        to_come = jobs_to_come(self.workspace, request, **self.options)
        left = ([job for job in jobs if not job.is_done()] for jobs in to_come)
        return _stages_of(request, [jobs for jobs in left if jobs])

    def command(self, step: Step, *, begins: bool = False) -> str:
        """Return the command of a step, without "python run.py" and the flags of the workspace.

        Threads change results: it computes with as many as this process would.

        Args:
            step: of this training.
            begins: let it begin again what is to be.
        """
        request = step.request
        which = f"train --models {shlex.quote(request.source)}"
        if step.fold is not None:
            which = f"fold --model {shlex.quote(request.source)} --fold {step.fold}"
        flags = {
            "prepare": step.prepares,
            "only_seed": step.seed,
            "restart": begins and self.restart,
            "name": request.name,
            "recipes": request.recipes,
            **self.options,
            "track": self.track if step.scores else None,
            "threads": threads_here(),
        }
        return which + as_flags(flags) + as_flags(dict(request.overrides))


@dataclass(frozen=True)
class Step:
    """A part of a training.

    Attributes:
        request: the model.
        fold: that it trains; None: all of them together.
        seed: whose network alone it trains; None: all that are not trained yet, and it scores.
        prepares: it makes what the others share, and trains nothing.
        pixels: it is done faster by a GPU.
        folds: that have scores when it is done.
    """

    request: ModelRequest
    fold: int | None = None
    seed: int | None = None
    prepares: bool = False
    pixels: bool = True
    folds: tuple[int, ...] = ()

    @property
    def scores(self) -> bool:
        """Whether folds are complete when it is done."""
        return bool(self.folds)

    def __str__(self) -> str:
        words = [self.request.model]
        words += ["prepare"] if self.prepares else []
        words += [] if self.fold is None else [f"fold {self.fold}"]
        words += [] if self.seed is None else [f"seed {self.seed}"]
        return " ".join(words)


Stages = list[list[Step]]


def _stages_of(request: ModelRequest, to_come: Sequence[Sequence[Job]]) -> Stages:
    """Return stages of steps: those of one go side by side, in any order, when those of the one before are done.

    Args:
        request: the model.
        to_come: jobs that are not done; those of each list wait for the one before.
    """
    if not to_come:
        return []
    stages = [[Step(request, prepares=True)]]
    if to_come[0][0].recipe.on_bank:  # heads of all folds and seeds learn together faster than one by one
        return [*stages, [Step(request, pixels=False, folds=tuple(job.fold for jobs in to_come for job in jobs))]]
    for jobs in to_come:
        several = [job for job in jobs if job.recipe.seeds > 1]
        if seeds := [Step(request, job.fold, seed) for job in several for seed in range(job.recipe.seeds)]:
            stages.append(seeds)
        stages.append([Step(request, job.fold, folds=(job.fold,)) for job in jobs])
    return stages


def lines_of(training: Training, command: Callable[[str], str] = spelled) -> Iterator[str]:
    """Yield the commands of a training, one a line, for any scheduler; a comment begins each stage.

    Args:
        training: what is to be trained.
        command: makes a line of verb and flags.
    """
    by_stage: dict[int, list[str]] = {}
    for stages in training.stages():
        for number, steps in enumerate(stages):
            begins = number == 0
            # Stages of all models are counted alike: the last of each scores.
            at = number if number < len(stages) - 1 else max(2, number)
            by_stage.setdefault(at, []).extend(command(training.command(step, begins=begins)) for step in steps)
    for number, at in enumerate(sorted(by_stage)):
        when = f", when all of stage {number} are done" if number else ""
        yield f"# Stage {number + 1}: in any order, and side by side{when}."
        yield from by_stage[at]
