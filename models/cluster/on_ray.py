"""Training on a Ray cluster: each step a task, which goes on after its last finished epoch where a machine is lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

from competition.cluster.connect import connected
from competition.cluster.shared import shared_word
from competition.cluster.tasks import Call, Ended, Room, Surroundings, run_tasks
from competition.common.errors import UserError
from competition.common.locks import BusyError
from competition.common.progress import reporter
from competition.common.text import counted, lasting
from competition.task import Task
from folds.store.score_store import ScoreStore
from models.cluster.steps import Stages, Step, Training
from models.cluster.work import do_step
from models.runs.restarts import Restart
from models.runs.status import reached


def train_on_ray(
    training: Training,
    *,
    address: str | None = None,
    cpus: int | None = None,
    keep: Callable[[str], None] = lambda _: None,
) -> bool:
    """Train models on a Ray cluster; return whether all have all their scores now.

    A step that fails ends those that wait for it; the others go on, and its error is raised at the end.

    Args:
        training: what is to be trained.
        address: of the cluster, see `connected`.
        cpus: cores to keep for each task; None: as many as this machine has, where others do.
        keep: called with a model whose folds were done, and at the end.

    Raises:
        UserError: if there is no such cluster, its machines do not share the workspace, or a step fails.
        BusyError: if another process is at a fold.
    """
    training.stages()  # all of them are known to be right before the first begins again
    training = training.absolute().begin()
    left = training.stages()
    errors = list[Exception]()
    if left:
        with connected(address) as ray, shared_word(training.workspace.root) as word:
            tasks, steps = _tasks_of(training, left, Room.of(ray), cpus)
            total = sum(len(step.folds) for step in steps.values())
            reporter.say(f"{counted(total, 'fold')} on {_machines(ray)}: {_in_words(steps.values())}.")
            with reporter.bar(total, "training", "fold") as bar:
                for ended in run_tasks(ray, tasks, Surroundings(word=word)):
                    step = steps[ended.name]
                    errors += _told(ended, step, training, errors)
                    if ended.error is None and step.folds:
                        bar.update(len(step.folds))
                        keep(step.request.model)
    if errors:
        raise errors[0]
    are_whole = [_settled(training, request.model, keep) for request in training.requests]
    return all(are_whole)


def _tasks_of(
    training: Training, left: list[Stages], room: Room, cpus: int | None
) -> tuple[list[Call], dict[str, Step]]:
    tasks, steps = list[Call](), dict[str, Step]()
    for stages in left:
        before: list[Step] = []
        for stage in stages:
            for step in stage:
                needs = room.needs(cpus, gpu=step.pixels)
                tasks.append(Call(str(step), do_step, (training, step), _waits_for(step, before), **needs))
                steps[str(step)] = step
            before = stage
    return tasks, steps


def _in_words(steps: Collection[Step]) -> str:
    """Return which tasks there are: those that make what folds share train none of them."""
    prepare, train = (counted(sum(step.prepares is way for step in steps), "task") for way in (True, False))
    return f"{prepare} to prepare what they share, then {train} to train and score"


def _waits_for(step: Step, before: list[Step]) -> tuple[str, ...]:
    """Return the names of those of the stage before that a step waits for: of seeds, the fold's own."""
    return tuple(str(other) for other in before if other.seed is None or other.fold == step.fold)


def _told(ended: Ended, step: Step, training: Training, before: list[Exception]) -> Iterator[Exception]:
    """Say what came of a step; yield the error that ended it, if it is a new one."""
    if ended.error is None:
        for fold in step.folds:
            took = f"{lasting(ended.result.seconds)} on {ended.result.host}"
            reporter.say(f"'{step.request.model}' fold {fold}: held-out {_reached(training, step, fold)}, {took}.")
    elif str(ended.error) not in map(str, before):
        if not isinstance(ended.error, BusyError):
            reporter.note(f"{step} ended: {ended.error} What does not wait for it goes on.")
        yield ended.error


def _reached(training: Training, step: Step, fold: int) -> str:
    workspace, model = training.workspace, step.request.model
    store = ScoreStore.of(workspace)
    if fold in Restart(workspace, model).folds(store):
        store = ScoreStore.of(workspace.restarted)
    try:
        scores = store.read(model, fold)
    except UserError:  # a file server may show this machine what another has written some time later
        return "scored"
    task = Task(workspace.competition, scores.provenance.scored)
    return f"{task.metric.title} {reached(scores.heldout, task, workspace.labelled):.4f}"


def _settled(training: Training, model: str, keep: Callable[[str], None]) -> bool:
    store = ScoreStore.of(training.workspace)
    Restart(training.workspace, model).settle(store)
    keep(model)  # also what was done before
    return store.folds_of(model) == list(range(store.table.num_folds))


def _machines(ray: Any) -> str:
    alive = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    cpus, gpus = (sum(int(node["Resources"].get(kind, 0)) for node in alive) for kind in ("CPU", "GPU"))
    return ", ".join([counted(len(alive), "machine"), counted(cpus, "core"), *([counted(gpus, "GPU")] if gpus else [])])
