"""Measuring many candidates at once: by the threads of this process, or as tasks of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from competition.cluster.connect import connected
from competition.cluster.tasks import Call, Room, Surroundings, run_tasks
from competition.common.progress import reporter
from submissions.choose.candidates import Candidate, Candidates

LARGE = 2**28  # bytes of a member's scores, from which blends are measured one after the other: each has its own


@dataclass(frozen=True)
class Measuring:
    """A job of measuring: some candidates of the same scores, by each of some rules.

    Attributes:
        kind: "singles" or "blends", the methods of `Candidates`.
        arguments: of the method.
    """

    kind: str
    arguments: tuple[Any, ...]

    def __call__(self, source: Candidates) -> list[Candidate]:
        """Measure them."""
        measured: list[Candidate] = getattr(source, self.kind)(*self.arguments)
        return measured

    def alone(self, source: Candidates) -> list[Candidate]:
        """Measure them without their members, who come with every job and have all scores."""
        return [replace(candidate, members=()) for candidate in self(source)]

    def with_members(self, measured: Sequence[Candidate], source: Candidates) -> list[Candidate]:
        """Return candidates of `alone` with their members."""
        members = (source.members[self.arguments[0]],) if self.kind == "singles" else source.members
        return [replace(candidate, members=members) for candidate in measured]


Run = Callable[[Candidates, Sequence[Measuring]], list[list[Candidate]]]  # what they find, in the order of the jobs


def in_threads(source: Candidates, jobs: Sequence[Measuring]) -> list[list[Candidate]]:
    """Measure by threads of this process, one for each job."""
    at_once = -1 if source.chips.scores[0].nbytes < LARGE else 1
    measured = []
    with threadpool_limits(1), reporter.bar(len(jobs), unit="blend") as bar:
        parallel = Parallel(n_jobs=at_once, prefer="threads", return_as="generator")
        for by_rule in parallel(delayed(job)(source) for job in jobs):
            measured.append(by_rule)
            bar.update()
    return measured


def on_ray(address: str | None, cpus: int | None) -> Run:
    """Return what measures on a Ray cluster, each job a task of one thread; scores travel by Ray, once a machine.

    Args:
        address: of the cluster, see `connected`.
        cpus: cores to keep for each task; None: one.
    """
    return partial(_on_ray, address, cpus)


def _on_ray(
    address: str | None, cpus: int | None, source: Candidates, jobs: Sequence[Measuring]
) -> list[list[Candidate]]:
    measured: dict[str, list[Candidate]] = {}
    named = {f"{number} {job.kind} {job.arguments[0]}": job for number, job in enumerate(jobs)}
    with connected(address) as ray, reporter.bar(len(jobs), unit="blend") as bar:
        needs, shared = Room.of(ray).needs(cpus or 1, gpu=False), ray.put(source)
        tasks = [Call(name, _measure, (job, shared), cpus=needs["cpus"]) for name, job in named.items()]
        for ended in run_tasks(ray, tasks, Surroundings(threads=1)):
            if ended.error:
                raise ended.error
            measured[ended.name] = named[ended.name].with_members(ended.result, source)
            bar.update()
    return [measured[name] for name in named]


def _measure(job: Measuring, source: Candidates) -> list[Candidate]:
    return job.alone(source)
