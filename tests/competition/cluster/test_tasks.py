import click
import pytest

from competition.cluster.tasks import Call, Room, Surroundings, run_tasks
from competition.common.errors import GIVEN, UserError, given_command
from tests.cluster_in_process import InProcess

CALL = Surroundings.call


@pytest.fixture(autouse=True)
def _as_it_is(monkeypatch) -> None:
    monkeypatch.setattr(Surroundings, "call", lambda _, call, arguments: call(*arguments))


def fail() -> None:
    raise UserError("No chips.", command="data prepare")


def add(a: int, b: int) -> int:
    return a + b


def test_each_task_gives_its_result_with_what_it_asks_for() -> None:
    ray = InProcess()
    tasks = [Call("one", add, (1, 2), cpus=3), Call("two", add, (3, 4), after=("one",), gpus=1)]
    ended = list(run_tasks(ray, tasks, Surroundings()))
    assert [(each.name, each.result, each.error) for each in ended] == [("one", 3, None), ("two", 7, None)]
    assert [(asked["num_cpus"], asked["num_gpus"]) for asked in ray.asked] == [(3, 0), (1, 1)]
    assert all(asked["max_retries"] > 0 and not asked.get("retry_exceptions") for asked in ray.asked)


def test_an_error_reaches_those_that_wait_for_it_and_no_others() -> None:
    tasks = [Call("bad", fail), Call("waits", add, (1, 2), after=("bad",)), Call("good", add, (1, 2))]
    ended = {each.name: each for each in run_tasks(InProcess(), tasks, Surroundings())}
    assert isinstance(ended["bad"].error, UserError)
    assert str(ended["waits"].error) == str(ended["bad"].error) == 'No chips. Run "python run.py data prepare".'
    assert ended["good"].result == 3


def test_whoever_stops_listening_cancels_what_is_left() -> None:
    ray = InProcess()
    listened = run_tasks(ray, [Call(str(number), add, (1, 2)) for number in range(3)], Surroundings())
    next(listened)
    with pytest.raises(KeyboardInterrupt):
        listened.throw(KeyboardInterrupt)
    assert ray.cancelled == [2, 3]


def test_a_call_knows_the_command_that_it_is_made_for(monkeypatch) -> None:
    monkeypatch.setattr("competition.cluster.tasks.limit_threads", lambda _: None)
    with click.Context(click.Command("train")) as context:
        context.meta[GIVEN] = ["train", "--on", "ray"]
        around = Surroundings()
    assert given_command() == ""
    assert CALL(around, given_command, ()) == "python run.py train --on ray"


def test_a_task_keeps_as_much_as_the_largest_machine_has_and_a_gpu_where_it_gains_by_one(monkeypatch) -> None:
    monkeypatch.setattr("competition.cluster.tasks.cores", lambda: 4)
    assert Room.of(InProcess(cpus=2)).needs(None, gpu=True) == {"cpus": 2}
    assert Room.of(InProcess(cpus=16)).needs(None, gpu=False) == {"cpus": 4}
    assert Room.of(InProcess(cpus=16, gpus=2)).needs(None, gpu=True) == {"cpus": 8, "gpus": 1}
    with pytest.raises(UserError, match="no machine of the cluster has 3 cores; the largest has 2"):
        Room.of(InProcess(cpus=2)).needs(3, gpu=False)
