"""A stand-in for Ray and its cluster: tasks run in this process, one after another, on what travels of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest

from competition.cluster.tasks import Surroundings


class TaskError(Exception):
    """Stands in for RayTaskError."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class InProcess:
    """Stands in for the package ray, connected.

    Args:
        cpus: cores of its one machine.
        gpus: its GPUs.

    Attributes:
        asked: the options of each task, in order.
        cancelled: the references of cancelled tasks.
    """

    exceptions = SimpleNamespace(RayTaskError=TaskError, RayError=Exception)

    def __init__(self, cpus: int = 2, gpus: int = 0) -> None:
        resources = {"CPU": cpus, **({"GPU": gpus} if gpus else {})}
        self.node = {"NodeID": "1", "NodeManagerHostname": "here", "Alive": True, "Resources": resources}
        self.asked, self.cancelled, self._calls = list[dict[str, Any]](), list[int](), dict[int, Callable[[], Any]]()
        self._results = dict[int, Any]()

    def nodes(self) -> list[dict[str, Any]]:
        return [self.node]

    def put(self, value: Any) -> Any:
        return value

    def remote(self, **_: Any) -> Callable[[Callable[..., Any]], Any]:
        def of(call: Callable[..., Any]) -> Any:
            def options(**asked: Any) -> Any:
                def submit(*arguments: Any) -> int:
                    self.asked.append(asked)
                    number = len(self.asked)
                    content = cloudpickle.dumps((call, arguments))
                    self._calls[number] = lambda: self._made(content)
                    return number

                return SimpleNamespace(remote=submit)

            return SimpleNamespace(options=options)

        return of

    def wait(self, references: list[int], **_: Any) -> tuple[list[int], list[int]]:
        self._results[references[0]] = self._calls[references[0]]()
        return references[:1], references[1:]

    def get(self, reference: int) -> Any:
        result = self._results[reference]
        if isinstance(result, Exception):
            raise TaskError(result)
        return result

    def cancel(self, reference: int, *, force: bool) -> None:
        assert force
        self.cancelled.append(reference)

    def _made(self, content: bytes) -> Any:
        call, (around, inner, count, *given) = _loaded(content)
        failed = [self._results[each] for each in given[count:] if isinstance(self._results[each], Exception)]
        if failed:
            return failed[0]
        try:
            return _loaded(cloudpickle.dumps(call(around, inner, count, *given)))
        except Exception as error:
            return _loaded(cloudpickle.dumps(error))


def _loaded(content: bytes) -> Any:
    return cloudpickle.loads(content)


@contextmanager
def in_process(patch: pytest.MonkeyPatch, module: Any, ray: InProcess) -> Iterator[None]:
    """Let a module's `connected` yield a stand-in, whose calls leave the environment of this process alone."""

    @contextmanager
    def connected(address: str | None = None, **_: Any) -> Iterator[InProcess]:
        yield ray

    with patch.context() as within:
        within.setattr(module, "connected", connected)
        within.setattr(Surroundings, "call", lambda _, call, arguments: call(*arguments))
        yield
