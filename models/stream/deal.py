"""Dealing jobs by Ray Data to processes that have loaded their networks once, a few at a time."""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from competition.cluster.connect import connected
from competition.cluster.shared import Word
from competition.cluster.tasks import Room, Surroundings
from competition.common.errors import UserError
from competition.common.interrupts import check, heeded
from models.backend.load import turned_aside

Work = Callable[[bytes], bytes]  # what does a job


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster, and what it keeps for each process.

    Attributes:
        address: see `connected`.
        cpus: cores; None: as many as this machine has, where others do.
    """

    address: str | None = None
    cpus: int | None = None


def dealt(
    cluster: Cluster,
    jobs: Sequence[tuple[int, bytes]],
    load: Callable[[], Work],
    *,
    word: Word | None = None,
    in_order: bool = False,
) -> Iterator[tuple[int, bytes]]:
    """Yield the number of each job as it is done, and what came of it. Processes that are lost begin again.

    Ray Data gives each process the next job as it is done with one, and no more while nobody takes what was made.

    Args:
        cluster: whose processes these are.
        jobs: numbered.
        load: returns what does a job; called once in each process.
        word: in the folder that the machines must share, if there is one.
        in_order: yield in the order of the jobs; those that are done sooner wait.

    Raises:
        UserError: if there is no such cluster, or that of a job or `load`.
    """
    with connected(cluster.address) as ray, heeded():
        needs = Room.of(ray).needs(cluster.cpus, gpu=True)
        around, processes = Surroundings(word=word), min(len(jobs), _processes(ray, needs))
        try:
            with _quiet(), turned_aside(2):  # Ray's core has a line to say of every process that Ray Data begins
                batches = iter(_batches(jobs, (load, around), needs, processes, in_order=in_order))
                batch = next(batches, None)
            while batch is not None:
                check()
                for number, error, made in zip(batch["number"], batch["error"], batch["made"], strict=True):
                    if error:
                        raise UserError(str(error))
                    yield int(number), bytes(made)
                with _quiet():
                    batch = next(batches, None)
        except ray.exceptions.RayError as error:
            why = (str(getattr(error, "cause", None) or error).strip() or type(error).__name__).splitlines()[-1]
            raise UserError(f"The chips could not be worked on by the cluster: {why}") from error


def _processes(ray: Any, needs: dict[str, int]) -> int:
    """Return how many processes the machines have room for, one at least."""

    def fit(node: dict[str, Any]) -> int:
        kinds = {"CPU": needs["cpus"], "GPU": needs.get("gpus", 0)}
        return min(int(node["Resources"].get(kind, 0) // number) for kind, number in kinds.items() if number)

    return max(1, sum(fit(node) for node in ray.nodes() if node["Alive"]))


def _batches(
    jobs: Sequence[tuple[int, bytes]],
    arguments: tuple[Any, ...],
    needs: dict[str, int],
    processes: int,
    *,
    in_order: bool,
) -> Any:
    data = importlib.import_module("ray.data")
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = data.DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    context.execution_options.preserve_order = in_order
    items = [{"number": number, "job": job} for number, job in jobs]
    made = data.from_items(items, override_num_blocks=len(items)).map_batches(
        Worker,
        fn_constructor_args=arguments,
        batch_size=1,
        num_cpus=needs["cpus"],
        num_gpus=needs.get("gpus"),
        compute=data.ActorPoolStrategy(size=processes),
    )
    return made.iter_batches(batch_size=None, prefetch_batches=0)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what Ray warns its own developers of to itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Worker:
    """One process of the cluster. What the user can mend it returns: Ray would wrap it in a traceback.

    Args:
        load: returns what does a job.
        around: what it finds around it.
    """

    def __init__(self, load: Callable[[], Work], around: Surroundings) -> None:
        self.work: Work | None = None
        self.error = ""
        try:
            self.work = around.call(load, ())
        except UserError as error:
            self.error = str(error)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Do a job; return its number, the error if there was one, and what came of it."""
        (number,), (job,), made, error = batch["number"], batch["job"], b"", self.error
        if self.work:
            try:
                made = self.work(bytes(job))
            except UserError as raised:
                error = str(raised)
        return {"number": [int(number)], "error": [error], "made": [made]}
