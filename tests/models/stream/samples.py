"""A stand-in for Ray Data: jobs are done in this process, on what travels of them, and processes may be lost."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import cloudpickle
import numpy as np
import pytest

from models.stream import deal
from tests.cluster_in_process import InProcess, TaskError, in_process


class Here(InProcess):
    """Stands in for the package ray.

    Attributes:
        loaded: the needs of each process that was begun.
        dealt: the number of each job that was done.
        stop_after: jobs, after which the cluster is lost.
    """

    exceptions = SimpleNamespace(RayTaskError=TaskError, RayError=TaskError)

    def __init__(self, **resources: int) -> None:
        super().__init__(**resources)
        self.loaded, self.dealt, self.stop_after = list[dict[str, int]](), list[int](), 10**9

    def batches(
        self, jobs: Any, arguments: Any, needs: dict[str, int], processes: int, *, in_order: bool
    ) -> Iterator[Any]:
        workers = [deal.Worker(*cloudpickle.loads(cloudpickle.dumps(arguments))) for _ in range(processes)]
        self.loaded += [needs] * processes
        for place, (number, job) in enumerate(jobs if in_order else reversed(jobs)):
            if len(self.dealt) == self.stop_after:
                raise TaskError(RuntimeError("all machines are lost"))
            self.dealt.append(number)
            batch = workers[place % processes]({"number": np.array([number]), "job": np.array([job], object)})
            yield {name: np.array(values, object) for name, values in batch.items()}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    ray = Here(cpus=2)
    monkeypatch.setattr(deal, "_batches", ray.batches)
    with in_process(monkeypatch, deal, ray):
        yield ray
