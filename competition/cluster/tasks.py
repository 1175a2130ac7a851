"""Calls as tasks of a Ray cluster: each in a process of its own, called again where a machine is lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from competition.cluster.connect import cores
from competition.cluster.shared import Word
from competition.cluster.threads import limit_threads, threads_here
from competition.common.errors import UserError, as_command, command_at_work
from competition.common.interrupts import check, heeded
from competition.common.progress import reporter

RETRIES = 20  # of a call whose machine or process is lost; what it finished it finds again
PATIENCE = 1.0  # seconds between looks for a Ctrl-C
PASSED_ON = ("KERAS_BACKEND", "KERAS_HOME")  # of the environment


@dataclass(frozen=True)
class Call:
    """A call of a function, which any machine may make.

    Attributes:
        name: tells it from the others.
        function: of the toolkit, which the machines have too.
        arguments: small values, or what `ray.put` returned.
        after: names of calls, before it in order, that it waits for.
        cpus: cores to keep for it.
        gpus: GPUs to keep for it.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    after: tuple[str, ...] = ()
    cpus: int = 1
    gpus: int = 0


@dataclass(frozen=True)
class Ended:
    """What came of a task.

    Attributes:
        name: of the task.
        result: of its call.
        error: that ended it, or a task that it waited for; None if it was done.
    """

    name: str
    result: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class Surroundings:
    """What a call finds around it on any machine, as it would here.

    Attributes:
        threads: to compute with; they change results.
        word: in the folder that the machines must share, if there is one.
        environment: further variables.
        folder: that relative paths are of, where the machine has it.
        command: what the verb at work was called with, as `command_at_work` has it.
    """

    threads: int = field(default_factory=threads_here)
    word: Word | None = None
    environment: dict[str, str] = field(
        default_factory=lambda: {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    )
    folder: Path = field(default_factory=Path.cwd)
    command: dict[str, Any] = field(default_factory=command_at_work)

    def call(self, call: Callable[..., Any], arguments: tuple[Any, ...], *_: Any) -> Any:
        """Make a call here, in a fresh process."""
        limit_threads(self.threads)
        os.environ.update(self.environment)
        with suppress(OSError):
            os.chdir(self.folder)
        if self.word:
            self.word.check()
        with as_command(self.command):
            return call(*arguments)


def run_tasks(ray: Any, calls: Sequence[Call], around: Surroundings) -> Iterator[Ended]:
    """Run tasks on a cluster, and yield what came of each as it ends; all end when the iterator does.

    Args:
        ray: the package, connected.
        calls: in order; those that wait for others behind these.
        around: what each finds around it.
    """
    run = ray.remote(max_calls=1)(_run)
    named, left = dict[str, Any](), dict[Any, str]()
    try:
        with heeded():
            for call in calls:
                options = {"num_cpus": call.cpus, "num_gpus": call.gpus, "max_retries": RETRIES, "name": call.name}
                waited = [named[name] for name in call.after]
                # References within the tuple would not be waited for, nor replaced by what they refer to.
                named[call.name] = run.options(**options, scheduling_strategy="SPREAD").remote(
                    around, call.function, len(call.arguments), *call.arguments, *waited
                )
                left[named[call.name]] = call.name
            named.clear()  # so that each result goes once it is fetched
            machines = _machines(ray)
            while left:
                check()
                machines = _without_lost(machines, _machines(ray))
                done, _ = ray.wait(list(left), num_returns=1, timeout=PATIENCE)
                for reference in done:
                    yield _ended(ray, reference, left.pop(reference))
    finally:
        for reference in left:
            ray.cancel(reference, force=True)


def _machines(ray: Any) -> dict[str, str]:
    """Return the machines that are there: by their number in the cluster, their names."""
    return {node["NodeID"]: node["NodeManagerHostname"] for node in ray.nodes() if node["Alive"]}


def _without_lost(before: dict[str, str], now: dict[str, str]) -> dict[str, str]:
    for name in (before[lost] for lost in before.keys() - now.keys()):
        reporter.note(f"The cluster has lost {name}: what it was at goes on elsewhere.")
    return now


def _run(around: Surroundings, call: Callable[..., Any], count: int, *given: Any) -> Any:
    return around.call(call, given[:count])


def _ended(ray: Any, reference: Any, name: str) -> Ended:
    try:
        return Ended(name, ray.get(reference))
    except ray.exceptions.RayTaskError as error:
        cause = getattr(error, "cause", None)
        return Ended(name, error=cause if isinstance(cause, Exception) else error)
    except ray.exceptions.RayError as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        return Ended(name, error=UserError(f"'{name}' could not be run on the cluster: {why}."))


@dataclass(frozen=True)
class Room:
    """What the machines of a cluster have room for.

    Attributes:
        cpus: cores of the largest.
        cpus_by_gpu: cores for each GPU of those that have GPUs; 0 where none has any.
    """

    cpus: int
    cpus_by_gpu: int

    @classmethod
    def of(cls, ray: Any) -> Room:
        """Return that of the cluster that Ray is connected to."""
        resources = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        largest = max((int(each.get("CPU", 0)) for each in resources), default=0)
        with_gpus = [each for each in resources if each.get("GPU", 0) >= 1]
        by_gpu = min((int(each.get("CPU", 0) // each["GPU"]) for each in with_gpus), default=0)
        return cls(max(1, largest), max(1, by_gpu) if with_gpus else 0)

    def needs(self, cpus: int | None, *, gpu: bool) -> dict[str, int]:
        """Return the cores and GPUs of a task, as `Call` takes them.

        Args:
            cpus: asked for; None: as many as this machine would use.
            gpu: whether it gains by a GPU.

        Raises:
            UserError: if no machine has so many cores.
        """
        if cpus and cpus > self.cpus:
            raise UserError(f"--cpus: no machine of the cluster has {cpus} cores; the largest has {self.cpus}.")
        if gpu and self.cpus_by_gpu:
            return {"cpus": cpus or self.cpus_by_gpu, "gpus": 1}
        return {"cpus": cpus or min(cores(), self.cpus)}
